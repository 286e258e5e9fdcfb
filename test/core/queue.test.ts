import { getEventListeners } from 'node:events';
import test from 'ava';
import { MessageQueue, type QueueOptions, type Taken } from '../../src/core/queue.js';

function queueOf(options: Partial<QueueOptions<number>> = {}): MessageQueue<number> {
  return new MessageQueue<number>({ capacity: 3, whenFull: 'reject', ...options });
}

/** Weighs each number as itself. */
function heavy(options: Partial<QueueOptions<number>> = {}): MessageQueue<number> {
  return queueOf({ capacity: 10, weigh: (item) => item, ...options });
}

function fill(queue: MessageQueue<number>, ...items: number[]): void {
  for (const item of items) queue.put(item);
}

/** What a promise has come to by now: its value, or `waiting`. */
async function soFar<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  await new Promise((resolve) => setImmediate(resolve));
  return Promise.race([promise, Promise.resolve('waiting' as const)]);
}

function listenersOn(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

test('items come out in the order in which they went in', async (t) => {
  const queue = queueOf();
  fill(queue, 1, 2, 3);
  t.deepEqual(await queue.take(), { ok: true, item: 1 });
  t.deepEqual(queue.poll(), { ok: true, item: 2 });
  t.deepEqual(queue.drain(), [3]);
  t.is(queue.poll(), undefined);
});

test('order holds over thousands of items through the compaction of the slots', (t) => {
  const queue = queueOf({ capacity: 1000 });
  let put = 0;
  let expected = 0;
  for (let round = 0; round < 3000; round += 1) {
    for (let i = 0; i < round % 7; i += 1) if (queue.put(put) === 'queued') put += 1;
    for (let i = 0; i < (round * 3) % 7; i += 1) {
      const taken = queue.poll();
      if (taken?.ok) {
        if (taken.item !== expected) t.fail(`expected ${expected}, got ${taken.item}`);
        expected += 1;
      }
    }
  }
  for (const item of queue.drain()) {
    if (item !== expected) t.fail(`expected ${expected}, got ${item}`);
    expected += 1;
  }
  t.is(expected, put);
  t.is(queue.weight, 0);
});

test('reject leaves the item with the caller', (t) => {
  const queue = queueOf();
  fill(queue, 1, 2, 3);
  t.is(queue.put(4), 'rejected');
  t.is(queue.dropped, 0);
  t.deepEqual(queue.drain(), [1, 2, 3]);
});

test('drop-oldest makes room at the head, tells of each item and counts it', (t) => {
  const gone: number[] = [];
  const queue = queueOf({ whenFull: 'drop-oldest', onDrop: (item) => gone.push(item) });
  fill(queue, 1, 2, 3);
  t.is(queue.put(4), 'dropped-oldest');
  t.is(queue.put(5), 'dropped-oldest');
  t.deepEqual(gone, [1, 2]);
  t.is(queue.dropped, 2);
  t.deepEqual(queue.drain(), [3, 4, 5]);
});

test('drop-newest discards what comes, tells of it and counts it', (t) => {
  const gone: number[] = [];
  const queue = queueOf({ whenFull: 'drop-newest', onDrop: (item) => gone.push(item) });
  fill(queue, 1, 2, 3);
  t.is(queue.put(4), 'dropped-newest');
  t.deepEqual(gone, [4]);
  t.is(queue.dropped, 1);
  t.deepEqual(queue.drain(), [1, 2, 3]);
});

test('the bound is the weight, and drop-oldest drops as many as the new item needs', (t) => {
  const queue = heavy({ whenFull: 'drop-oldest' });
  fill(queue, 3, 3, 4);
  t.is(queue.weight, 10);
  t.is(queue.put(5), 'dropped-oldest');
  t.is(queue.dropped, 2);
  t.is(queue.weight, 9);
  t.deepEqual(queue.drain(), [4, 5]);
  t.is(queue.weight, 0);
});

test('an item heavier than the whole queue is accepted when the queue is empty, and only then', (t) => {
  const queue = heavy();
  t.is(queue.put(99), 'queued');
  t.is(queue.weight, 99);
  t.is(queue.put(1), 'rejected');
  queue.poll();
  queue.put(1);
  t.is(queue.put(99), 'rejected');
});

test('an oversize item under drop-oldest takes the place of everything', (t) => {
  const queue = heavy({ whenFull: 'drop-oldest' });
  fill(queue, 4, 4);
  t.is(queue.put(99), 'dropped-oldest');
  t.is(queue.dropped, 2);
  t.deepEqual(queue.drain(), [99]);
});

test('an item that claims to weigh nothing weighs one, so that empty messages are bounded too', (t) => {
  const queue = new MessageQueue<string>({ capacity: 3, whenFull: 'reject', weigh: (text) => text.length });
  t.deepEqual(
    ['', '', '', ''].map((text) => queue.put(text)),
    ['queued', 'queued', 'queued', 'rejected'],
  );
  queue.drain();
  t.is(queue.weight, 0);
});

test('falsy items are items', async (t) => {
  const falsy = [undefined, 0, '', false, null];
  const queue = new MessageQueue<unknown>({ capacity: 10, whenFull: 'reject' });
  for (const item of falsy) queue.put(item);
  t.is(queue.length, 5);
  for (const item of falsy) t.deepEqual(await queue.take(), { ok: true, item });
  const waiting = queue.take();
  queue.put(undefined);
  t.deepEqual(await waiting, { ok: true, item: undefined });
  for (const item of falsy) queue.put(item);
  t.deepEqual(queue.poll(), { ok: true, item: undefined });
  t.deepEqual(queue.drain(), falsy.slice(1));
});

test('takeAll appends to what the caller has and answers the count', (t) => {
  const queue = queueOf();
  fill(queue, 1, 2);
  const into = [0];
  t.is(queue.takeAll(into), 2);
  t.deepEqual(into, [0, 1, 2]);
  t.is(queue.takeAll(into), 0);
  t.is(queue.length, 0);
});

test('takers are served first come, first served', async (t) => {
  const queue = queueOf();
  const takes = [queue.take(), queue.take(), queue.take()];
  fill(queue, 1, 2, 3);
  t.deepEqual(
    await Promise.all(takes),
    [1, 2, 3].map((item) => ({ ok: true, item })),
  );
});

test('an item put for a waiting taker cannot be snatched by a poll', async (t) => {
  const queue = queueOf();
  const first = queue.take();
  const second = queue.take();
  queue.put(1);
  t.is(queue.poll(), undefined);
  queue.put(2);
  t.deepEqual(await first, { ok: true, item: 1 });
  t.deepEqual(await second, { ok: true, item: 2 });
});

test('a consumer that waits with ready and then does not take leaves no taker asleep on an item', async (t) => {
  const queue = queueOf();
  const looker = queue.ready();
  const taker = queue.take();
  queue.put(1);
  t.deepEqual(await soFar(taker), { ok: true, item: 1 });
  queue.put(2);
  t.is(await soFar(looker), 'ready');
});

test('every consumer that waits with ready is told of an item', async (t) => {
  const queue = queueOf();
  const stop = new AbortController();
  const first = queue.ready(stop.signal);
  const second = queue.ready();
  queue.put(1);
  stop.abort();
  t.is(await soFar(first), 'ready');
  t.is(await soFar(second), 'ready');
});

test('close wakes every taker and everyone who waits for an item', async (t) => {
  const queue = queueOf();
  const waits = [queue.take(), queue.take(), queue.ready()];
  queue.close();
  queue.close();
  t.deepEqual(await soFar(Promise.all(waits)), [{ ok: false, why: 'closed' }, { ok: false, why: 'closed' }, 'closed']);
});

test('close wakes everyone who waits for room', async (t) => {
  const queue = queueOf();
  fill(queue, 1, 2, 3);
  const waits = [queue.room(), queue.room()];
  queue.close();
  t.deepEqual(await soFar(Promise.all(waits)), ['closed', 'closed']);
  t.is(await queue.room(), 'closed');
});

test('what is in a closed queue can still be taken, but nothing can be put', async (t) => {
  const queue = queueOf();
  fill(queue, 1, 2);
  queue.close();
  t.true(queue.closed);
  t.is(queue.put(3), 'closed');
  t.is(await queue.ready(), 'ready');
  t.deepEqual(await queue.take(), { ok: true, item: 1 });
  t.deepEqual(queue.drain(), [2]);
  t.deepEqual(await queue.take(), { ok: false, why: 'closed' });
  t.is(await queue.ready(), 'closed');
});

test('abort ends each kind of wait and leaves no listener', async (t) => {
  const stop = new AbortController();
  const empty = queueOf();
  const full = queueOf({ capacity: 1 });
  full.put(1);
  const waits = [empty.take(stop.signal), empty.ready(stop.signal), full.room(stop.signal)];
  t.is(listenersOn(stop.signal), 3);
  stop.abort();
  t.deepEqual(await soFar(Promise.all(waits)), [{ ok: false, why: 'aborted' }, 'aborted', 'aborted']);
  t.is(listenersOn(stop.signal), 0);
});

test('a wait that ends by itself leaves no listener', async (t) => {
  const stop = new AbortController();
  const queue = queueOf({ capacity: 1 });
  const take = queue.take(stop.signal);
  queue.put(1);
  const ready = queue.ready(stop.signal);
  queue.put(2);
  const room = queue.room(stop.signal);
  queue.poll();
  await Promise.all([take, ready, room]);
  const closing = queue.take(stop.signal);
  queue.close();
  await closing;
  t.is(listenersOn(stop.signal), 0);
});

test('an aborted taker does not swallow the next item', async (t) => {
  const queue = queueOf();
  const stop = new AbortController();
  const first = queue.take(stop.signal);
  const second = queue.take();
  stop.abort();
  queue.put(1);
  t.deepEqual(await first, { ok: false, why: 'aborted' });
  t.deepEqual(await second, { ok: true, item: 1 });
});

test('an abort that comes after the item loses nothing', async (t) => {
  const queue = queueOf();
  const stop = new AbortController();
  const first = queue.take(stop.signal);
  queue.put(1);
  stop.abort();
  t.deepEqual(await first, { ok: true, item: 1 });
});

test('a signal that has fired already wins over items and room, so that abort stops a backlog', async (t) => {
  const queue = queueOf();
  queue.put(1);
  const over = AbortSignal.abort();
  const answers: (Taken<number> | string)[] = [await queue.take(over), await queue.ready(over), await queue.room(over)];
  t.deepEqual(answers, [{ ok: false, why: 'aborted' }, 'aborted', 'aborted']);
  t.is(queue.length, 1);
});

test('room resolves at once while there is some, and in turn as items are taken', async (t) => {
  const queue = queueOf();
  t.is(await queue.room(), 'room');
  fill(queue, 1, 2, 3);
  t.false(queue.hasRoom);
  const first = queue.room();
  const second = queue.room();
  t.is(await soFar(first), 'waiting');
  queue.poll();
  t.is(await soFar(first), 'room');
  t.is(await soFar(second), 'waiting');
  queue.poll();
  t.is(await soFar(second), 'room');
});

test('an empty queue has told everyone who waited, also when those told before made no use of the room', async (t) => {
  const queue = queueOf({ capacity: 2 });
  fill(queue, 1, 2);
  const waits = [queue.room(), queue.room(), queue.room(), queue.room()];
  queue.poll();
  queue.poll();
  t.deepEqual(await soFar(Promise.all(waits)), ['room', 'room', 'room', 'room']);
});

test('takeAll gives room to all who wait for it', async (t) => {
  const queue = queueOf();
  fill(queue, 1, 2, 3);
  const waits = [queue.room(), queue.room()];
  queue.takeAll([]);
  t.deepEqual(await soFar(Promise.all(waits)), ['room', 'room']);
});

test('a put-or-wait loop with an item too heavy for the room that is left sleeps until something is taken', async (t) => {
  const queue = heavy();
  fill(queue, 4, 4);
  t.is(queue.put(5), 'rejected');
  t.false(queue.hasRoom);
  const room = queue.room();
  t.is(await soFar(room), 'waiting');
  queue.poll();
  t.is(await soFar(room), 'room');
  t.is(queue.put(5), 'queued');
});

test('fits tells beforehand what put would do', (t) => {
  const queue = heavy();
  t.true(queue.fits(99));
  fill(queue, 4, 4);
  t.true(queue.fits(2));
  t.false(queue.fits(3));
  queue.close();
  t.false(queue.fits(1));
});

test('an empty queue has room whatever its capacity', async (t) => {
  const queue = queueOf({ capacity: 0 });
  t.true(queue.hasRoom);
  t.is(queue.put(1), 'queued');
  const room = queue.room();
  t.is(await soFar(room), 'waiting');
  queue.poll();
  t.is(await soFar(room), 'room');
});

test('a reader is told of every item and of the end, and only the last reader is', (t) => {
  const told: string[] = [];
  const queue = queueOf({ capacity: 2 });
  queue.readBy({ wake: () => told.push('first') });
  queue.put(1);
  queue.readBy({ wake: () => told.push('second') });
  fill(queue, 2, 3);
  t.is(queue.length, 2, 'the third was rejected: no news');
  queue.close();
  queue.close();
  t.deepEqual(told, ['first', 'second', 'second']);
});

test('an item is weighed once, when it is put in', (t) => {
  let weighed = 0;
  const queue = new MessageQueue<number>({ capacity: 10, whenFull: 'reject', weigh: () => (weighed += 1) });
  queue.put(1);
  queue.put(2);
  t.is(queue.weight, 3);
  queue.poll();
  t.is(queue.weight, 2);
  t.is(weighed, 2);
});
