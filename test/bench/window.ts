// The measured part of a workload with a steady stream: what the system under test takes while the lines pass, after a warm-up; and
// the wait until the last of them have arrived.

import { pass } from './bench-rig.js';
import type { LineFigures } from './line-check.js';
import { costOf } from './process-cost.js';
import type { Receiver } from './receiver.js';
import type { SutProcess } from './sut-process.js';
import type { Figures } from './workload.js';

const WARM_UP_MS = 1500;
const LOOK_MS = 50;
/** Nothing has arrived for so long: nothing will. */
const QUIET_MS = 2000;
/** Longest wait for a system that has read far more than it could pass on: what has not come by then counts as lost. */
const DRAIN_LIMIT_MS = 20_000;
const FIRST_LINE_MS = 15_000;

/** What a measured part says, and what had been spent and had arrived when it began. */
export interface Window {
  readonly figures: Figures;
  readonly since: { readonly cpuMs: number; readonly lines: number };
}

/** Costs per second and per line, over `seconds`. */
export async function measureWindow(sut: SutProcess, receiver: Receiver, seconds: number): Promise<Window> {
  await firstLine(sut, receiver);
  await pass(WARM_UP_MS);
  await receiver.restartLatency();
  const [before, linesBefore, begun] = [costOf(sut.pid), await receiver.received(), performance.now()];
  await pass(seconds * 1000);
  const [after, lines, took] = [costOf(sut.pid), await receiver.received(), performance.now() - begun];
  if (!sut.isRunning) throw new Error('the system under test has ended in the middle');
  const cpuMs = after.cpuMs - before.cpuMs;
  const figures = {
    linesPerSecond: ((lines - linesBefore) * 1000) / took,
    cpuPerLineUs: (cpuMs * 1000) / (lines - linesBefore),
    cpuPercent: (100 * cpuMs) / took,
    wakeUpsPerSecond: ((after.sleeps - before.sleeps) * 1000) / took,
    pssMiB: after.pssMiB,
    peakRssMiB: after.peakRssMiB,
  };
  return { figures, since: { cpuMs: before.cpuMs, lines: linesBefore } };
}

/** Resolves with the first line; rejects when there is none, or nobody left to send it. */
export async function firstLine(sut: SutProcess, receiver: Receiver): Promise<void> {
  const deadline = performance.now() + FIRST_LINE_MS;
  while ((await receiver.received()) === 0) {
    if (!sut.isRunning) throw new Error('the system under test has ended before its first line');
    if (performance.now() > deadline) throw new Error(`no line in ${FIRST_LINE_MS} ms`);
    await pass(LOOK_MS);
  }
}

/** Waits until all lines that were sent are there, or no more come; then what they say. */
export async function drained(receiver: Receiver, sent: ReadonlyMap<number, number>): Promise<LineFigures> {
  const total = [...sent.values()].reduce((sum, count) => sum + count, 0);
  const deadline = performance.now() + DRAIN_LIMIT_MS;
  let [last, since] = [-1, performance.now()];
  for (let count = await receiver.received(); count < total; count = await receiver.received()) {
    if (count !== last) [last, since] = [count, performance.now()];
    if (performance.now() - since > QUIET_MS || performance.now() > deadline) break;
    await pass(LOOK_MS);
  }
  return receiver.figures(sent);
}

/** The checks of a run, for the table. */
export function checksOf({ received, lost, doubled, outOfOrder, damaged }: LineFigures): Figures {
  return { received, lost, doubled, outOfOrder, damaged };
}

/** Its latencies, for the table. */
export function latencyOf({ latency: { p50Ms, p99Ms, p999Ms, maxMs } }: Pick<LineFigures, 'latency'>): Figures {
  return { p50Ms, p99Ms, p999Ms, maxMs };
}
