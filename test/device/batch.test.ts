import test from 'ava';
import { BoundsPool } from '../../src/core/bounds-pool.js';
import { Loan } from '../../src/core/loan.js';
import { SliceBatch } from '../../src/device/batch.js';
import type { ReadingBatch } from '../../src/device/message.js';
import { fc } from '../support/properties.js';

interface Cut {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
}

function textsOf({ bytes, bounds }: ReadingBatch): string[] {
  return Array.from({ length: bounds.length / 2 }, (_, i) =>
    bytes.toString('latin1', bounds[2 * i], bounds[2 * i + 1]),
  );
}

/** Frames in order, as a framer finds them in one chunk: some empty, some with bytes between them. */
const cuts: fc.Arbitrary<Cut[]> = fc
  .tuple(fc.nat(20_000), fc.array(fc.tuple(fc.nat(3), fc.nat(40)), { minLength: 1, maxLength: 300 }))
  .map(([spare, steps]) => {
    const size = steps.reduce((sum, [gap, length]) => sum + gap + length, 0) + spare;
    const chunk = Buffer.from(Array.from({ length: size }, (_, i) => 97 + ((i * 7) % 26)));
    let at = 0;
    return steps.map(([gap, length]) => {
      const start = at + gap;
      at = start + length;
      return { chunk, start, end: at };
    });
  });

test('whatever buffers the readings stand in, and however many: all of them come out, in order, one batch per buffer', (t) => {
  fc.assert(
    fc.property(fc.array(cuts, { minLength: 1, maxLength: 5 }), (chunks) => {
      const taken: ReadingBatch[] = [];
      const batch = new SliceBatch((each) => taken.push(each));
      for (const { chunk, start, end } of chunks.flat()) batch.add(chunk, start, end);
      batch.handOut();
      batch.handOut();
      t.deepEqual(
        taken.map(textsOf),
        chunks.map((some) => some.map(({ chunk, start, end }) => chunk.toString('latin1', start, end))),
      );
    }),
  );
});

test('a batch that has been handed out is never written to again', (t) => {
  const taken: ReadingBatch[] = [];
  const batch = new SliceBatch((each) => taken.push(each));
  const chunk = Buffer.from('abcdef');
  batch.add(chunk, 0, 1);
  batch.handOut();
  batch.add(chunk, 2, 4);
  batch.handOut();
  t.deepEqual(taken.map(textsOf), [['a'], ['cd']]);
});

/** What has come back is spoilt at once, so that a batch which still uses it shows. */
const spoilt = (): BoundsPool => new BoundsPool((memory) => memory.fill(0xffff_ffff));

const wordsIn = (chunk: Buffer, words: number): string[] =>
  Array.from({ length: words }, (_, i) => chunk.toString('latin1', 3 * i, 3 * i + 2));

function addWords(batch: SliceBatch, chunk: Buffer, words: number): void {
  for (let i = 0; i < words; i++) batch.add(chunk, 3 * i, 3 * i + 2);
  batch.handOut();
}

test('in whatever order chunks on loan are done with, the readings of the others stay as they are', (t) => {
  const sizes = fc.array(
    fc.record({ words: fc.integer({ min: 1, max: 5000 }), isLent: fc.boolean(), order: fc.nat() }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(sizes, (chunks) => {
      const taken: ReadingBatch[] = [];
      const returned: number[] = [];
      const batch = new SliceBatch((each) => taken.push(each), spoilt());
      const expected = chunks.map(({ words, isLent }, number) => {
        const chunk = Buffer.from(`${number}x `.repeat(words));
        if (isLent) batch.lend(chunk, new Loan(() => returned.push(number)));
        addWords(batch, chunk, words);
        if (isLent) batch.endLoan();
        return wordsIn(chunk, words);
      });
      const byOrder = [...chunks.keys()].sort((a, b) => (chunks[a]?.order ?? 0) - (chunks[b]?.order ?? 0));
      const left = new Set(byOrder);
      for (const number of byOrder) {
        for (const other of left) t.deepEqual(taken[other] && textsOf(taken[other]), expected[other]);
        taken[number]?.loan?.done();
        left.delete(number);
      }
      t.deepEqual(
        returned,
        byOrder.filter((number) => chunks[number]?.isLent),
      );
    }),
    { numRuns: 40 },
  );
});

test('a chunk of a thousand lines on loan takes no memory for its bounds but that which is used again', (t) => {
  const pool = new BoundsPool();
  const memories = new Set<ArrayBufferLike>();
  const batch = new SliceBatch(({ bounds, loan }) => {
    if (bounds instanceof Uint32Array) memories.add(bounds.buffer);
    loan?.done();
  }, pool);
  const chunk = Buffer.from('ab '.repeat(1000));
  let returns = 0;
  for (let i = 0; i < 50; i++) {
    batch.lend(chunk, new Loan(() => (returns += 1)));
    addWords(batch, chunk, 1000);
    batch.endLoan();
  }
  t.is(memories.size, 1);
  t.is(pool.free, 1);
  t.is(returns, 50);
});

test('a driver that fails in the middle of a chunk leaves the memory to the readings that come next', (t) => {
  const taken: ReadingBatch[] = [];
  const pool = spoilt();
  const batch = new SliceBatch((each) => taken.push(each), pool);
  const chunk = Buffer.from('ab '.repeat(100));
  for (let i = 0; i < 100; i++) batch.add(chunk, 3 * i, 3 * i + 2); // nobody hands them out
  const other = new SliceBatch((each) => taken.push(each), pool);
  addWords(other, Buffer.from('cd '.repeat(100)), 100);
  batch.handOut();
  t.deepEqual(
    taken.map(textsOf),
    ['cd', 'ab'].map((word) => Array(100).fill(word)),
  );
});
