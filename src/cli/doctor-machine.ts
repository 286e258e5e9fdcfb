// `ferrule doctor` on the machine: versions, clock, memory, disk.

import { accessSync, constants, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { freemem, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { type Examination, type Finding, fail, info, ok, warn } from './doctor-finding.js';
import type { GoodConfig } from './read-config.js';
import { version } from './version.js';

const MIB = 1024 ** 2;
/** Nothing of this was written before. A board without a battery for its clock starts in 1970, or when its image was made. */
const EARLIEST_WALL = Date.UTC(2026, 0, 1);
const LITTLE_MEMORY = 48 * MIB;
const LITTLE_DISK = 32 * MIB;
/** adjtimex(2): the clock is not synchronized. */
const TIME_ERROR = 5;
const TIMEX_BYTES = 512;

/** What runs on what. */
export function examineVersions(): Examination {
  const facts = {
    ferrule: version,
    node: process.version,
    kernel: release(),
    arch: process.arch,
    libc: libc(),
    board: textOf('/proc/device-tree/model')?.replaceAll('\0', '') ?? null,
    container: container(),
  };
  const { ferrule, node, kernel, arch, board } = facts;
  const where = [board, facts.container].filter(Boolean).map((word) => `, ${word}`);
  return {
    findings: [info(`ferrule ${ferrule}, node ${node}, Linux ${kernel}, ${arch}, ${facts.libc}${where.join('')}`)],
    data: { versions: facts },
  };
}

/** Certificates and the order of readings need a clock that is right. */
export async function examineClock(wallMs: number): Promise<Examination> {
  const now = new Date(wallMs).toISOString();
  if (wallMs < EARLIEST_WALL) {
    const todo =
      'set it (timedatectl set-ntp true, or a clock with a battery): TLS certificates fail, readings get wrong times';
    return { findings: [fail(`the clock says ${now}, which is long past`, todo)] };
  }
  const sync = await clockState();
  if (sync === 'synchronized') return { findings: [ok(`${now}, synchronized`)] };
  if (sync === 'unknown') return { findings: [info(`${now}; whether it is synchronized cannot be seen from here`)] };
  const todo = 'switch it on (timedatectl set-ntp true), and let NTP through the firewall';
  return { findings: [warn(`${now}, but not synchronized with a time server`, todo)] };
}

/** Memory that is left for everybody. */
export function examineMemory(): Examination {
  const [free, total] = [freemem(), totalmem()];
  const words = `${mib(free)} of ${mib(total)} available`;
  const limit = process.constrainedMemory();
  const bound = limit > 0 && limit < total ? `, this process may have ${mib(limit)}` : '';
  const level =
    free < LITTLE_MEMORY
      ? warn(`${words}${bound}`, 'see what takes it: ps aux --sort=-rss | head')
      : ok(`${words}${bound}`);
  return { findings: [level], data: { memory: { free, total, limit } } };
}

/** The folder for what must outlive a restart, and what is kept there. */
export function examineDisk({ config: { gateway, spool } }: GoodConfig): Examination {
  const dir = gateway.data_dir;
  const place = nearestThatIs(dir);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const kept = sizeOf(join(dir, 'spool'));
  const data = { disk: { data_dir: dir, free, spool: kept, spool_limit: spool.max_size } };
  const words = `${dir}: ${mib(free)} free, spool ${mib(kept)} of at most ${mib(spool.max_size)}`;
  return {
    findings: [writable(dir, place), room(words, free, spool.mode === 'off' ? 0 : spool.max_size - kept)],
    data,
  };
}

function writable(dir: string, place: string): Finding {
  const made = place === dir ? '' : ' (it is made at the start)';
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return ok(`${dir} can be written${made}`);
  } catch {
    const todo = `give it to the user of the service, or set gateway.data_dir; a service under systemd writes to /var/lib/ferrule`;
    return warn(`${dir} cannot be written by this user${made}`, todo);
  }
}

function room(words: string, free: number, wanted: number): Finding {
  if (free < LITTLE_DISK) return fail(words, 'make room: nothing can be kept while the broker is away');
  if (free < wanted) return warn(words, 'less is free than the spool may take: make room, or lower spool.max_size');
  return ok(words);
}

/** Asks the kernel, which is right for every program that sets the clock, also from inside a container. */
async function clockState(): Promise<'synchronized' | 'unsynchronized' | 'unknown'> {
  try {
    const { default: koffi } = await import('koffi');
    const state: number = koffi.load(null).func('int adjtimex(void *)')(Buffer.alloc(TIMEX_BYTES));
    if (state < 0) return 'unknown';
    return state === TIME_ERROR ? 'unsynchronized' : 'synchronized';
  } catch {
    return 'unknown'; // no binary of koffi, or no such function
  }
}

function libc(): string {
  const maps = textOf('/proc/self/maps') ?? '';
  if (/\/ld-musl-/.test(maps)) return 'musl';
  return /\/libc(?:\.so\.6|-2)/.test(maps) ? 'glibc' : 'unknown libc';
}

function container(): string | null {
  if (process.env.BALENA) return 'balena';
  if (statOf('/.dockerenv') !== undefined) return 'docker';
  return textOf('/run/systemd/container')?.trim() || null;
}

/** The folder itself, or the nearest above that exists. */
function nearestThatIs(dir: string): string {
  let place = dir;
  while (statOf(place) === undefined && place !== dirname(place)) place = dirname(place);
  return place;
}

/** Bytes of the files in a folder; 0 if there is none. */
function sizeOf(dir: string): number {
  try {
    const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
    return names.reduce((sum, name) => sum + (statOf(join(dir, name))?.size ?? 0), 0);
  } catch {
    return 0;
  }
}

function statOf(path: string): { readonly size: number } | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function mib(bytes: number): string {
  return `${bytes >= 10 * MIB || bytes === 0 ? Math.round(bytes / MIB) : (bytes / MIB).toFixed(1)} MiB`;
}
