import test from 'ava';
import { garbled, piecesOf, repeated } from '../../src/hil/fault-bytes.js';
import { seededRandom, seedFor } from '../../src/hil/fault-random.js';
import { fc } from '../support/properties.js';

test('garbling changes no byte at rate 0, every byte at rate 1, and never the length or the original', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer(), (bytes, seed) => {
      const original = Buffer.from(bytes);
      const none = garbled(bytes, 0, seededRandom(seed));
      const all = garbled(bytes, 1, seededRandom(seed));
      return (
        none.equals(original) &&
        all.length === bytes.length &&
        all.every((byte, i) => byte !== bytes[i]) &&
        original.equals(bytes)
      );
    }),
  );
  t.pass();
});

test('garbling hits about the share of bytes that it was told, the same ones for the same seed', (t) => {
  const bytes = Buffer.alloc(10_000, 0x55);
  const once = garbled(bytes, 0.1, seededRandom(7));
  const hits = once.filter((byte) => byte !== 0x55).length;
  t.true(hits > 850 && hits < 1150, `${hits} of 10000`);
  t.deepEqual(garbled(bytes, 0.1, seededRandom(7)), once);
  t.notDeepEqual(garbled(bytes, 0.1, seededRandom(8)), once);
});

test('pieces are of the size asked for, the last one shorter, and together they are the bytes', (t) => {
  t.deepEqual(piecesOf(Buffer.from('abcdefg'), 3).map(String), ['abc', 'def', 'g']);
  t.deepEqual(piecesOf(Buffer.from('abc'), 0).map(String), ['abc']);
  t.deepEqual(piecesOf(Buffer.alloc(0), 3), []);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 50 }), (bytes, size) => {
      const pieces = piecesOf(Buffer.from(bytes), size);
      return Buffer.concat(pieces).equals(bytes) && (size === 0 || pieces.every((piece) => piece.length <= size));
    }),
  );
});

test('a repeated pattern goes on where it stood', (t) => {
  const pattern = Buffer.from('abc');
  t.is(String(repeated(pattern, 0, 7)), 'abcabca');
  t.is(String(repeated(pattern, 7, 4)), 'bcab');
  t.is(String(repeated(pattern, 3, 0)), '');
});

test('each device has a seed of its own, which follows from its name and the seed of the rig', (t) => {
  t.is(seedFor('scale', 1), seedFor('scale', 1));
  t.not(seedFor('scale', 1), seedFor('cell', 1));
  t.not(seedFor('scale', 1), seedFor('scale', 2));
});
