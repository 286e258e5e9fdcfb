// A thread whose work is done step by step: see ThreadSteps.

import test from 'ava';
import { MessageQueue } from '../../src/core/queue.js';
import { Thread, type ThreadExit, type ThreadSteps } from '../../src/core/thread.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { FakeClock } from '../support/fake-clock.js';

/** Works off numbers; a negative one makes it throw, 0 makes it wait for `release`. */
class Counter implements ThreadSteps {
  readonly label = 'receive';
  readonly inbox = new MessageQueue<number>({ capacity: 100, whenFull: 'reject' });
  readonly inboxes = [this.inbox];
  readonly notes: string[] = [];
  steps = 0;
  release: () => void = () => {};
  leaving: Promise<void> | undefined;

  step(thread: Thread): 'idle' | 'ended' | Promise<void> {
    this.steps += 1;
    for (let taken = this.inbox.poll(); taken?.ok; taken = this.inbox.poll()) {
      if (thread.state === 'aborting') return 'ended';
      if (taken.item < 0) throw new Error('below zero');
      this.notes.push(String(taken.item));
      if (taken.item === 0) return new Promise((resolve) => (this.release = resolve));
    }
    return this.inbox.closed ? 'ended' : 'idle';
  }

  leave(_thread: Thread, { how }: ThreadExit): Promise<void> | undefined {
    this.notes.push(`left: ${how}`);
    return this.leaving;
  }
}

function running() {
  const clock = new FakeClock();
  const work = new Counter();
  const ended: ThreadExit[] = [];
  const thread = new Thread(work, { id: 'scale', clock, ended: (_thread, exit) => ended.push(exit) });
  thread.start(work);
  const put = (...items: number[]): void => {
    for (const item of items) work.inbox.put(item);
  };
  return { clock, work, thread, ended, put };
}

test('a thread takes a step when its inbox has news, in a later microtask, and none without a cause', async (t) => {
  const { clock, work, put } = running();
  await clock.settle();
  t.is(work.steps, 1, 'it looks once at its beginning');
  put(1, 2);
  t.deepEqual(work.notes, []);
  await clock.settle();
  t.deepEqual(work.notes, ['1', '2']);
  t.is(work.steps, 2, 'two items of one turn are one step');
  await clock.advance(60_000);
  t.is(work.steps, 2);
});

test('while a step waits for something the thread takes no other, and afterwards what came meanwhile', async (t) => {
  const { clock, work, put } = running();
  put(0, 1);
  await clock.settle();
  put(2);
  await clock.settle();
  t.deepEqual(work.notes, ['0']);
  work.release();
  await clock.settle();
  t.deepEqual(work.notes, ['0', '1', '2']);
});

test('what comes into the inbox during a step is seen, also behind the last look', async (t) => {
  const clock = new FakeClock();
  const inbox = new MessageQueue<number>({ capacity: 10, whenFull: 'reject' });
  const seen: number[] = [];
  const work: ThreadSteps = {
    step: () => {
      const found = inbox.drain();
      seen.push(...found);
      if (found.includes(1)) inbox.put(2);
      return inbox.closed ? 'ended' : 'idle';
    },
  };
  const thread = new Thread({ label: 'send', inboxes: [inbox] }, { id: 'scale', clock });
  thread.start(work);
  inbox.put(1);
  await clock.settle();
  t.deepEqual(seen, [1, 2]);
  thread.abort();
  await thread.done;
});

test('finish lets the thread work off its inbox, then it leaves and has ended', async (t) => {
  const { work, thread, ended, put } = running();
  put(1, 2);
  thread.finish();
  t.deepEqual(await thread.done, { how: 'returned' });
  t.deepEqual(work.notes, ['1', '2', 'left: returned']);
  t.deepEqual(ended, [{ how: 'returned' }]);
});

test('abort wakes a thread that waits for its inbox, and what is in that stays there', async (t) => {
  const { clock, work, thread, put } = running();
  await clock.settle();
  put(1);
  thread.abort();
  t.deepEqual(await thread.done, { how: 'returned' });
  t.deepEqual(work.notes, ['left: returned']);
});

test('a thread has ended only when it has left', async (t) => {
  const { clock, work, thread } = running();
  let gone = (): void => {};
  work.leaving = new Promise((resolve) => (gone = resolve));
  thread.finish();
  await clock.settle();
  t.is(thread.state, 'finishing');
  gone();
  await thread.done;
  t.is(thread.state, 'ended');
});

test('a step that throws is a crash, a promise of a step that rejects too; both leave', async (t) => {
  const thrown = running();
  thrown.put(-1);
  t.like(await thrown.thread.done, { how: 'crashed' });
  t.deepEqual(thrown.work.notes, ['left: crashed']);

  const clock = new FakeClock();
  const rejecting = new Thread({ label: 'send' }, { id: 'scale', clock });
  rejecting.start({ step: () => Promise.reject(new Error('late')) });
  t.like(await rejecting.done, { how: 'crashed', error: { message: 'late' } });
});

test('a thread that throws while it leaves has crashed', async (t) => {
  const thread = new Thread({ label: 'send' }, { id: 'scale', clock: new FakeClock() });
  thread.start({ step: () => 'ended', leave: () => Promise.reject(new Error('not let go')) });
  t.like(await thread.done, { how: 'crashed', error: { message: 'not let go' } });
});

test('in a group, the successor of a thread that has crashed goes on with the same inbox', async (t) => {
  const clock = new FakeClock();
  const work = new Counter();
  const crashes: string[] = [];
  const group = new ThreadGroup({ id: 'scale', clock, onCrash: ({ label }) => crashes.push(label) });
  group.add(work);
  group.start();
  for (const item of [-1, 7]) work.inbox.put(item);
  await clock.settle();
  t.deepEqual(crashes, ['receive']);
  t.is(work.inbox.length, 1);
  group.restart('receive');
  work.inbox.put(8);
  await clock.settle();
  t.deepEqual(work.notes, ['left: crashed', '7', '8']);
  group.close('test');
  t.true((await group.wait(1000)).ended);
  group.cleanup();
});

test('what a thread has begun on the side does not make it busy once it has ended', async (t) => {
  const { clock, work, thread } = running();
  thread.finish();
  await thread.done;
  thread.busy('writing command 7');
  await clock.advance(1000);
  t.like(thread.view(), { state: 'ended', doing: '', busyMs: 0 });
  t.deepEqual(work.notes, ['left: returned']);
});
