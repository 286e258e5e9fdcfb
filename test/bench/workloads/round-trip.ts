// A command and its answer: published to mosquitto, through the system to the device, which sends it back as a line, and out again.
// One at a time.

import path from 'node:path';
import { type BenchRig, pass } from '../bench-rig.js';
import type { RoleProcess } from '../role-process.js';
import type { Sink } from '../sink.js';
import { commandTopicOf, type DeviceLink, READINGS } from '../system.js';
import { latencyOf } from '../window.js';
import type { Workload } from '../workload.js';

/** Between an answer and the next command. A serial line at 115200 baud is busy with a command of 64 bytes for 5.6 ms. */
const EVERY_MS = { tcp: 4, pty: 12 };
const WARM_UP = 100;
const READY_LIMIT_MS = 15_000;

/** Over a TCP device, or a pty. */
export function roundTrip(kind: DeviceLink['type']): Workload {
  return {
    name: kind === 'tcp' ? 'round-trip' : 'round-trip-pty',
    title: `command round trip over a ${kind === 'tcp' ? 'TCP device' : 'pty'}, one at a time`,
    needs: [kind, 'commands'],
    async run(rig) {
      const { port, sink, receiver } = await rig.mosquitto(READINGS);
      await echoingDevice(rig, kind, port);
      const topic = commandTopicOf(0);
      const everyMs = EVERY_MS[kind];
      const first = await untilAnswered(sink, topic);
      await sink.ask('roundTrips', { topic, count: WARM_UP, everyMs, first });
      await receiver.restartLatency();
      const count = Math.ceil((rig.seconds * 1000) / (everyMs + 2));
      const unanswered = await sink.ask('roundTrips', { topic, count, everyMs, first: first + WARM_UP });
      const { latency, doubled, damaged } = await receiver.figures(new Map());
      return { ...latencyOf({ latency }), roundTrips: latency.count, unanswered, doubled, damaged };
    },
  };
}

async function echoingDevice(rig: BenchRig, kind: DeviceLink['type'], brokerPort: number): Promise<void> {
  const generator = rig.generator();
  if (kind === 'tcp') {
    const link = { type: 'tcp', port: await generator.ask('hoseListen', undefined) } as const;
    rig.start({ brokerPort, qos: 1, links: [link], hasCommands: true });
    await generator.ask('hoseConnected', undefined);
    await generator.ask('hoseEcho', undefined);
    return;
  }
  const link = { type: 'pty', path: path.join(rig.dir, 'tty0') } as const;
  await generator.ask('ptysOpen', [link.path]);
  await generator.ask('ptysEcho', undefined);
  rig.start({ brokerPort, qos: 1, links: [link], hasCommands: true });
  await generator.ask('ptysOpened', undefined);
}

/** Sends commands until one is answered; gives the number of the next. */
async function untilAnswered(sink: RoleProcess<Sink>, topic: string): Promise<number> {
  const deadline = performance.now() + READY_LIMIT_MS;
  for (let first = 0; performance.now() < deadline; first += 1) {
    if ((await sink.ask('roundTrips', { topic, count: 1, everyMs: 0, first, withinMs: 200 })) === 0) return first + 1;
    await pass(20);
  }
  throw new Error(`no command was answered in ${READY_LIMIT_MS} ms`);
}
