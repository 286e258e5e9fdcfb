// A serial device that is pulled and plugged in again, over and over, under load. The gateway must be back each time, must
// neither leak nor park it, and the device beside it must not notice.

import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { openPty } from '../../src/hil/pty.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { folderFor } from '../support/ferrule-command.js';
import { openFiles, residentMiB } from '../support/process-figures.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { allowForSoak, repeats } from '../support/soak.js';
import type { Subscriber } from '../support/subscriber.js';
import { describeDelays, startTimedNeighbour } from '../support/timed-neighbour.js';

const REPLUGS = repeats(60, 1000);
/** What the first replugs load and warm up is no growth. */
const WARM_UP = 10;
const FLOOR_MS = 1000;
/** A device under load: a line every 2 ms, in bursts of the length of a plug. */
const LINE_EVERY_MS = 2;
const LONGEST_AWAY_MS = 60;
const MAX_GROWTH_MIB = 40;
/** A loop that waited for a port would stand still at every plug: half of the lines would show it, however busy the machine. */
const MAX_EXTRA_DELAY_MS = 50;
/** What is the machine's is taken off a single line's delay, as far as the kernel tells. */
const MAX_SINGLE_DELAY_MS = 1000;
/** A plug that leaked a file would leak many. */
const MAX_EXTRA_FILES = 3;
const BASE = 'ferrule/e2e';

/** Plugs the device in, talks until the gateway hears it and a little longer, and pulls it in the midst of a line. */
async function plugOnce(subscriber: Subscriber, link: string, plug: number, talkMs: number): Promise<number> {
  const pluggedAt = performance.now();
  const pty = await openPty({ link });
  let line = 0;
  const talk = setInterval(() => void pty.write(`plug ${plug} line ${line++}\n`), LINE_EVERY_MS);
  try {
    await eventually(() => heardOf(subscriber, plug), `plug ${plug} to be heard`);
    const tookMs = performance.now() - pluggedAt;
    await pause(talkMs);
    void pty.write(`plug ${plug} hal`);
    return tookMs;
  } finally {
    clearInterval(talk);
    await pty.unplug();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function heardOf(subscriber: Subscriber, plug: number): boolean {
  const last = subscriber.on(`${BASE}/scale`).at(-1)?.payload.toString() ?? '';
  return last.startsWith(`plug ${plug} line `);
}

function percentile(values: readonly number[], share: number): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0);
}

async function startRig(t: ExecutionContext) {
  const link = path.join(folderFor(t), 'by-id-scale');
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const neighbour = await startTimedNeighbour(t, subscriber, `${BASE}/neighbour`);
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: { scale: { driver: 'lines', link: `serial:${link}` }, neighbour: neighbour.config },
    },
  });
  await neighbour.talk(gateway.pid, broker.pid);
  return { link, subscriber, neighbour, gateway };
}

brokerTest(
  `a pty unplugged and replugged ${REPLUGS} times under load is back each time, leaks nothing, and its neighbour loses and notices nothing`,
  async (t) => {
    allowForSoak(t);
    t.log(`FERRULE_TEST_SEED=${SEED}; FERRULE_SOAK=1 for 1000`);
    const random = seededRandom(SEED);
    const { link, subscriber, neighbour, gateway } = await startRig(t);
    await plugOnce(subscriber, link, 0, 0); // loads the serial binding
    const quietFrom = neighbour.lines;
    await pause(FLOOR_MS);
    const quietTo = neighbour.lines;

    const took: number[] = [];
    const figures = async (): Promise<{ files: number; memory: number }> => ({
      files: await openFiles(gateway.pid),
      memory: residentMiB(gateway.pid),
    });
    const memory: number[] = [];
    let first = await figures();
    for (let plug = 1; plug <= REPLUGS; plug += 1) {
      await pause(random() < 0.5 ? 0 : random() * LONGEST_AWAY_MS); // also back before its loss is noticed
      took.push(await plugOnce(subscriber, link, plug, random() * 20));
      if (plug % (REPLUGS / 10) === 0) memory.push(residentMiB(gateway.pid));
      if (plug === WARM_UP) first = await settledFigures(gateway, figures);
    }
    const last = await settledFigures(gateway, figures);
    const loadTo = neighbour.lines;
    await neighbour.finish();

    t.log(
      `from plug to first line: p50 ${percentile(took, 0.5)}, p99 ${percentile(took, 0.99)}, max ${percentile(took, 1 - 1e-9)} ms`,
    );
    t.log(
      `open files ${first.files} -> ${last.files}, VmRSS ${first.memory} -> ${last.memory} MiB (${memory.join(' ')})`,
    );
    const [floor, loaded] = [neighbour.delays(quietFrom, quietTo), neighbour.delays(quietTo, loadTo)];
    t.log(`delay of the neighbour at rest: ${describeDelays(floor)}`);
    t.log(
      `delay of the neighbour meanwhile: ${describeDelays(loaded)}; this process stood still for up to ${neighbour.stalls.longest.toFixed(0)} ms`,
    );
    neighbour.mustBeWhole(t);
    t.true(loaded.p50 - floor.p50 < MAX_EXTRA_DELAY_MS, describeDelays(loaded));
    t.true(loaded.maxOwn < MAX_SINGLE_DELAY_MS, describeDelays(loaded));
    t.true(last.files <= first.files + MAX_EXTRA_FILES, `open files ${first.files} -> ${last.files}`);
    t.true(last.memory - first.memory < MAX_GROWTH_MIB, `VmRSS ${first.memory} -> ${last.memory} MiB`);
    t.deepEqual(
      gateway.log.filter(({ msg, level }) => msg.includes('parked') || level === 'error'),
      [],
      'never parked, no error',
    );
  },
);

/** Between two plugs, so that the port itself does not count. */
async function settledFigures<Figures>(
  gateway: { readonly log: readonly { readonly group?: string; readonly msg: string }[] },
  figures: () => Promise<Figures>,
): Promise<Figures> {
  const isAway = (): boolean =>
    gateway.log.findLast(({ group }) => group === 'scale')?.msg.startsWith('online') !== true;
  await eventually(isAway, 'the gateway to notice that the device is gone');
  await pause(200); // the failed attempt and the watch that follow
  return figures();
}
