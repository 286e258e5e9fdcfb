import test from 'ava';
import { busyLimitMs, stuckThreads } from '../../src/control/stuck-threads.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { FakeClock } from '../support/fake-clock.js';

const never = (): Promise<void> => new Promise(() => {});

test('a thread that is busy with one thing for too long is stuck, also in a child; one that waits for its inbox is not', async (t) => {
  const clock = new FakeClock();
  const parent = new ThreadGroup({ id: 'dock', clock });
  const child = new ThreadGroup({ id: 'dock/10.0.0.5', clock });
  parent.adopt(child);
  parent.add({ label: 'manager', body: () => never() });
  child.add({
    label: 'send',
    body: (thread) => {
      thread.busy('writing command 7');
      return never();
    },
  });
  parent.start();
  child.start();
  await clock.advance(1000);
  t.deepEqual(stuckThreads([parent], 1000), []);
  await clock.advance(1);
  t.deepEqual(stuckThreads([parent], 1000), [
    { group: 'dock/10.0.0.5', thread: 'send', doing: 'writing command 7', busyMs: 1001 },
  ]);
});

test('a thread that has ended is not stuck', async (t) => {
  const clock = new FakeClock();
  const group = new ThreadGroup({ id: 'scale', clock });
  group.add({
    label: 'receive',
    async body(thread) {
      thread.busy('decoding');
      throw new Error('a bug');
    },
  });
  group.start();
  await clock.advance(10_000);
  t.deepEqual(stuckThreads([group], 1000), []);
});

test('the limit is above the longest answer that a device may take', (t) => {
  const timeout = (ms: number): { commands: { timeout: number } } => ({ commands: { timeout: ms } });
  t.is(busyLimitMs({ devices: {} }), 120_000);
  t.is(busyLimitMs({ devices: { a: timeout(5000), b: timeout(600_000) } }), 720_000);
});
