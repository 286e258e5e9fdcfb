// One TCP device that writes as fast as it is read: what a line costs when nothing else does. Against mosquitto the broker sets
// the pace; against the counting broker the system does.

import { READINGS } from '../system.js';
import { checksOf, drained, measureWindow } from '../window.js';
import type { Workload } from '../workload.js';

/** `broker`: a real one, or the one that only counts. */
export function firehose(qos: 0 | 1, broker: 'mosquitto' | 'counting'): Workload {
  return {
    name: `tcp-qos${qos}${broker === 'counting' ? '-counting' : ''}`,
    title: `TCP firehose at QoS ${qos}, against ${broker === 'counting' ? 'a broker that only counts' : 'mosquitto'}`,
    needs: ['tcp'],
    async run(rig) {
      const { port, receiver } = broker === 'counting' ? await rig.countingBroker() : await rig.mosquitto(READINGS);
      const generator = rig.generator();
      const device = await generator.ask('hoseListen', undefined);
      const sut = rig.start({ brokerPort: port, qos, links: [{ type: 'tcp', port: device }] });
      await generator.ask('hoseConnected', undefined);
      await generator.ask('hoseOpen', undefined);
      const figures = await measureWindow(sut, receiver, rig.seconds);
      const sent = await generator.ask('hoseStop', undefined);
      return { ...figures, ...checksOf(await drained(receiver, sent)) };
    },
  };
}
