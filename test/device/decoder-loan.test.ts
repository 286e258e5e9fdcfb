// Bytes on loan on their way through the decoder: whoever gives them back too early makes readings of other bytes. Here memory that
// has come back is spoilt at once, so that such readings show.

import test from 'ava';
import { framingSchema } from '../../src/config/framing-schema.js';
import { Loan } from '../../src/core/loan.js';
import { Decoder } from '../../src/device/decoder.js';
import type { DriverInstance } from '../../src/device/driver.js';
import { makeFramer } from '../../src/device/make-framer.js';
import type { ReadingBatch } from '../../src/device/message.js';
import { CollectingSink, textsOf } from '../support/collecting-sink.js';
import { fc } from '../support/properties.js';

const LINES = framingSchema.parse({ type: 'line', max_length: 100 });
const CHECKED = framingSchema.parse({
  type: 'length-prefix',
  length_bytes: 1,
  max_length: 100,
  checksum: { type: 'crc16-modbus' },
});

interface Lent {
  readonly chunk: Buffer;
  readonly loan: Loan;
  isBack: boolean;
}

function lend(bytes: string | Buffer): Lent {
  const lent: Lent = {
    chunk: Buffer.from(bytes as string), // or a Buffer, which the types have as another overload
    loan: new Loan(() => {
      lent.isBack = true;
      lent.chunk.fill('#');
    }),
    isBack: false,
  };
  return lent;
}

function push(decoder: Decoder, { chunk, loan }: Lent): void {
  decoder.push(chunk, 0, 0, loan);
}

function setUp(instance: DriverInstance = {}, framing = LINES) {
  const sink = new CollectingSink();
  return { sink, decoder: new Decoder({ framer: makeFramer(framing), instance, out: sink }) };
}

test('a chunk goes back when its batch is done; the line that began in an earlier one has nothing to do with it', (t) => {
  const { sink, decoder } = setUp();
  const [first, second] = [lend('one\ntw'), lend('o\nthree\n')];
  push(decoder, first);
  push(decoder, second);
  const [one, two, three] = sink.batches;
  t.deepEqual(
    [one, two, three].map((batch) => batch?.loan),
    [first.loan, undefined, second.loan],
  );
  t.false(first.isBack || second.isBack);
  one?.loan?.done();
  t.true(first.isBack);
  t.deepEqual(sink.texts.slice(1), ['two', 'three']);
  three?.loan?.done();
  t.true(second.isBack);
});

test('a chunk without a whole line, or with junk only, goes back at once', (t) => {
  const { sink, decoder } = setUp();
  const [half, junk] = [lend('ha'), lend(`${'x'.repeat(200)}\n`)];
  push(decoder, half);
  push(decoder, junk);
  t.true(half.isBack && junk.isBack);
  t.deepEqual(sink.reasons, ['too-long']);
  t.is(sink.junked[0]?.bytes.toString(), `ha${'x'.repeat(200)}`.slice(0, sink.junked[0]?.bytes.length));
});

test('readings behind a spoilt frame, which are found in the rest of the chunk, have a share in its loan', (t) => {
  const { sink, decoder } = setUp({}, CHECKED);
  const wires = ['spoilt', 'one', 'two', 'three'].map((text) => makeFramer(CHECKED).wrap(Buffer.from(text)));
  wires[0]?.fill('x', 2);
  const lent = lend(Buffer.concat(wires));
  push(decoder, lent);
  t.false(lent.isBack);
  t.deepEqual(sink.texts, ['one', 'two', 'three']);
  for (const { loan } of sink.batches) loan?.done();
  t.true(lent.isBack);
});

test('what a driver has seen never goes back: it may have kept it', (t) => {
  const kept: Uint8Array[] = [];
  const { decoder } = setUp({
    decode: (frame) => {
      kept.push(frame);
      return { n: 1 };
    },
  });
  const lent = lend('one\n');
  push(decoder, lent);
  t.false(lent.isBack);
  t.is(Buffer.from(kept[0] ?? []).toString(), 'one');
});

test('whenever batches are done, no reading is of bytes that were given back', (t) => {
  const text = fc
    .array(fc.constantFrom('a', 'bc', '\n', 'd\n'), { minLength: 1, maxLength: 12 })
    .map((s) => s.join(''));
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat(4)), (texts, picks) => {
      const { sink, decoder } = setUp();
      const waiting: ReadingBatch[] = [];
      const read: string[] = [];
      const finish = (count: number): void => {
        for (const batch of waiting.splice(0, count)) {
          read.push(...textsOf(batch));
          batch.loan?.done();
        }
      };
      const all = texts.map(lend);
      for (const lent of all) {
        push(decoder, lent);
        waiting.push(...sink.batches.splice(0));
        finish(picks.next().value ?? 0);
      }
      finish(waiting.length);
      t.deepEqual(read, texts.join('').split('\n').slice(0, -1));
      t.true(
        all.every(({ isBack }) => isBack),
        'all came back',
      );
    }),
    { numRuns: 500 },
  );
});
