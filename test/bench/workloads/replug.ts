// A serial device that is pulled and comes back under its old name: from the moment at which it is there to its first line at the
// subscriber. It talks all the time, so no time is lost on its side.

import path from 'node:path';
import { pass } from '../bench-rig.js';
import { median } from '../median.js';
import { monotonicUs } from '../stamped-line.js';
import { READINGS } from '../system.js';
import { firstLine } from '../window.js';
import type { Workload } from '../workload.js';

const TALK_MS = 2;
const THERE_MS = 500;
/** At least; then longer by a part of this from round to round, so that a peer that looks once a second meets no lucky moment. */
const AWAY_MS = 1000;
const LIMIT_MS = 30_000;

export const replug: Workload = {
  name: 'replug',
  title: 'a pty that comes back after a second or two: time to its first line',
  needs: ['pty', 'replug'],
  async run(rig) {
    const { port, sink, receiver } = await rig.mosquitto(READINGS);
    const generator = rig.generator();
    const link = path.join(rig.dir, 'tty0');
    await generator.ask('ptysOpen', [link]);
    const sut = rig.start({ brokerPort: port, qos: 1, links: [{ type: 'pty', path: link }] });
    await generator.ask('ptysTalk', TALK_MS);
    await firstLine(sut, receiver);
    const times: number[] = [];
    const rounds = Math.max(4, Math.min(10, rig.seconds));
    for (let round = 0; round < rounds; round += 1) {
      await pass(THERE_MS);
      await generator.ask('ptyUnplug', 0);
      await pass(AWAY_MS * (1 + round / rounds));
      const first = sink.ask('firstSince', { us: monotonicUs(), withinMs: LIMIT_MS });
      const pluggedUs = await generator.ask('ptyPlug', 0);
      times.push(((await first) - pluggedUs) / 1000);
    }
    return { replugMs: median(times), worstMs: Math.max(...times), rounds: times.length };
  },
};
