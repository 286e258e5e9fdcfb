import test, { type ExecutionContext } from 'ava';
import { handleSignals } from '../src/signals.js';
import { FakeClock } from './support/fake-clock.js';

/** Handlers in place, and what they were told. */
function handled(t: ExecutionContext) {
  const told: string[] = [];
  const clock = new FakeClock();
  const release = handleSignals(
    {
      onStop: (signal) => told.push(`stop ${signal}`),
      onImpatience: (signal) => told.push(`impatience ${signal}`),
      onReload: () => told.push('reload'),
      onUncaught: () => {},
      onUnhandled: () => {},
    },
    clock,
  );
  t.teardown(release);
  return { told, clock, release };
}

test.serial('a second signal is impatience, at once when the first is half a second ago', async (t) => {
  const { told, clock } = handled(t);
  process.emit('SIGTERM', 'SIGTERM');
  await clock.advance(500);
  t.deepEqual(told, ['stop SIGTERM']);
  process.emit('SIGINT', 'SIGINT');
  t.deepEqual(told, ['stop SIGTERM', 'impatience SIGINT']);
});

test.serial(
  'one that comes sooner is taken for the first by another way, and has its effect, once, when that is over',
  async (t) => {
    const { told, clock } = handled(t);
    process.emit('SIGTERM', 'SIGTERM');
    await clock.advance(5);
    process.emit('SIGTERM', 'SIGTERM');
    process.emit('SIGTERM', 'SIGTERM');
    await clock.advance(494);
    t.deepEqual(told, ['stop SIGTERM']);
    await clock.advance(1);
    t.deepEqual(told, ['stop SIGTERM', 'impatience SIGTERM']);
    await clock.advance(1000);
    t.is(told.length, 2);
  },
);

test.serial('a process that has ended by then hears nothing of it', async (t) => {
  const { told, clock, release } = handled(t);
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGTERM', 'SIGTERM');
  release();
  t.is(clock.pending, 0);
  t.deepEqual(told, ['stop SIGTERM']);
});

test.serial('SIGHUP reloads, as often as it comes', (t) => {
  const { told } = handled(t);
  process.emit('SIGHUP', 'SIGHUP');
  process.emit('SIGHUP', 'SIGHUP');
  t.deepEqual(told, ['reload', 'reload']);
});
