import test from 'ava';
import { framingSchema } from '../../../src/config/framing-schema.js';
import { PayloadError } from '../../../src/device/framer.js';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';

const BYTE = { type: 'length-prefix', length_bytes: 1, max_length: 16 };
const HEADED = { ...BYTE, offset: 2, start: [0xaa, 0x55], adjust: -1 };

framerContract({
  name: 'length-prefix',
  framing: { type: 'length-prefix', max_length: 16 },
  alphabet: [0, 1, 3],
  maxHeld: 18,
});
framerContract({
  name: 'length-prefix of four bytes, little',
  framing: { type: 'length-prefix', length_bytes: 4, endian: 'little', max_length: 16 },
  alphabet: [0, 0, 0, 1, 3],
  maxHeld: 20,
});
framerContract({
  name: 'length-prefix behind a start, counting itself',
  framing: HEADED,
  alphabet: [0xaa, 0x55, 0, 1, 4],
  maxHeld: 19,
  prefix: [0xaa, 0x55],
});
framerContract({
  name: 'length-prefix behind two header bytes',
  framing: { ...BYTE, offset: 2, adjust: 3 },
  alphabet: [0, 1, 4, 253],
  maxHeld: 19,
});

test('the field says how much follows', (t) => {
  t.deepEqual(cut(BYTE, ['\x03abc\x00\x01', 'd']), ['frame abc', 'frame ', 'frame d']);
  t.deepEqual(cut({ type: 'length-prefix' }, ['\x00', '\x02', 'h', 'i']), ['frame hi']);
  t.deepEqual(cut({ type: 'length-prefix', endian: 'little' }, ['\x02\x00hi']), ['frame hi']);
});

test('header bytes stay in front of the frame, the field does not', (t) => {
  t.deepEqual(cut({ ...BYTE, offset: 2 }, ['AB\x02hiCD\x00']), ['frame ABhi', 'frame CD']);
});

test('an impossible length drops one byte and tries the next', (t) => {
  t.deepEqual(cut(BYTE, ['\xf0\xf1\x02hi']), ['bad-length \xf0\xf1', 'frame hi']);
});

test('a length that counts itself and is too small is impossible', (t) => {
  t.deepEqual(cut({ ...BYTE, adjust: -1 }, ['\x00\x03hi']), ['bad-length \x00', 'frame hi']);
});

test('with a start, what is skipped is one junk and the next start is taken', (t) => {
  t.deepEqual(cut(HEADED, ['noise\xaa', 'x\xaaU\x03hi\xaaU\xffzz\xaaU\x02!']), [
    'no-start noise\xaax',
    'frame \xaaUhi',
    'bad-length \xaaU\xffzz',
    'frame \xaaU!',
  ]);
});

test('the junk before a frame is reported before the frame is whole', (t) => {
  t.deepEqual(cut(HEADED, ['noise\xaaU\x08h'], 'none'), ['no-start noise']);
});

test('skipped bytes are reported at every max_length', (t) => {
  t.deepEqual(cut(HEADED, ['n'.repeat(40)], 'none'), [`no-start ${'n'.repeat(16)}`, `no-start ${'n'.repeat(16)}`]);
});

test('what is there of a frame when the link ends is partial', (t) => {
  t.deepEqual(cut(BYTE, ['\x05abc']), ['partial \x05abc']);
});

test('the length counts the checksum, on the way down too', (t) => {
  const config = framing({ ...BYTE, checksum: { type: 'crc16-modbus' } });
  const wire = makeFramer(config).wrap(Buffer.from('hi'));
  t.is(wire[0], 4);
  t.is(wire.length, 5);
  t.deepEqual(cut({ ...BYTE, checksum: { type: 'crc16-modbus' } }, [wire]), ['frame hi']);
});

test('a payload whose length the field cannot say is refused with its size', (t) => {
  const framer = makeFramer(framing(BYTE));
  t.is(framer.wrap(Buffer.alloc(255)).length, 256);
  t.throws(() => framer.wrap(Buffer.alloc(256)), { instanceOf: PayloadError, message: /256 bytes.*length field of 1/ });
  t.throws(() => makeFramer(framing({ ...BYTE, offset: 4 })).wrap(Buffer.alloc(3)), { instanceOf: PayloadError });
});

test('a config whose start is longer than its offset is refused', (t) => {
  t.false(framingSchema.safeParse({ ...BYTE, start: 'ab', offset: 1 }).success);
  t.true(framingSchema.safeParse({ ...BYTE, start: 'ab', offset: 2 }).success);
});
