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
  return { told, clock };
}

test.serial('a second signal is impatience, at once when the first is half a second ago', async (t) => {
  const { told, clock } = handled(t);
  process.emit('SIGTERM', 'SIGTERM');
  await clock.advance(500);
  t.deepEqual(told, ['stop SIGTERM']);
  process.emit('SIGINT', 'SIGINT');
  t.deepEqual(told, ['stop SIGTERM', 'impatience SIGINT']);
});

test.serial('one that comes sooner is the first by another way, and has no effect', async (t) => {
  const { told, clock } = handled(t);
  process.emit('SIGTERM', 'SIGTERM');
  await clock.advance(499);
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGINT', 'SIGINT');
  await clock.advance(10_000);
  t.deepEqual(told, ['stop SIGTERM']);
  process.emit('SIGTERM', 'SIGTERM');
  t.deepEqual(told, ['stop SIGTERM', 'impatience SIGTERM']);
});

test.serial('SIGHUP reloads, as often as it comes', (t) => {
  const { told } = handled(t);
  process.emit('SIGHUP', 'SIGHUP');
  process.emit('SIGHUP', 'SIGHUP');
  t.deepEqual(told, ['reload', 'reload']);
});
