// Who holds a serial port: the process that has it open, found in /proc/*/fd. Without root only one's own processes can
// be seen; the lock then still says that there is somebody.

import { type BigIntStats, readlinkSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

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
 * walk: eight ports that are opened at a start cost two of them, not eight of 10 ms each. It begins after the question.
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
  for (const name of await readdir(proc).catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === ignorePid) continue;
    for (const path of await heldBy(join(proc, name, 'fd'), `${dev}/`, wanted)) {
      if (!holders.has(path)) holders.set(path, { pid, command: await commandOf(join(proc, name)) });
    }
  }
  return holders;
}

/** Which of the wanted nodes a process has open. The links are read synchronously: a few microseconds each. */
async function heldBy(fdDir: string, dev: string, wanted: ReadonlyMap<string, BigIntStats>): Promise<string[]> {
  const held: string[] = [];
  for (const fd of await readdir(fdDir).catch(() => [])) {
    const link = join(fdDir, fd);
    const target = targetOf(link);
    if (!target?.startsWith(dev) || target === '/dev/null') continue;
    const open = statOf(link);
    if (!open) continue;
    for (const [path, node] of wanted) if (isSameDevice(open, node)) held.push(path);
  }
  return held;
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

async function commandOf(processDir: string): Promise<string> {
  const line = (await readFile(join(processDir, 'cmdline'), 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
  const command =
    line || (await readFile(join(processDir, 'comm'), 'utf8').catch(() => '')).trim() || 'unknown command';
  return command.length > COMMAND_CHARS ? `${command.slice(0, COMMAND_CHARS)}...` : command;
}
