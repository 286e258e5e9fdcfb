// Many TCP devices that call a listener and say one line per second each: what a connection costs in memory and in processor time.
// Memory per connection counts from the same system with none; the bare `net` server tells what of it is Node's own.

import { eventually } from '../../support/eventually.js';
import { accepts, freePort } from '../../support/mosquitto.js';
import { type BenchRig, pass } from '../bench-rig.js';
import type { Generator } from '../generator.js';
import { costOf } from '../process-cost.js';
import type { RoleProcess } from '../role-process.js';
import { LISTENED } from '../system.js';
import { checksOf, drained, latencyOf, measureWindow } from '../window.js';
import type { Figures, Workload } from '../workload.js';

const SETTLE_MS = 2000;
/** What a process has open besides its connections. */
const OTHER_DESCRIPTORS = 100;

/** `count` connections at once. */
export function connections(count: number): Workload {
  return {
    name: `connections-${count}`,
    title: `${count} TCP connections at 1 line/s each, QoS 1`,
    needs: ['listen'],
    descriptors: count + OTHER_DESCRIPTORS,
    async run(rig) {
      const { port, receiver } = await rig.mosquitto(LISTENED);
      const { sut, generator, idleMiB } = await connectAll(rig, port, count);
      const { figures } = await measureWindow(sut, receiver, rig.seconds);
      const { sent, lost } = await generator.ask('crowdStop', undefined);
      const lines = await drained(receiver, sent);
      const kibPerConnection = ((figures.pssMiB ?? Number.NaN) - idleMiB) * (1024 / count);
      await generator.ask('crowdClose', undefined);
      return { ...figures, ...latencyOf(lines), ...checksOf(lines), connectionsLost: lost, idleMiB, kibPerConnection };
    },
  };
}

/** The same, of a server that only reads. */
export async function bareConnections(rig: BenchRig, count: number): Promise<Figures> {
  const { sut, generator, idleMiB } = await connectAll(rig, 0, count);
  await pass(SETTLE_MS + rig.seconds * 1000);
  const { pssMiB } = costOf(sut.pid);
  await generator.ask('crowdClose', undefined);
  return { pssMiB, idleMiB, kibPerConnection: ((pssMiB - idleMiB) * 1024) / count };
}

async function connectAll(rig: BenchRig, brokerPort: number, count: number) {
  const generator: RoleProcess<Generator> = rig.generator();
  const port = await freePort();
  const sut = rig.start({ brokerPort, qos: 1, links: [], listen: { port, connections: count + 1 } });
  await eventually(() => accepts(port), 'the listener', 20_000);
  await pass(SETTLE_MS);
  const idleMiB = costOf(sut.pid).pssMiB;
  await generator.ask('crowdConnect', { port, count });
  await generator.ask('crowdTalk', undefined);
  return { sut, generator, idleMiB };
}
