// An Arduino with the real StandardFirmata, simulated, driven by johnny-five in a real gateway: what the driver promises of a board,
// from the pin to the topic and back, and over many unplugs. Written as a user would, with nothing but `ferrule/hil`.

import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { type Rig, type RigBoard, rig, standardFirmataHex } from 'ferrule/hil';
import { eventually } from '../support/eventually.js';
import { fairStopwatch } from '../support/fair-stopwatch.js';
import { openFiles } from '../support/process-figures.js';
import { allowForSoak, isSoak, repeats } from '../support/soak.js';

/** On a loaded machine the chip runs slower than real time. */
const SOON_MS = 20_000;

const UNPLUGS = repeats(5, 50);
/** The first ones load and warm up. */
const WARM_UP = 2;
const UP_WITHIN_MS = 3000;
const READING_WITHIN_MS = 200;
const OFFLINE_WITHIN_MS = 1000;
const MAX_GROWTH_MIB = 50;
const LED_BIT = 1 << 5; // pin 13 is PB5

const boardTest = standardFirmataHex() === undefined ? test.skip : test.serial;

const config = {
  devices: {
    uno: {
      driver: 'johnny-five',
      options: { components: { led: { type: 'led', pin: 13 }, light: { type: 'sensor', pin: 'A0', sample_ms: 20 } } },
      reconnect: { first: 50, max: 200 },
    },
    scale: { driver: 'lines' },
  },
};

async function rigFor(t: ExecutionContext): Promise<Rig> {
  const bench = await rig({ config });
  t.teardown(() => bench.stop());
  return bench;
}

/** Sets the LED and waits until the chip shows it. */
async function setLed(bench: Rig, uno: RigBoard, state: 'on' | 'off'): Promise<void> {
  await bench.publish('uno/set/led', { state });
  await uno.expectPin(13, state === 'on' ? 'high' : 'low', SOON_MS);
}

boardTest('a board is up in under 3 s, its LED can be set, and its sensor is heard within 200 ms', async (t) => {
  const bench = await rigFor(t);
  const up = fairStopwatch(process.pid, bench.pid);
  const uno = await bench.avr('uno', { withinMs: 30_000 });
  const upMs = up();
  t.true(upMs < UP_WITHIN_MS, `up after ${upMs} ms`);

  await setLed(bench, uno, 'on');
  t.is(uno.chip.port('B') & LED_BIT, LED_BIT);
  await setLed(bench, uno, 'off');
  t.is(uno.chip.port('B') & LED_BIT, 0);

  const tookMs: number[] = [];
  for (const volts of [2.5, 1, 4, 0.5, 3]) {
    const raw = Math.round((volts / 5) * 1023);
    const read = fairStopwatch(process.pid, bench.pid);
    uno.chip.setAnalog(0, volts);
    await bench.expect('uno', { light: (value: number) => Math.abs(value - raw) <= 2 }, 2000);
    tookMs.push(read());
  }
  const median = tookMs.toSorted((one, other) => one - other)[2] ?? 0;
  t.true(median < READING_WITHIN_MS, `a reading took ${tookMs.join(', ')} ms`);
  t.log(`up after ${upMs} ms; a change of A0 took ${tookMs.join(', ')} ms to its reading`);
});

boardTest(
  `${UNPLUGS} unplugs: offline within 1 s, online and settable again, nothing leaks, the scale goes on`,
  async (t) => {
    allowForSoak(t);
    t.timeout(isSoak ? 15 * 60_000 : 120_000);
    const bench = await rigFor(t);
    const scale = await bench.serial('scale');
    const uno = await bench.avr('uno', { withinMs: 30_000 });
    let sent = 0;
    const came: number[] = [];
    bench.onMessage(({ topic, text }) => {
      if (topic === 'scale') came.push(Number(text));
    });
    scale.play({ everyMs: 20, next: () => `${sent++}\n` });

    const offline: number[] = [];
    const online: number[] = [];
    let before = await figures(bench.pid);
    for (let unplug = 0; unplug < UNPLUGS; unplug += 1) {
      if (unplug === WARM_UP) before = await figures(bench.pid);
      const pulled = fairStopwatch(process.pid, bench.pid);
      await uno.unplug();
      await bench.expect('uno/availability', { state: 'offline' }, SOON_MS);
      offline.push(pulled());
      const pluggedAt = performance.now();
      await uno.replug();
      await bench.expect('uno/availability', { state: 'online' }, 60_000); // 2 s, unless others have the processors
      online.push(Math.round(performance.now() - pluggedAt));
      await setLed(bench, uno, 'on');
    }
    t.log(`offline after ${offline.join(', ')} ms; online after ${online.join(', ')} ms`);
    t.true(Math.max(...offline) < OFFLINE_WITHIN_MS, `offline after ${offline.join(', ')} ms`);
    let after = await figures(bench.pid);
    const isAsBefore = async (): Promise<boolean> => {
      after = await figures(bench.pid);
      return after.threads <= before.threads && after.files <= before.files;
    };
    await eventually(isAsBefore, `no more files and threads than ${JSON.stringify(before)}`);
    t.log('figures before and after', before, after);
    t.true(after.mib - before.mib < MAX_GROWTH_MIB, `${before.mib} MiB, then ${after.mib}`);

    scale.hush();
    await bench.expect('scale', String(sent - 1));
    t.deepEqual(
      came,
      Array.from({ length: sent }, (_, i) => i),
    );
    t.is((await bench.state('uno')).state, 'online');
  },
);

/** What the gateway's process holds. */
async function figures(pid: number): Promise<{ files: number; threads: number; mib: number }> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    files: await openFiles(pid),
    threads: field('Threads'),
    mib: Math.round(field('VmRSS') / 1024),
  };
}
