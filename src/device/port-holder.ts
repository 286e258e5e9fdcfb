// Who holds a serial port: the process that has it open, found in /proc/*/fd. Without root only one's own processes can
// be seen; the lock then still says that there is somebody.

import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { endOfTurn } from '../core/turn-end.js';

/** A process that has a port open. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, shortened. */
  readonly command: string;
}

export interface HolderOptions {
  readonly proc?: string;
  readonly dev?: string;
}

const COMMAND_CHARS = 80;
/**
 * What is read of /proc in one turn of the event loop, so that nobody waits long: half a millisecond, or two on a small board.
 * One by one in the thread pool, the processes of an idle machine alone take three times as long as all of it.
 */
const READS_PER_TURN = 64;
/** Major numbers of pty ends; each container counts its own from 0, so their numbers alone say nothing. */
const PTY_MAJORS = { first: 136, last: 143 };

/** A walk through /proc that has not begun: whoever asks meanwhile takes part in it. */
interface ComingWalk {
  readonly paths: Set<string>;
  readonly found: Promise<Map<string, PortHolder>>;
}

/**
 * Answers who holds a port. Those who ask at the same time share a walk: eight ports that are opened at a start cost two of them,
 * not eight. It begins after the question.
 */
export class HolderSearch {
  readonly #options: HolderOptions;
  #coming: ComingWalk | undefined;
  #underWay: Promise<unknown> | undefined;

  constructor(options: HolderOptions = {}) {
    this.#options = options;
  }

  /** The process that holds the device node `path` (symlinks resolved), if one can be seen. */
  async find(path: string): Promise<PortHolder | undefined> {
    this.#coming ??= this.#nextWalk();
    this.#coming.paths.add(path);
    return (await this.#coming.found).get(path);
  }

  #nextWalk(): ComingWalk {
    const paths = new Set<string>();
    const walk = (): Promise<Map<string, PortHolder>> => {
      this.#coming = undefined;
      const walking = findHolders([...paths], this.#options);
      this.#underWay = walking;
      return walking;
    };
    return { paths, found: Promise.resolve(this.#underWay).then(walk, walk) };
  }
}

/** Who holds which of these ports (symlinks resolved), by one walk through /proc. */
export async function findHolders(
  paths: readonly string[],
  options: HolderOptions = {},
): Promise<Map<string, PortHolder>> {
  const { proc = '/proc', dev = '/dev' } = options;
  const wanted = new Map<string, BigIntStats>();
  for (const path of paths) {
    const node = statOf(path);
    if (node) wanted.set(path, node);
  }
  const holders = new Map<string, PortHolder>();
  if (wanted.size === 0) return holders;
  let reads = 0;
  for (const { pid, link } of openFiles(proc)) {
    reads += 1;
    if (reads % READS_PER_TURN === 0) await endOfTurn();
    if (link === undefined) continue;
    for (const path of heldBy(link, `${dev}/`, wanted)) {
      if (!holders.has(path)) holders.set(path, { pid, command: commandOf(`${proc}/${pid}`) });
    }
  }
  return holders;
}

/** All processes, and what each has open as far as it can be seen: a read of /proc for each. */
function* openFiles(proc: string): Generator<{ pid: number; link?: string }> {
  for (const name of namesIn(proc)) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    yield { pid };
    for (const fd of namesIn(`${proc}/${name}/fd`)) yield { pid, link: `${proc}/${name}/fd/${fd}` };
  }
}

/** Which of the wanted nodes is behind a descriptor. */
function heldBy(link: string, dev: string, wanted: ReadonlyMap<string, BigIntStats>): string[] {
  const target = targetOf(link);
  if (!target?.startsWith(dev) || target === '/dev/null') return [];
  const open = statOf(link);
  return open ? [...wanted].filter(([, node]) => isSameDevice(open, node)).map(([path]) => path) : [];
}

/** One node, or two nodes of one piece of hardware (a container has its own /dev). */
function isSameDevice(a: BigIntStats, b: BigIntStats): boolean {
  if (a.dev === b.dev && a.ino === b.ino) return true;
  return a.isCharacterDevice() && b.isCharacterDevice() && a.rdev === b.rdev && !isPty(a.rdev);
}

function isPty(rdev: bigint): boolean {
  const major = Number((rdev >> 8n) & 0xfffn);
  return major >= PTY_MAJORS.first && major <= PTY_MAJORS.last;
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // gone meanwhile, or not ours to see
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Empty for a process that has ended meanwhile, or is not ours to see. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function commandOf(processDir: string): string {
  const command = textOf(`${processDir}/cmdline`) || textOf(`${processDir}/comm`) || 'unknown command';
  return command.length > COMMAND_CHARS ? `${command.slice(0, COMMAND_CHARS)}...` : command;
}
