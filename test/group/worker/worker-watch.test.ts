import test from 'ava';
import { AT_REST, WorkerPulse } from '../../../src/group/worker/worker-pulse.js';
import { WorkerWatch } from '../../../src/group/worker/worker-watch.js';
import { FakeClock } from '../../support/fake-clock.js';

const MIB = 1024 ** 2;

function setUp() {
  const clock = new FakeClock();
  const pulse = new WorkerPulse();
  const state = { owes: true, rss: 100 * MIB };
  const hung: string[] = [];
  const watch = new WorkerWatch({
    clock,
    pulse,
    hangMs: 2000,
    owes: () => state.owes,
    rss: () => state.rss,
    onHung: (why) => hung.push(why),
  });
  return { clock, pulse, state, hung, watch };
}

test('a Worker that owes an answer and makes no progress hangs after the time allowed, told once', async (t) => {
  const { clock, hung, watch } = setUp();
  watch.start();
  await clock.advance(1999);
  t.deepEqual(hung, []);
  await clock.advance(60_000);
  t.deepEqual(hung, ['no progress for 2 s']);
  t.is(clock.pending, 0);
});

test('a Worker that goes on does not hang, however long the batch takes', async (t) => {
  const { clock, pulse, hung, watch } = setUp();
  watch.start();
  for (let i = 0; i < 20; i++) {
    pulse.enter(i);
    await clock.advance(1900);
  }
  t.deepEqual(hung, []);
  watch.stop();
  t.is(clock.pending, 0);
});

test('the watch ends by itself when nothing is owed, but not while the driver settles after silence', async (t) => {
  const { clock, pulse, state, hung, watch } = setUp();
  watch.start();
  state.owes = false;
  pulse.enter(-2);
  await clock.advance(1000);
  t.is(clock.pending, 1);
  pulse.leave();
  t.is(pulse.at, AT_REST);
  await clock.advance(1000);
  t.is(clock.pending, 0);
  t.deepEqual(hung, []);
});

test('memory that grows while nothing goes on is told before the time is over', async (t) => {
  const { clock, state, hung, watch } = setUp();
  watch.start();
  await clock.advance(150);
  state.rss += 300 * MIB;
  await clock.advance(100);
  t.deepEqual(hung, ['no progress, and 300 MiB more memory in use']);
});

test('a watch that was stopped cannot be started again', (t) => {
  const { clock, watch } = setUp();
  watch.start();
  watch.stop();
  watch.start();
  t.is(clock.pending, 0);
});
