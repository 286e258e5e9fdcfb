// From the start of the process to the first line at the subscriber, with eight serial devices that talk all the time; and then,
// the devices being quiet, what an idle gateway takes. Beside it, as the floor of that moment: a Node that has nothing to do.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { type BenchRig, type BrokerAndSink, pass } from '../bench-rig.js';
import type { Generator } from '../generator.js';
import { median } from '../median.js';
import { costOf } from '../process-cost.js';
import type { RoleProcess } from '../role-process.js';
import { monotonicUs } from '../stamped-line.js';
import type { SutProcess } from '../sut-process.js';
import { type DeviceLink, READINGS } from '../system.js';
import type { Figures, Workload } from '../workload.js';

const DEVICES = 8;
const RUNS = 5;
const TALK_MS = 10;
const LIMIT_MS = 30_000;
/** Until the heap has settled: V8 looks over it once more some 8 s after a process has become quiet. */
const SETTLE_MS = 12_000;
const STOP_MS = 10_000;

export const start: Workload = {
  name: 'start',
  title: `start to first line with ${DEVICES} ptys (median of ${RUNS}), then memory and wake-ups while idle`,
  needs: ['pty'],
  async run(rig) {
    const broker = await rig.mosquitto(READINGS);
    const generator = rig.generator();
    const paths = Array.from({ length: DEVICES }, (_, n) => path.join(rig.dir, `tty${n}`));
    await generator.ask('ptysOpen', paths);
    const links = paths.map((each) => ({ type: 'pty', path: each }) as const);
    const times: number[] = [];
    const floors: number[] = [];
    for (let run = 1; run < RUNS; run += 1) {
      floors.push(await emptyNodeMs());
      const { sut, ms } = await startOnce(rig, broker, generator, links);
      times.push(ms);
      await sut.stop(STOP_MS);
    }
    floors.push(await emptyNodeMs());
    const { sut, ms } = await startOnce(rig, broker, generator, links);
    const startMs = median([...times, ms]);
    const atRest = await idle(sut, rig.seconds);
    const { doubled, outOfOrder, damaged } = await broker.receiver.figures(new Map()); // lines that nobody read are no loss
    const emptyNode = { emptyNodeMs: median(floors) };
    return { startMs, worstStartMs: Math.max(...times, ms), ...emptyNode, ...atRest, doubled, outOfOrder, damaged };
  },
};

async function startOnce(
  rig: BenchRig,
  { port, sink }: BrokerAndSink,
  generator: RoleProcess<Generator>,
  links: readonly DeviceLink[],
): Promise<{ sut: SutProcess; ms: number }> {
  await generator.ask('ptysTalk', TALK_MS);
  const begunUs = monotonicUs();
  const first = sink.ask('firstSince', { us: begunUs, withinMs: LIMIT_MS });
  const sut = rig.start({ brokerPort: port, qos: 1, links });
  const ms = ((await first) - begunUs) / 1000;
  await generator.ask('ptysStop', undefined);
  return { sut, ms };
}

/** From start to end. */
async function emptyNodeMs(): Promise<number> {
  const begunUs = monotonicUs();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return (monotonicUs() - begunUs) / 1000;
}

async function idle(sut: SutProcess, seconds: number): Promise<Figures> {
  await pass(SETTLE_MS);
  const before = costOf(sut.pid);
  await pass(seconds * 1000);
  const after = costOf(sut.pid);
  return {
    idlePssMiB: after.pssMiB,
    idleWakeUpsPerSecond: (after.sleeps - before.sleeps) / seconds,
    idleCpuPercent: (after.cpuMs - before.cpuMs) / (10 * seconds),
  };
}
