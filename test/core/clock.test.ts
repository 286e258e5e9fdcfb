import { getEventListeners } from 'node:events';
import test from 'ava';
import { sleep, systemClock } from '../../src/core/clock.js';
import { FakeClock } from '../support/fake-clock.js';

test('sleep resolves when its time is over and leaves no listener', async (t) => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const slept = sleep(clock, 100, stop.signal);
  await clock.advance(99);
  t.is(clock.pending, 1);
  await clock.advance(1);
  t.is(await slept, 'elapsed');
  t.is(getEventListeners(stop.signal, 'abort').length, 0);
});

test('sleep ends at once on abort and leaves no timer', async (t) => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const slept = sleep(clock, 100, stop.signal);
  stop.abort();
  t.is(await slept, 'aborted');
  t.is(clock.pending, 0);
  t.is(await sleep(clock, 100, stop.signal), 'aborted');
  t.is(clock.pending, 0);
});

test('the system clock does not fire a wait of years at once', async (t) => {
  let fired = false;
  const timer = systemClock.after(365 * 86_400_000, () => {
    fired = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  timer.cancel();
  t.false(fired);
});

test('the fake clock fires timers in the order of their time and lets promises run between them', async (t) => {
  const clock = new FakeClock({ start: 1000 });
  const seen: string[] = [];
  clock.after(20, () => seen.push(`second at ${clock.wall()}`));
  clock.after(10, () => {
    seen.push(`first at ${clock.wall()}`);
    void Promise.resolve().then(() => clock.after(5, () => seen.push(`between at ${clock.wall()}`)));
  });
  clock.after(15, () => seen.push('never')).cancel();
  await clock.advance(30);
  t.deepEqual(seen, ['first at 1010', 'between at 1015', 'second at 1020']);
  t.is(clock.now(), 30);
});
