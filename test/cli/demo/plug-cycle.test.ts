import test from 'ava';
import { PlugCycle } from '../../../src/cli/demo/plug-cycle.js';
import { FakeClock } from '../../support/fake-clock.js';

function makeCycle(plug: () => Promise<void> = async () => {}) {
  const clock = new FakeClock();
  const done: string[] = [];
  const line = {
    plug: async () => {
      await plug();
      done.push('plug');
    },
    unplug: async () => void done.push('unplug'),
  };
  const cycle = new PlugCycle({
    clock,
    line,
    times: { inMs: 1000, outMs: 200 },
    onChange: (now) => done.push(now),
  });
  return { clock, cycle, done };
}

test('the plug is in, out and in again for as long as asked, and tells how long it still is', async (t) => {
  const { clock, cycle, done } = makeCycle();
  t.deepEqual([cycle.plug, cycle.leftMs], ['in', 1000]);
  await clock.advance(999);
  t.deepEqual([done, cycle.leftMs], [[], 1]);
  await clock.advance(1);
  t.deepEqual([done, cycle.plug, cycle.leftMs], [['out', 'unplug'], 'out', 200]);
  await clock.advance(200);
  t.deepEqual([done, cycle.plug, cycle.leftMs], [['out', 'unplug', 'plug', 'in'], 'in', 1000]);
  cycle.stop();
  t.is(clock.pending, 0);
});

test('a port that somebody has taken meanwhile is asked for again every second, and the plug stays out until then', async (t) => {
  let isTaken = true;
  const { clock, cycle } = makeCycle(async () => {
    if (isTaken) throw new Error('EADDRINUSE');
  });
  await clock.advance(1200);
  t.is(cycle.plug, 'out');
  await clock.advance(3000);
  t.is(cycle.plug, 'out');
  isTaken = false;
  await clock.advance(1000);
  t.is(cycle.plug, 'in');
  cycle.stop();
});

test('stopped while the plug goes in, nothing is told and nothing follows', async (t) => {
  let letIn = (): void => {};
  const { clock, cycle, done } = makeCycle(() => new Promise((resolve) => (letIn = resolve)));
  await clock.advance(1200);
  cycle.stop();
  letIn();
  await clock.advance(10_000);
  t.deepEqual(done, ['out', 'unplug', 'plug']);
  t.is(clock.pending, 0);
});
