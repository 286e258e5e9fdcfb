import test from 'ava';
import { WorkerBacklog } from '../../../src/group/worker/worker-backlog.js';
import { type DecodeEntry, packBatch, unpackBatch } from '../../../src/group/worker/worker-batch.js';
import { portable, restored } from '../../../src/group/worker/worker-values.js';

const chunk = (text: string, at = 0): DecodeEntry => ({ act: 'push', bytes: Buffer.from(text), at, wall: at });
const textsOf = (entries: readonly DecodeEntry[] | undefined) => entries?.map(({ bytes }) => bytes.toString());

function filled(...texts: string[]): WorkerBacklog {
  const backlog = new WorkerBacklog();
  for (const text of texts) backlog.add(chunk(text));
  return backlog;
}

test('one batch is out at a time; what is added meanwhile is the next one', (t) => {
  const backlog = filled('a', 'b');
  t.deepEqual(textsOf(backlog.sendable()), ['a', 'b']);
  backlog.add(chunk('c'));
  t.is(backlog.sendable(), undefined);
  backlog.through(1);
  t.is(backlog.bytes, 2);
  t.is(backlog.sendable(), undefined);
  backlog.through(2);
  t.deepEqual(textsOf(backlog.sendable()), ['c']);
  backlog.through(1);
  t.true(backlog.isEmpty);
  t.is(backlog.bytes, 0);
});

test('a batch is bounded in bytes, but has always an entry', (t) => {
  const backlog = filled('x'.repeat(300_000), 'y'.repeat(200_000), 'z'.repeat(100_000));
  const lengths = [1, 2, 3].map(() => {
    const batch = backlog.sendable();
    backlog.through(batch?.length ?? 0);
    return batch?.length;
  });
  t.deepEqual(lengths, [1, 1, 1]);
});

test('the entry that the Worker was at is lost, those before it that were not answered and those after it are left', (t) => {
  const backlog = filled('a', 'b', 'c', 'd');
  backlog.sendable();
  backlog.add(chunk('e'));
  backlog.through(1);
  t.is(backlog.lose(2)?.bytes.toString(), 'c');
  t.deepEqual(textsOf(backlog.drain()), ['b', 'd', 'e']);
  t.true(backlog.isEmpty);
  t.is(backlog.bytes, 0);
});

test('nothing is lost that was decoded, or outside of the batch', (t) => {
  const backlog = filled('a', 'b');
  backlog.sendable();
  backlog.through(1);
  for (const index of [0, 2, -1, -2]) t.is(backlog.lose(index), undefined);
  t.is(backlog.bytes, 1);
});

test('a batch is packed into memory of its own and comes out as it went in', (t) => {
  const end: DecodeEntry = { act: 'end', bytes: Buffer.alloc(0), at: 7, wall: 7 };
  const entries = [chunk('ab', 3), end, chunk('', 8), chunk('cde', 9.5)];
  const batch = packBatch(entries, 10);
  t.is(batch.bytes.byteLength, 5);
  t.deepEqual(
    [...unpackBatch(batch)],
    entries.map(({ act, bytes, at }) => ({ act, bytes, at })),
  );
});

test('options pass into a Worker with their Buffers, which take none of the pool along', (t) => {
  const options = { a: Buffer.from('x'), list: [1, { b: Buffer.from('y') }], at: new Date(5), pattern: /z/ };
  const passed = structuredClone(portable(options));
  t.is(passed.a.buffer.byteLength, 1);
  const back = restored(passed);
  t.true(Buffer.isBuffer(back.a));
  t.deepEqual(back, options);
});
