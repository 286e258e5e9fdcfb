import { crc32 } from 'node:zlib';
import test from 'ava';
import { decodeBlock, encodeBlock } from '../../src/spool/block-codec.js';
import type { SpoolRecord } from '../../src/spool/record.js';
import { StoreError } from '../../src/spool/store-error.js';
import { fc } from '../support/properties.js';
import { anyRecord, batchOf, recordOf, textsIn } from '../support/spool-records.js';

const anySeq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** All that a record says, comparable. */
function plain({ batch, ...rest }: SpoolRecord): unknown {
  const messages: string[] = [];
  for (let i = 0; i < batch.bounds.length; i += 2) {
    messages.push(batch.bytes.toString('hex', batch.bounds[i], batch.bounds[i + 1]));
  }
  return { ...rest, messages };
}

/** The records, or undefined for a block that is turned down; anything else that is thrown is a failure. */
function tryDecode(seq: number, bytes: Buffer): readonly SpoolRecord[] | undefined {
  try {
    return decodeBlock(seq, bytes).records;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_BLOCK') return undefined;
    throw error;
  }
}

test('any records come back as they were', (t) => {
  fc.assert(
    fc.property(anySeq, fc.array(anyRecord, { maxLength: 8 }), (seq, records) => {
      const block = decodeBlock(seq, encodeBlock(seq, records));
      t.is(block.seq, seq);
      t.deepEqual(block.records.map(plain), records.map(plain));
    }),
  );
});

test('messages that lie apart or out of order in their buffer are kept as they are', (t) => {
  const bytes = Buffer.from('..one..two..');
  const record: SpoolRecord = { ...recordOf('scale', []), batch: { bytes, bounds: [7, 10, 2, 5, 4, 4] } };
  t.deepEqual(textsIn(decodeBlock(1, encodeBlock(1, [record])).records), ['scale:two', 'scale:one', 'scale:']);
});

test('every flipped bit is found out', (t) => {
  const bytes = encodeBlock(7, [recordOf('scale', ['1.0 kg', '2.0 kg']), recordOf('gate', ['open'])]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    t.is(tryDecode(7, flipped), undefined, `bit ${bit}`);
  }
});

test('every truncation and every byte too many is found out', (t) => {
  const bytes = encodeBlock(7, [recordOf('scale', ['1.0 kg', '2.0 kg'])]);
  for (let length = 0; length < bytes.length; length++) t.is(tryDecode(7, bytes.subarray(0, length)), undefined);
  t.is(tryDecode(7, Buffer.concat([bytes, Buffer.from([0])])), undefined);
});

test('a block under the number of another is found out', (t) => {
  const bytes = encodeBlock(7, [recordOf('scale', ['1.0 kg'])]);
  t.is(tryDecode(8, bytes), undefined);
  t.is(tryDecode(7 + 2 ** 40, bytes), undefined);
});

test('random bytes are turned down, and nothing else is thrown', (t) => {
  fc.assert(
    fc.property(anySeq, fc.uint8Array({ maxLength: 400 }), (seq, bytes) => {
      t.is(tryDecode(seq, Buffer.from(bytes)), undefined);
    }),
    { numRuns: 2000 },
  );
});

test('nonsense with the right checksum is turned down without large allocations', (t) => {
  // Records whose bytes are a block's body of somebody else's making: the checksum is right, the lengths are wild.
  const body = fc.array(fc.oneof(fc.constantFrom(0xff, 0x7f, 0, 1), fc.nat(255)), { maxLength: 60 });
  fc.assert(
    fc.property(body, (bytes) => {
      const forged = forge(3, Buffer.from(bytes));
      const records = tryDecode(3, forged);
      const held = records?.reduce((sum, { batch }) => sum + batch.bounds.length, 0) ?? 0;
      t.true(held <= 2 * bytes.length);
    }),
    { numRuns: 3000 },
  );
});

test('a record with a mark that this version does not know is turned down: it may mean anything', (t) => {
  const body = Buffer.from(encodeBlock(1, [recordOf('scale', ['1.0 kg'])]).subarray(5));
  t.is(tryDecode(1, forge(1, body))?.length, 1);
  body[1] = (body[1] ?? 0) | 0x08; // behind the number of records
  t.is(tryDecode(1, forge(1, body)), undefined);
});

test('an empty name, no messages and empty messages are kept', (t) => {
  const records = [recordOf('', []), { ...recordOf('a/b', []), batch: batchOf([Buffer.alloc(0), Buffer.alloc(0)]) }];
  t.deepEqual(decodeBlock(1, encodeBlock(1, records)).records.map(plain), records.map(plain));
});

/** A block with `body` behind a version and a checksum that are right. */
function forge(seq: number, body: Buffer): Buffer {
  const block = Buffer.concat([encodeBlock(seq, []).subarray(0, 5), body]);
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(seq));
  block.writeUInt32LE(crc32(body, crc32(number)), 1);
  return block;
}
