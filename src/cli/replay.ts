// `ferrule replay <file>`: a recording as a virtual device, on a pty, behind a port, or calling a gateway that listens.

import { resolve } from 'node:path';
import { sleep, systemClock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { builtInDriversDir, loadDriver } from '../device/load.js';
import { type LinePlace, openLine, parseLinePlace } from '../hil/line-place.js';
import { OutCheck } from '../hil/out-check.js';
import type { RecordingHeader } from '../hil/recording.js';
import { openRecording, type Recording } from '../hil/recording-reader.js';
import { type ReplayReport, replay } from '../hil/replay.js';
import type { VirtualLine } from '../hil/virtual-line.js';
import { EXIT } from './exit-codes.js';
import { untilSignal } from './until-signal.js';

export interface ReplayCommandOptions {
  readonly file: string;
  readonly cwd: string;
  /** Exactly one of these three. */
  readonly pty?: string | undefined;
  /** `[HOST:]PORT` to listen on. */
  readonly tcp?: string | undefined;
  /** `HOST:PORT` to connect to. */
  readonly connect?: string | undefined;
  /** A number above 0, or `max`. */
  readonly speed: string;
  readonly loop: boolean;
  /** Compare what the gateway writes with what was written when it was recorded. */
  readonly expect: boolean;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** What was sent last is still on its way to the gateway: the line stays open for so long, ms. */
const FAREWELL_MS = 500;
/** How long the gateway has for what it should have written by the end, ms. */
const LAST_WORDS_MS = 2000;

/** Runs the command; gives the exit code. */
export async function runReplay(options: ReplayCommandOptions): Promise<number> {
  const { err } = options;
  const place = placeIn(options);
  const speed = speedIn(options.speed);
  const trouble = usageTrouble(speed, options);
  if (typeof place === 'string' || trouble !== undefined) {
    err(typeof place === 'string' ? place : (trouble ?? ''));
    return EXIT.usage;
  }
  try {
    const recording = await openRecording(resolve(options.cwd, options.file), { onTorn: err });
    const refusal = await speedTrouble(recording.header, speed, err);
    if (refusal !== undefined) {
      err(refusal);
      return EXIT.usage;
    }
    return await untilSignal((signal) => play(recording, place, speed, options, signal));
  } catch (error) {
    if (!(error instanceof FerruleError || (error as NodeJS.ErrnoException).code !== undefined)) throw error;
    err(messageOf(error));
    return EXIT.leftovers;
  }
}

function placeIn({ pty, tcp, connect, cwd }: ReplayCommandOptions): LinePlace | string {
  if ([pty, tcp, connect].filter((given) => given !== undefined).length !== 1) {
    return 'say where the device is to be found: one of --pty PATH, --tcp [HOST:]PORT, --connect HOST:PORT';
  }
  if (pty !== undefined) return { kind: 'pty', path: resolve(cwd, pty) };
  if (tcp !== undefined) {
    const place = parseLinePlace(`tcp://${/^\d+$/.test(tcp) ? `127.0.0.1:${tcp}` : tcp}`, cwd);
    return place ?? `--tcp: expected [HOST:]PORT, got ${JSON.stringify(tcp)}`;
  }
  return parseLinePlace(`dial://${connect}`, cwd) ?? `--connect: expected HOST:PORT, got ${JSON.stringify(connect)}`;
}

function speedIn(text: string): number {
  return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
}

function usageTrouble(speed: number, { loop, expect }: ReplayCommandOptions): string | undefined {
  if (!(speed > 0)) return '--speed: expected a number above 0, or max';
  return loop && expect ? '--expect compares one run: it does not go with --loop' : undefined;
}

/** Framing by time means nothing at another speed; what depends on time in part is only told. */
async function speedTrouble(
  { framing, driver, options }: RecordingHeader,
  speed: number,
  say: (line: string) => void,
): Promise<string | undefined> {
  if (framing?.type === 'raw')
    say('framing is raw: how bytes are cut into chunks is up to the system, not to the recording');
  if (speed === 1) return undefined;
  if (framing?.type === 'silence') {
    return 'this recording has framing `silence`: pauses end its frames, so it can only be replayed with --speed 1';
  }
  const settleMs = driver === undefined ? undefined : await settleTime(driver, options);
  if (settleMs !== undefined && speed > 1) {
    say(
      `the driver ${driver} takes ${settleMs} ms of quiet for an end too; at this speed it goes by what the bytes say alone`,
    );
  }
  return undefined;
}

/** Undefined also for drivers that are not here. */
async function settleTime(name: string, options: unknown): Promise<number | undefined> {
  try {
    const driver = await loadDriver(name, { dirs: [builtInDriversDir] });
    if (driver.kind !== 'framed') return undefined;
    const { settle, settleMs } = driver.create(driver.options.parse(options ?? {}));
    return settle && settleMs;
  } catch {
    return undefined;
  }
}

async function play(
  recording: Recording,
  place: LinePlace,
  speed: number,
  { expect, loop, out, err }: ReplayCommandOptions,
  signal: AbortSignal,
): Promise<number> {
  const clock = systemClock;
  const line = await openLine(place, { clock, say: err });
  try {
    out(`${recording.header.device} at ${line.link}: waiting for the gateway`);
    const check = expect ? new OutCheck() : undefined;
    for (;;) {
      const startedAt = clock.now();
      const report = await replay({ recording, line, clock, speed, signal, ...(check && { check }) });
      await sleep(clock, FAREWELL_MS, signal);
      for (const text of summary(report, clock.now() - startedAt)) out(text);
      if (!loop || signal.aborted) break;
      if (report.isUnplugged) await line.plug();
    }
    return check === undefined || signal.aborted ? EXIT.clean : await judge(check, line, out, err);
  } finally {
    await line.close();
  }
}

function summary({ bytes, chunks, dropped, ended }: ReplayReport, ms: number): string[] {
  const how = ended === 'done' ? 'played' : 'stopped after';
  const lines = [`${how} ${chunks} chunks, ${bytes} bytes, in ${(ms / 1000).toFixed(1)} s`];
  return dropped > 0 ? [...lines, `the recording itself is missing ${dropped} bytes`] : lines;
}

async function judge(
  check: OutCheck,
  line: VirtualLine,
  out: (line: string) => void,
  err: (line: string) => void,
): Promise<number> {
  const until = systemClock.now() + LAST_WORDS_MS;
  while (!check.isEven && check.isOpen && line.isOpen !== false && systemClock.now() < until)
    await sleep(systemClock, 20);
  const difference = check.result();
  if (difference === undefined) {
    out(`the gateway wrote what it should: ${check.matched} bytes`);
    return EXIT.clean;
  }
  err(difference);
  return EXIT.leftovers;
}
