import test from 'ava';
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
