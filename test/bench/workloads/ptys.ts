// Serial devices that talk without a pause, at 115200 baud: what wake-ups cost, and how late a line is.

import path from 'node:path';
import { READINGS } from '../system.js';
import { checksOf, drained, latencyOf, measureWindow } from '../window.js';
import type { Workload } from '../workload.js';

/** `count` ptys at once. */
export function ptys(count: number): Workload {
  return {
    name: `ptys-${count}`,
    title: `${count} pty${count === 1 ? '' : 's'} at 115200 baud, in writes of 16 bytes, QoS 1`,
    needs: ['pty'],
    async run(rig) {
      const { port, receiver } = await rig.mosquitto(READINGS);
      const generator = rig.generator();
      const links = Array.from({ length: count }, (_, n) => path.join(rig.dir, `tty${n}`));
      await generator.ask('ptysOpen', links);
      const devices = links.map((link) => ({ type: 'pty', path: link }) as const);
      const sut = rig.start({ brokerPort: port, qos: 1, links: devices });
      await generator.ask('ptysOpened', undefined);
      await generator.ask('ptysPace', undefined);
      const { figures } = await measureWindow(sut, receiver, rig.seconds);
      const { sent, dropped } = await generator.ask('ptysStop', undefined);
      const lines = await drained(receiver, sent);
      return { ...figures, ...latencyOf(lines), ...checksOf(lines), droppedWrites: dropped };
    },
  };
}
