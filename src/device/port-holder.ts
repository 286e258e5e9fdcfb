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
  /** A process that does not count: the one that asks. */
  readonly ignorePid?: number;
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

/** By their options: the walk to come, and the end of the one under way. */
const coming = new Map<string, ComingWalk>();
const underWay = new Map<string, Promise<unknown>>();

/**
 * The process that holds the device node `path` (symlinks resolved), if one can be seen. Those who ask at the same time share a
 * walk: eight ports that are opened at a start cost two of them, not eight. It begins after the question.
 */
export async function findHolder(path: string, options: HolderOptions = {}): Promise<PortHolder | undefined> {
  const key = JSON.stringify(options);
  const walk = coming.get(key) ?? nextWalk(key, options);
  walk.paths.add(path);
  return (await walk.found).get(path);
}

function nextWalk(key: string, options: HolderOptions): ComingWalk {
  const paths = new Set<string>();
  const found = Promise.resolve(underWay.get(key)).then(async () => {
    coming.delete(key);
    const walking = findHolders([...paths], options);
    underWay.set(key, walking);
    try {
      return await walking;
    } finally {
      if (underWay.get(key) === walking) underWay.delete(key);
    }
  });
  const walk = { paths, found };
  coming.set(key, walk);
  return walk;
}

/** As `findHolder`, for several ports in one walk through /proc. */
export async function findHolders(
  paths: readonly string[],
  options: HolderOptions = {},
): Promise<Map<string, PortHolder>> {
  const { proc = '/proc', dev = '/dev', ignorePid } = options;
  const wanted = new Map<string, BigIntStats>();
  for (const path of paths) {
    const node = statOf(path);
    if (node) wanted.set(path, node);
  }
  const holders = new Map<string, PortHolder>();
  if (wanted.size === 0) return holders;
  let reads = 0;
  for (const { pid, link } of openFiles(proc, ignorePid)) {
    reads += 1;
    if (reads % READS_PER_TURN === 0) await endOfTurn();
    for (const path of heldBy(link, `${dev}/`, wanted)) {
      if (!holders.has(path)) holders.set(path, { pid, command: commandOf(`${proc}/${pid}`) });
    }
  }
  return holders;
}

/** What all other processes have open, as far as it can be seen. */
function* openFiles(proc: string, ignorePid: number | undefined): Generator<{ pid: number; link: string }> {
  for (const name of namesIn(proc)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === ignorePid) continue;
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
