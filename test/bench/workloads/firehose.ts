// One TCP device that writes as fast as it is read: what a line costs when nothing else does. Against mosquitto the broker sets
// the pace; against the counting broker the system does. mosquitto takes 20 unacknowledged messages of an MQTT 5 client as it comes, and more if told to;
// MQTT 3.1.1 knows no such limit.

import { type BenchRig, pass } from '../bench-rig.js';
import type { Generator } from '../generator.js';
import { costOf } from '../process-cost.js';
import type { Receiver } from '../receiver.js';
import type { RoleProcess } from '../role-process.js';
import { READINGS } from '../system.js';
import { checksOf, drained, measureWindow } from '../window.js';
import type { Workload } from '../workload.js';

/** Time in which a system that is connected to its device connects to its broker too. */
const READY_MS = 1500;

/** How far the device may be ahead of the subscriber: a peer that reads without a limit would take gigabytes. */
const LEAD_LINES = 300_000;
const LOOK_MS = 100;

/** A broker to send to. */
interface Target {
  /** At the end of the workload's name. */
  readonly suffix: string;
  readonly words: string;
  readonly protocol?: 4;
  start(rig: BenchRig): Promise<{ readonly port: number; readonly receiver: Receiver }>;
}

const TARGETS = {
  mosquitto: { suffix: '', words: 'mosquitto', start: (rig) => rig.mosquitto(READINGS) },
  v4: {
    suffix: '-v4',
    words: 'mosquitto over MQTT 3.1.1, which the other systems speak anyhow',
    protocol: 4,
    start: (rig) => rig.mosquitto(READINGS),
  },
  wide: {
    suffix: '-wide',
    words: 'mosquitto with a wide window',
    start: (rig) => rig.mosquitto(READINGS, 'max_inflight_messages 1000'),
  },
  counting: { suffix: '-counting', words: 'a broker that only counts', start: (rig) => rig.countingBroker() },
} satisfies Record<string, Target>;

/** `broker`: a real one, as it comes, over MQTT 3.1.1 or with a wide window, or the one that only counts. */
export function firehose(qos: 0 | 1, broker: keyof typeof TARGETS): Workload {
  const { suffix, words, start, protocol }: Target = TARGETS[broker];
  return {
    name: `tcp-qos${qos}${suffix}`,
    title: `TCP firehose at QoS ${qos}, against ${words}`,
    needs: ['tcp'],
    async run(rig) {
      const { port, receiver } = await start(rig);
      const generator = rig.generator();
      const device = await generator.ask('hoseListen', undefined);
      const sut = rig.start({
        brokerPort: port,
        qos,
        links: [{ type: 'tcp', port: device }],
        ...(protocol && { protocol }),
      });
      await generator.ask('hoseConnected', undefined);
      await pass(READY_MS); // what a system reads before it has a broker is measured by `start`, not here
      await generator.ask('hoseLimit', LEAD_LINES);
      await generator.ask('hoseOpen', undefined);
      const leash = setInterval(() => void holdBack(generator, receiver).catch(() => {}), LOOK_MS); // its end is told below
      const { figures, since } = await measureWindow(sut, receiver, rig.seconds).finally(() => clearInterval(leash));
      const sent = await generator.ask('hoseStop', undefined);
      const lines = await drained(receiver, sent);
      // Until the last line has arrived: some read far ahead of what they pass on, and pay for it later.
      const cpuPerLineUs = ((costOf(sut.pid).cpuMs - since.cpuMs) * 1000) / (lines.received - since.lines);
      return { ...figures, cpuPerLineUs, ...checksOf(lines) };
    },
  };
}

async function holdBack(generator: RoleProcess<Generator>, receiver: Receiver): Promise<void> {
  await generator.ask('hoseLimit', (await receiver.received()) + LEAD_LINES);
}
