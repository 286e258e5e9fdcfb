// What the bench can do at most on this machine, in the same run: figures of a system that come near are the bench's, not the
// system's. Lines per second of the generator into a reader that forgets, of the two receivers fed with packed packets, and of
// mosquitto between them; and how late lines are that come as slowly as those of eight serial ports, with no gateway in between.

import { type BenchRig, pass } from './bench-rig.js';
import type { Ceiling } from './ceiling.js';
import type { Receiver } from './receiver.js';
import { READINGS } from './system.js';
import { drained, latencyOf } from './window.js';
import type { Figures } from './workload.js';

const WARM_UP_MS = 500;
/** Eight ports at 115200 baud. */
const SERIAL_LINES_PER_SECOND = 1440;

export async function measureCeilings(rig: BenchRig): Promise<Figures> {
  const generatorLinesPerSecond = await generatorCeiling(rig);
  const counting = await rig.countingBroker();
  const counted = await receiverCeiling(rig, counting.port, counting.receiver);
  const { port, receiver } = await rig.mosquitto(READINGS);
  const subscribed = await receiverCeiling(rig, port, receiver);
  const paced = await latencyFloor(rig);
  return {
    ...latencyOf(paced),
    generatorLinesPerSecond,
    countingBrokerLinesPerSecond: counted.linesPerSecond,
    mosquittoAndSinkLinesPerSecond: subscribed.linesPerSecond,
    lost: counted.lost + subscribed.lost + paced.lost,
  };
}

async function generatorCeiling(rig: BenchRig): Promise<number> {
  const generator = rig.generator();
  const ceiling = rig.role<Ceiling>('ceiling');
  await ceiling.ask('discard', await generator.ask('hoseListen', undefined));
  await generator.ask('hoseConnected', undefined);
  await generator.ask('hoseOpen', undefined);
  const lines = await perSecond(rig.seconds, () => ceiling.ask('linesRead', undefined));
  await generator.ask('hoseStop', undefined);
  return lines;
}

async function receiverCeiling(rig: BenchRig, port: number, receiver: Receiver) {
  const ceiling = rig.role<Ceiling>('ceiling');
  await ceiling.ask('blast', port);
  const linesPerSecond = await perSecond(rig.seconds, () => receiver.received());
  const { lost } = await drained(receiver, await ceiling.ask('stop', undefined));
  ceiling.stop();
  return { linesPerSecond, lost };
}

async function latencyFloor(rig: BenchRig) {
  const { port, receiver } = await rig.mosquitto(READINGS);
  const ceiling = rig.role<Ceiling>('ceiling');
  await ceiling.ask('trickle', { port, linesPerSecond: SERIAL_LINES_PER_SECOND });
  await pass(WARM_UP_MS);
  await receiver.restartLatency();
  await pass(rig.seconds * 1000);
  const figures = await drained(receiver, await ceiling.ask('stop', undefined));
  ceiling.stop();
  return figures;
}

async function perSecond(seconds: number, count: () => Promise<number>): Promise<number> {
  await pass(WARM_UP_MS);
  const [before, begun] = [await count(), performance.now()];
  await pass(seconds * 1000);
  return (((await count()) - before) * 1000) / (performance.now() - begun);
}
