import test from 'ava';
import { Checksum } from '../../src/device/checksum.js';

const CHECK = Buffer.from('123456789');

// Check values of the catalogue of parametrised CRC algorithms (reveng, crccalc.com).
const VALUES = [
  ['crc16-modbus', 2, 0x4b37],
  ['crc16-ccitt', 2, 0x29b1],
  ['crc16-xmodem', 2, 0x31c3],
  ['crc8', 1, 0xf4],
  ['crc32', 4, 0xcbf43926],
  ['sum8', 1, 0xdd],
  ['xor8', 1, 0x31],
] as const;

for (const [type, size, value] of VALUES) {
  test(`${type} of 123456789 is 0x${value.toString(16)}`, (t) => {
    const checksum = new Checksum({ type, endian: 'big' });
    t.is(checksum.compute(CHECK), value);
    t.is(checksum.size, size);
  });

  for (const endian of ['little', 'big'] as const) {
    test(`${type} ${endian} is good where it was appended, bad after any change`, (t) => {
      const checksum = new Checksum({ type, endian });
      const bytes = checksum.append(CHECK);
      t.true(checksum.isGood(bytes, 0, bytes.length));
      for (let at = 0; at < bytes.length; at++) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ 0x10;
        t.false(checksum.isGood(damaged, 0, damaged.length));
      }
    });
  }
}

test('the byte order is that of the wire', (t) => {
  const little = new Checksum({ type: 'crc16-modbus', endian: 'little' }).append(CHECK);
  const big = new Checksum({ type: 'crc16-modbus', endian: 'big' }).append(CHECK);
  t.is(little.subarray(-2).toString('hex'), '374b');
  t.is(big.subarray(-2).toString('hex'), '4b37');
});

test('a frame shorter than its checksum is bad', (t) => {
  const checksum = new Checksum({ type: 'crc32', endian: 'big' });
  t.false(checksum.isGood(Buffer.alloc(8), 2, 5));
});

test('only the bytes between start and end count', (t) => {
  const checksum = new Checksum({ type: 'crc16-modbus', endian: 'little' });
  const frame = checksum.append(CHECK);
  const bytes = Buffer.concat([Buffer.from('xx'), frame, Buffer.from('yy')]);
  t.true(checksum.isGood(bytes, 2, 2 + frame.length));
});
