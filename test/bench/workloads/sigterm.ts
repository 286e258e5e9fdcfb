// SIGTERM in the middle of 60,000 lines a second: what was read is delivered, or it is lost.
//
// What was read is not asked of the system, but taken from outside: it is stopped in its tracks (SIGSTOP), the device says no more,
// and what the kernel has taken from the device, less what it still holds for the system, has been read. Then it goes on with a
// SIGTERM waiting for it.

import { pass } from '../bench-rig.js';
import { STAMPED_BYTES } from '../stamped-line.js';
import { READINGS } from '../system.js';
import { queuedBetween } from '../tcp-queues.js';
import { drained, firstLine } from '../window.js';
import type { Workload } from '../workload.js';

const LINES_PER_SECOND = 60_000;
/** As in the firehose. */
const READY_MS = 1500;
const SETTLE_MS = 200;
/** Of a gateway that ends in order. */
const END_LIMIT_MS = 20_000;

export const sigterm: Workload = {
  name: 'sigterm',
  title: 'SIGTERM at 60,000 lines/s, QoS 1: lines that were read and did not arrive',
  needs: ['tcp'],
  async run(rig) {
    const { port, receiver } = await rig.mosquitto(READINGS);
    const generator = rig.generator();
    const device = await generator.ask('hoseListen', undefined);
    const sut = rig.start({ brokerPort: port, qos: 1, links: [{ type: 'tcp', port: device }] });
    await generator.ask('hoseConnected', undefined);
    await pass(READY_MS);
    await generator.ask('hosePace', LINES_PER_SECOND);
    await firstLine(sut, receiver);
    await pass(rig.seconds * 1000);
    sut.signal('SIGSTOP');
    await generator.ask('hoseStop', undefined);
    await pass(SETTLE_MS);
    const taken = await generator.ask('hoseTaken', undefined);
    const read = Math.floor((taken.bytes - queuedBetween(taken.localPort, taken.remotePort)) / STAMPED_BYTES);
    const arrivedBefore = await receiver.received();
    const begun = performance.now();
    sut.signal('SIGTERM');
    sut.signal('SIGCONT');
    const end = await Promise.race([sut.ended, pass(END_LIMIT_MS)]);
    const exitMs = performance.now() - begun;
    const { lost, doubled, outOfOrder, damaged } = await drained(receiver, new Map([[0, read]]));
    const backlog = read - arrivedBefore;
    // Numbers below `read` that did not come, and holes above it, if the system went on reading.
    return {
      read,
      backlog,
      undelivered: lost,
      exitMs,
      exitCode: end?.code ?? Number.NaN,
      doubled,
      outOfOrder,
      damaged,
    };
  },
};
