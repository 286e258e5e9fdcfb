import test from 'ava';
import { framingSchema } from '../../../src/config/framing-schema.js';
import { PayloadError } from '../../../src/device/framer.js';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';
import { resyncContract } from '../../contracts/resync.js';
import { FrameLog } from '../../support/frame-log.js';
import { fc } from '../../support/properties.js';

const BYTE = { type: 'length-prefix', length_bytes: 1, max_length: 16 };
const HEADED = { ...BYTE, offset: 2, start: [0xaa, 0x55], adjust: -1 };

framerContract({
  name: 'length-prefix',
  framing: { type: 'length-prefix', max_length: 16 },
  alphabet: [0, 1, 3],
  maxHeld: 18,
  maxHeldChecked: 54,
});
framerContract({
  name: 'length-prefix of four bytes, little',
  framing: { type: 'length-prefix', length_bytes: 4, endian: 'little', max_length: 16 },
  alphabet: [0, 0, 0, 1, 3],
  maxHeld: 20,
  maxHeldChecked: 60,
});
framerContract({
  name: 'length-prefix behind a start, counting itself',
  framing: HEADED,
  alphabet: [0xaa, 0x55, 0, 1, 4],
  maxHeld: 19,
  maxHeldChecked: 57,
  prefix: [0xaa, 0x55],
});
framerContract({
  name: 'length-prefix behind two header bytes',
  framing: { ...BYTE, offset: 2, adjust: 3 },
  alphabet: [0, 1, 4, 253],
  maxHeld: 19,
  maxHeldChecked: 57,
});

resyncContract({
  name: 'length-prefix',
  framing: fc.record({
    type: fc.constant('length-prefix'),
    length_bytes: fc.constantFrom(1, 2, 4),
    endian: fc.constantFrom('little', 'big'),
    offset: fc.integer({ min: 0, max: 3 }),
    adjust: fc.integer({ min: -4, max: 0 }),
    max_length: fc.integer({ min: 40, max: 600 }),
  }),
  payload: () => fc.uint8Array({ minLength: 3, maxLength: 36 }).map((bytes) => Buffer.from(bytes)),
  mayLose: () => 0,
  runs: 1000,
});
resyncContract({
  name: 'length-prefix behind a start',
  framing: fc.constant({ ...HEADED, max_length: 200 }),
  payload: () =>
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.concat([Buffer.from(HEADED.start), Buffer.from(bytes)])),
  mayLose: () => 0,
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

const CRC = { type: 'length-prefix', checksum: { type: 'crc16-modbus' } };
const SUM = { ...BYTE, max_length: 200, checksum: { type: 'sum8' } };

function wire(config: Readonly<Record<string, unknown>>, payload: string | Buffer): Buffer {
  return makeFramer(framing(config)).wrap(Buffer.from(payload));
}

test('frames that a wrong length has swallowed are frames when it has failed its checksum', (t) => {
  const torn = wire(CRC, 'torn');
  torn[1] = 40;
  const good = Array.from({ length: 10 }, (_, i) => wire(CRC, `good ${i}`));
  const log = new FrameLog();
  makeFramer(framing(CRC)).push(Buffer.concat([torn, ...good]), log);
  t.deepEqual(log.events, [
    `bad-checksum ${torn.toString('latin1')}`,
    ...Array.from({ length: 10 }, (_, i) => `frame good ${i}`),
  ]);
});

test('frames that a wrong length has swallowed are frames when the link ends before it is whole', (t) => {
  const torn = wire(CRC, 'torn');
  torn[0] = 5;
  const good = wire(CRC, 'good');
  t.deepEqual(cut(CRC, [torn, good, good, good.subarray(0, 5)]), [
    `bad-length ${torn.toString('latin1')}`,
    'frame good',
    'frame good',
    `partial ${good.toString('latin1', 0, 5)}`,
  ]);
});

test('behind a frame with a spoilt byte the next one is not waited with, whatever lengths its bytes could be', (t) => {
  const spoilt = wire(CRC, Buffer.alloc(40, 0x0f));
  spoilt[20] = 0x0e;
  const [log, framer] = [new FrameLog(), makeFramer(framing(CRC))];
  framer.push(spoilt, log);
  t.deepEqual(log.events, []);
  framer.push(wire(CRC, 'next'), log);
  t.deepEqual(log.events, [`bad-checksum ${spoilt.toString('latin1')}`, 'frame next']);
});

test('a frame with a wrong checksum is reported at once where no frame can begin in it', (t) => {
  const short = { ...CRC, max_length: '1KiB' };
  const spoilt = wire(short, 'abcdefg');
  spoilt.fill(0x7f, 8);
  const junk = `bad-checksum ${spoilt.toString('latin1')}`;
  t.deepEqual(cut(short, [spoilt, spoilt.subarray(0, 3)], 'none'), [junk]);
  t.deepEqual(cut(short, [spoilt, spoilt, wire(short, 'good')], 'none'), [junk, junk, 'frame good']);
});

test('with a checksum of one byte, what looks like a frame inside a spoilt one is none if the next frame is good', (t) => {
  const inner = wire(SUM, 'no');
  const spoilt = wire(SUM, Buffer.concat([Buffer.from('a'), inner, Buffer.from('b')]));
  spoilt[1] = 0x7a;
  const next = wire(SUM, 'next');
  t.deepEqual(cut(SUM, [spoilt, next.subarray(0, 3), next.subarray(3)]), [
    `bad-checksum ${spoilt.toString('latin1')}`,
    'frame next',
  ]);
});

test('with a checksum of one byte, frames that a wrong length has swallowed are found where two of them stand in a row', (t) => {
  const torn = wire(SUM, 'torn');
  torn[0] = 9; // up to the third byte of the next frame
  const good = wire(SUM, 'a good one');
  t.deepEqual(cut(SUM, [torn, ...Array(20).fill(good)]), [
    `bad-checksum ${torn.toString('latin1')}`,
    ...Array(20).fill('frame a good one'),
  ]);
});

test('zeros, which most checksums take for good, are no frame in a search', (t) => {
  const config = { ...CRC, checksum: { type: 'crc16-xmodem' } };
  const spoilt = wire(config, Buffer.from([9, 9, 0, 2, 0, 0, 9]));
  spoilt[3] = 8;
  t.deepEqual(cut(config, [spoilt, wire(config, 'next')]), [`bad-checksum ${spoilt.toString('latin1')}`, 'frame next']);
});

test('frames among bytes that all could be lengths are found in a search, every one', (t) => {
  const config = { ...CRC, max_length: '64KiB' };
  const framer = makeFramer(framing(config));
  const log = new FrameLog();
  const good = wire(config, Buffer.alloc(1000, 0x77));
  framer.push(good.subarray(7), log);
  for (let i = 0; i < 2000; i++) framer.push(good, log);
  t.is(log.frames.length, 2000);
});

test('long frames are found again where there is no time to check them as a whole: between frames that look longer still', (t) => {
  const config = { ...CRC, max_length: '64KiB' };
  const framer = makeFramer(framing(config));
  const log = new FrameLog();
  const good = wire(config, Buffer.alloc(300, 0x77));
  // In front of each good frame stands a head that promises some 60 KB, of which the good one is the first part.
  const round = Buffer.concat([Buffer.of(0xea, 0x60), good]);
  for (let i = 0; i < 1000; i++) framer.push(round, log);
  framer.flush('end', log);
  t.is(log.frames.length, 1000);
});
