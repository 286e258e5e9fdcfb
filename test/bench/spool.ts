// What a day without a broker costs an SD card: 10 readings of 64 bytes a second go into a spool, as fast as it takes them,
// with a write every second or every ten, and with fsync or without. Each case runs in a process of its own, so that what the
// kernel was handed can be read from /proc. Run it with `npm run bench -- --spool`.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.js';
import { silentLog } from '../../src/core/log.js';
import { folderSize } from '../../src/spool/disk-usage.js';
import { Spool } from '../../src/spool/spool.js';
import { bulk } from '../support/spool-records.js';

interface Case {
  readonly title: string;
  /** Seconds between writes. */
  readonly interval: number;
  readonly sync: boolean;
  /** Simulated seconds. */
  readonly seconds: number;
  readonly maxBytes: number;
  /** Each block is sent and removed at once, as `mode: always` does while the broker is there. */
  readonly isSent: boolean;
}

interface Figures {
  readonly perReading: number;
  readonly amplification: number;
  readonly blockPerReading: number;
  readonly onDisk: number;
  readonly kept: number;
  readonly ms: number;
  readonly openMs: number;
  readonly openMiB: number;
  readonly grownMiB: number;
}

const MIB = 1024 * 1024;
const DAY = 86_400;
const PER_SECOND = 10;
const SIZE = 64;

const OFFLINE = { sync: false, seconds: DAY, maxBytes: 256 * MIB, isSent: false };
const CASES: readonly Case[] = [
  { ...OFFLINE, title: 'a day, all fits', interval: 1 },
  { ...OFFLINE, title: 'a day, all fits', interval: 10 },
  { ...OFFLINE, title: '2.4 h, all fits', interval: 1, sync: true, seconds: DAY / 10 },
  { ...OFFLINE, title: '2.4 h, all fits', interval: 10, sync: true, seconds: DAY / 10 },
  { ...OFFLINE, title: 'a day, 8 MiB, drop-oldest', interval: 1, maxBytes: 8 * MIB },
  { ...OFFLINE, title: 'a day, 8 MiB, drop-oldest', interval: 10, maxBytes: 8 * MIB },
  { ...OFFLINE, title: '2.4 h, sent at once', interval: 1, seconds: DAY / 10, isSent: true },
  { ...OFFLINE, title: '2.4 h, sent at once', interval: 1, seconds: DAY / 10, isSent: true, sync: true },
];

/** Bytes that this process handed to write(2), and that it made the kernel write to a disk. */
function written(): { calls: number; blocks: number } {
  const text = readFileSync('/proc/self/io', 'utf8');
  const of = (field: string): number => Number(new RegExp(`^${field}: (\\d+)$`, 'm').exec(text)?.[1]);
  return { calls: of('wchar'), blocks: of('write_bytes') - of('cancelled_write_bytes') };
}

/** Without garbage: the child runs with --expose-gc. */
function residentMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / MIB;
}

async function run({ interval, sync, seconds, maxBytes, isSent }: Case): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-bench-'));
  const spool = new Spool({
    ...{
      clock: systemClock,
      log: silentLog,
      dir: join(dir, 'spool'),
      maxBytes,
      whenFull: 'drop-oldest',
      maxAgeMs: 0,
      sync,
    },
    onDrop: () => {},
  });
  const memoryBefore = residentMiB();
  const begun = performance.now();
  await spool.open();
  const openMs = performance.now() - begun;
  const openMiB = residentMiB() - memoryBefore;
  const before = written();
  for (let second = 0; second < seconds; second += interval) {
    const blocks = await spool.append([bulk('scale', PER_SECOND * interval, SIZE)], { isHandedOut: isSent });
    if (isSent) for (const { seq } of blocks) spool.done(seq);
  }
  const grownMiB = residentMiB() - memoryBefore;
  await spool.close();
  const after = written();
  const readings = seconds * PER_SECOND;
  const figures = {
    perReading: (after.calls - before.calls) / readings,
    amplification: (after.calls - before.calls) / readings / SIZE,
    blockPerReading: (after.blocks - before.blocks) / readings,
    onDisk: await folderSize(join(dir, 'spool')),
    kept: spool.messages,
    ms: performance.now() - begun,
    ...{ openMs, openMiB, grownMiB },
  };
  rmSync(dir, { recursive: true });
  return figures;
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell)).join(' | ')} |`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printTable(): void {
  const columns = [
    'case',
    'write every',
    'fsync',
    'bytes written per reading',
    'amplification',
    'to the disk per reading',
  ];
  print(row([...columns, 'folder MiB', 'took s', 'open ms', 'open MiB', 'grown MiB']));
  print(row(Array.from({ length: 11 }, () => '---')));
  for (const [index, one] of CASES.entries()) {
    const output = execFileSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), `${index}`], {
      encoding: 'utf8',
    });
    const figures = JSON.parse(output) as Figures; // written by `run` below
    const { perReading, amplification, blockPerReading, onDisk, ms, openMs, openMiB, grownMiB } = figures;
    const what = [one.title, `${one.interval} s`, one.sync ? 'yes' : 'no'];
    print(
      row([...what, perReading, amplification, blockPerReading, onDisk / MIB, ms / 1000, openMs, openMiB, grownMiB]),
    );
  }
}

const chosen = CASES[Number(process.argv[2] ?? -1)]; // none: asked for by main.ts with `--spool`, or without an argument
if (chosen === undefined) printTable();
else print(JSON.stringify(await run(chosen)));
