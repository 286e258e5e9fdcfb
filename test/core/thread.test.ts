import test from 'ava';
import { MessageQueue } from '../../src/core/queue.js';
import { Thread, type ThreadBody } from '../../src/core/thread.js';
import { FakeClock } from '../support/fake-clock.js';

function threadOf(options: { clock?: FakeClock; onFinish?: () => void } = {}) {
  const { clock = new FakeClock(), onFinish } = options;
  const inbox = new MessageQueue<number>({ capacity: 10, whenFull: 'reject' });
  const thread = new Thread({ label: 'send', inboxes: [inbox], ...(onFinish && { onFinish }) }, { id: 'scale', clock });
  return { clock, inbox, thread };
}

/** Takes numbers until the inbox closes. */
function collect(inbox: MessageQueue<number>, into: number[]): ThreadBody {
  return async (thread) => {
    for (let taken = await inbox.take(thread.abortSignal); taken.ok; taken = await inbox.take(thread.abortSignal)) {
      into.push(taken.item);
    }
  };
}

test('a thread runs its body once, in a later microtask, and tells that it returned', async (t) => {
  const { thread, inbox } = threadOf();
  let runs = 0;
  const body: ThreadBody = async () => {
    runs += 1;
  };
  thread.start(body);
  t.is(runs, 0);
  t.is(thread.state, 'running');
  thread.start(body);
  t.deepEqual(await thread.done, { how: 'returned' });
  t.is(thread.state, 'ended');
  t.is(runs, 1);
  t.false(inbox.closed);
});

test('finish closes the inbox and lets the thread work off what is in it', async (t) => {
  const { thread, inbox } = threadOf();
  const got: number[] = [];
  thread.start(collect(inbox, got));
  for (const item of [1, 2, 3]) inbox.put(item);
  thread.finish();
  thread.finish();
  t.is(thread.state, 'finishing');
  t.true(thread.isStopping);
  await thread.done;
  t.deepEqual(got, [1, 2, 3]);
});

test('abort stops a thread before its backlog and leaves that in the inbox', async (t) => {
  const { thread, inbox, clock } = threadOf();
  const got: number[] = [];
  thread.start(collect(inbox, got));
  await clock.settle();
  for (const item of [1, 2, 3]) inbox.put(item);
  thread.abort();
  thread.abort();
  t.is(thread.state, 'aborting');
  await thread.done;
  t.deepEqual(got, [1]); // was handed over before the abort
  t.is(inbox.length, 2);
  t.true(inbox.closed);
});

test('finish, then abort: the finish signal fires first, the abort signal only with the abort', async (t) => {
  const { thread, clock } = threadOf();
  const seen: string[] = [];
  thread.start(async ({ finishSignal, abortSignal }) => {
    finishSignal.addEventListener('abort', () => seen.push('finish'));
    await new Promise<void>((resolve) => abortSignal.addEventListener('abort', () => resolve()));
    seen.push('abort');
  });
  await clock.settle();
  thread.finish();
  await clock.settle();
  t.deepEqual(seen, ['finish']);
  thread.abort();
  await thread.done;
  t.deepEqual(seen, ['finish', 'abort']);
});

test('a signal asked for late has fired already', async (t) => {
  const { thread, clock } = threadOf();
  let release = (): void => {};
  thread.start(() => new Promise((resolve) => (release = resolve)));
  await clock.settle();
  thread.finish();
  t.true(thread.finishSignal.aborted);
  t.false(thread.abortSignal.aborted);
  thread.abort();
  t.true(thread.abortSignal.aborted);
  release();
  await thread.done;
});

test('both signals have fired once a thread has ended, so that nothing it began outlives it', async (t) => {
  const early = threadOf().thread;
  const [finish, abort] = [early.finishSignal, early.abortSignal];
  early.start(() => Promise.reject(new Error('bug')));
  await early.done;
  t.true(finish.aborted);
  t.true(abort.aborted);
  const late = threadOf().thread;
  late.start(async () => {});
  await late.done;
  t.true(late.finishSignal.aborted);
  t.true(late.abortSignal.aborted);
});

test('a crash is a value, whether the body rejects or throws at once', async (t) => {
  const error = new Error('bug');
  const rejecting = threadOf().thread;
  rejecting.start(() => Promise.reject(error));
  t.deepEqual(await rejecting.done, { how: 'crashed', error });
  const throwing = threadOf().thread;
  throwing.start(() => {
    throw error;
  });
  t.deepEqual(await throwing.done, { how: 'crashed', error });
});

test('a crash leaves the inbox open and what is in it for the next thread', async (t) => {
  const { thread, inbox } = threadOf();
  inbox.put(7);
  thread.start(() => Promise.reject(new Error('bug')));
  await thread.done;
  t.false(inbox.closed);
  t.is(inbox.length, 1);
});

for (const ask of ['finish', 'abort'] as const) {
  test(`${ask} before start ends the thread without running it, and closes its inbox`, async (t) => {
    const { thread, inbox } = threadOf({ onFinish: () => t.fail('a thread that never ran has nothing to take in') });
    const signal = thread.finishSignal;
    thread[ask]();
    t.deepEqual(await thread.done, { how: 'returned' });
    thread.start(async () => t.fail('must not run'));
    await Promise.resolve();
    t.is(thread.state, 'ended');
    t.true(inbox.closed);
    t.true(signal.aborted);
  });
}

test('onFinish replaces the closing of the inbox; abort closes it all the same', async (t) => {
  let asked = 0;
  const { thread, inbox } = threadOf({
    onFinish: () => {
      asked += 1;
    },
  });
  const got: number[] = [];
  thread.start(collect(inbox, got));
  thread.finish();
  t.is(asked, 1);
  t.false(inbox.closed);
  t.is(inbox.put(1), 'queued');
  thread.abort();
  t.is(asked, 1);
  t.true(inbox.closed);
  await thread.done;
});

test('an onFinish that throws is a crash of the thread, which still stops', async (t) => {
  const error = new Error('bug in onFinish');
  const { thread, inbox } = threadOf({
    onFinish: () => {
      throw error;
    },
  });
  const stop = thread.finishSignal;
  thread.start(collect(inbox, []));
  t.notThrows(() => thread.finish());
  t.true(stop.aborted);
  t.deepEqual(await thread.done, { how: 'crashed', error });
});

test('the view tells what a thread is busy with and for how long, and nothing while it waits', async (t) => {
  const { thread, inbox, clock } = threadOf();
  let release = (): void => {};
  thread.start(() => new Promise((resolve) => (release = resolve)));
  inbox.put(1);
  thread.busy('writing to the port');
  await clock.advance(1500);
  t.deepEqual(thread.view(), {
    label: 'send',
    state: 'running',
    doing: 'writing to the port',
    busyMs: 1500,
    queued: 1,
    queuedWeight: 1,
    dropped: 0,
  });
  thread.busy('writing to the port');
  t.is(thread.view().busyMs, 0);
  thread.waiting();
  await clock.advance(60_000);
  t.is(thread.busyMs, 0, 'that takes as long as the device takes');
  t.is(thread.doing, 'writing to the port');
  thread.busy('writing to the port');
  await clock.advance(1000);
  t.is(thread.busyMs, 1000);
  thread.idle();
  await clock.advance(1000);
  t.is(thread.view().busyMs, 0);
  t.is(thread.view().doing, '');
  release();
  await thread.done;
  t.is(thread.view().state, 'ended');
});
