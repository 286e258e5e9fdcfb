import { getEventListeners } from 'node:events';
import test from 'ava';
import { MessageQueue } from '../../src/core/queue.js';
import type { LinkOpener } from '../../src/device/link.js';
import type { ManagerItem } from '../../src/group/device-context.js';
import type { Ending } from '../../src/group/recovery.js';
import { waitOut } from '../../src/group/retry-wait.js';
import { FakeClock } from '../support/fake-clock.js';

const RESTART: Ending = { why: 'restart', reason: 'asked for' };

function waitRig() {
  const clock = new FakeClock();
  const managing = new MessageQueue<ManagerItem>({ capacity: 10, whenFull: 'reject' });
  const stop = new AbortController();
  const hints: { readonly tell: () => void; readonly over: AbortSignal }[] = [];
  const opener: LinkOpener = {
    name: 'test',
    open: () => Promise.reject(new Error('not asked for')),
    changed: (over) => new Promise((tell) => hints.push({ tell, over })),
  };
  const early = (): Ending | undefined =>
    managing.drain().some(({ kind }) => kind === 'restart') ? RESTART : undefined;
  const pause = { state: 'backing-off', reason: 'lost', delayMs: 1000, isWeather: true } as const;
  return {
    clock,
    managing,
    stop,
    hints,
    wait: () => waitOut(pause, { ctx: { clock, managing }, opener, early }, stop.signal),
  };
}

// A device may stay away for years, and the signal lives as long as the thread.
test('a wait leaves neither timer nor listener nor watch on the device, however it ends', async (t) => {
  const ends: Record<string, (rig: ReturnType<typeof waitRig>) => Promise<void> | void> = {
    'time to try again': ({ clock }) => clock.advance(1000),
    'the device node has changed': async ({ clock, hints }) => {
      hints.at(-1)?.tell();
      await clock.advance(20);
    },
    'asked for': ({ managing }) => void managing.put({ kind: 'restart', reason: 'asked for' }),
  };
  for (const [reason, end] of Object.entries(ends)) {
    const rig = waitRig();
    const waited = rig.wait();
    await end(rig);
    const next = await waited;
    t.is(typeof next === 'string' ? next : next.why === 'restart' && next.reason, reason);
    await rig.clock.settle();
    t.is(rig.clock.pending, 0, `${reason}: timers`);
    t.is(getEventListeners(rig.stop.signal, 'abort').length, 0, `${reason}: listeners`);
    t.true(
      rig.hints.every(({ over }) => over.aborted),
      `${reason}: the device is watched no more`,
    );
  }
});

test('a group that closes ends the wait at once, also one that begins just then', async (t) => {
  const rig = waitRig();
  const waited = rig.wait();
  rig.stop.abort();
  t.is(typeof (await waited), 'string');
  t.is(typeof (await rig.wait()), 'string');
  t.is(rig.clock.pending, 0);
});

test('echoes of the link that has gone do not end the wait', async (t) => {
  const rig = waitRig();
  let isOver = false;
  void rig.wait().then(() => {
    isOver = true;
  });
  rig.managing.put({ kind: 'heard' });
  await rig.clock.advance(999);
  t.false(isOver);
  await rig.clock.advance(1);
  t.true(isOver);
});
