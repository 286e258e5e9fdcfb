import test from 'ava';
import { Checksum } from '../../src/device/checksum.js';
import { fc } from '../support/properties.js';

const TYPES = ['crc16-modbus', 'crc16-ccitt', 'crc16-xmodem', 'crc8', 'crc32', 'sum8', 'xor8'] as const;

for (const type of TYPES) {
  const checksum = new Checksum({ type, endian: 'little' });
  const { register } = checksum;

  /** The checksum of `bytes[from, to)`, by the registers at its ends, and by itself. */
  function bothWays(bytes: Buffer, from: number, to: number): [number, number] {
    const run = (end: number): number => bytes.subarray(0, end).reduce((value, byte) => register.step(value, byte), 0);
    const value = register.between(run(from), run(to), to - from, register.start);
    return [register.checksumOf(value), checksum.compute(bytes.subarray(from, to))];
  }

  test(`${type}: the registers before and behind a stretch tell its checksum`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
        const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
        const [told, computed] = bothWays(Buffer.from(bytes), from, to);
        t.is(told, computed);
      }),
    );
  });

  test(`${type}: so they do however long the stretch is`, (t) => {
    const bytes = Buffer.from(Array.from({ length: 150_000 }, (_, i) => (i * 7919) >>> 3));
    for (const length of [0, 1, 1023, 1024, 1025, 2048, 4096, 65_535, 65_536, 131_072]) {
      const [told, computed] = bothWays(bytes, 77, 77 + length);
      t.is(told, computed, `${length}`);
    }
  });
}
