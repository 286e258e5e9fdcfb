import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';
import { resyncContract } from '../../contracts/resync.js';
import { FrameLog } from '../../support/frame-log.js';
import { fc } from '../../support/properties.js';

framerContract({
  name: 'fixed',
  framing: { type: 'fixed', length: 5, max_length: 16 },
  alphabet: [0, 1, 2],
  maxHeld: 10,
});
framerContract({
  name: 'fixed, longer than it slides by single bytes',
  framing: { type: 'fixed', length: 600 },
  alphabet: [0, 1],
  maxHeld: 1200,
});

/** Good frames that may be passed over: one for each 256 bytes of length, and up to 8 that make the step coprime to it. */
function passedOver(length: number): number {
  return Math.ceil(length / 256) + 8;
}

for (const [name, lengths, runs] of [
  ['fixed', fc.integer({ min: 5, max: 256 }), 300],
  [
    'fixed over 256 bytes',
    fc.oneof(fc.integer({ min: 257, max: 3000 }), fc.constantFrom(257, 300, 512, 600, 2310)),
    60,
  ],
] as const) {
  resyncContract({
    name,
    framing: lengths.map((length) => ({ type: 'fixed', length })),
    payload: ({ length }) => fc.integer({ min: 1, max: 2 ** 31 }).map((seed) => bodyOf(Number(length) - 4, seed)),
    mayLose: ({ length }) => (Number(length) <= 256 ? 0 : passedOver(Number(length))),
    runs,
  });
}

function bodyOf(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => ((i + 1) * seed) >>> 5));
}

test('frames of every length find back after a lost byte', (t) => {
  for (const length of [256, 257, 300, 512, 2310, 4096, 65536]) {
    const framer = makeFramer(framing({ type: 'fixed', length, checksum: { type: 'crc16-modbus' } }));
    const log = new FrameLog();
    const wires = [1, 2, 3].map((seed) => framer.wrap(bodyOf(length - 2, seed * 7919)));
    const count = passedOver(length) + 3;
    for (let i = 0; i < count; i++) framer.push((wires[i % 3] ?? Buffer.alloc(0)).subarray(i === 0 ? 1 : 0), log);
    t.true(log.frames.length >= 2, `${length}: ${log.frames.length} of ${count}`);
    t.true(log.events.at(-1)?.startsWith('frame '), `${length}`);
  }
});

const SUM = { type: 'fixed', length: 3, checksum: { type: 'sum8' } };

test('every so many bytes are a frame', (t) => {
  t.deepEqual(cut({ type: 'fixed', length: 3 }, ['ab', 'cde', 'f', 'gh']), ['frame abc', 'frame def', 'partial gh']);
});

test('length counts, not max_length', (t) => {
  t.deepEqual(cut({ type: 'fixed', length: 3, max_length: 1 }, ['abc']), ['frame abc']);
});

test('the checksum is the last of the bytes, and stripped', (t) => {
  t.deepEqual(cut(SUM, ['\x01\x02\x03\x02\x02\x04']), ['frame \x01\x02', 'frame \x02\x02']);
});

test('with a checksum, bytes lost or added shift the frames only until the next good one', (t) => {
  t.deepEqual(cut(SUM, ['\x01\x02\x03\xff\x10\x20\x30\x20\x20\x40']), [
    'frame \x01\x02',
    'bad-checksum \xff',
    'frame \x10\x20',
    'frame \x20\x20',
  ]);
});

test('a wrong checksum is reported every `length` bytes, not only when the link ends', (t) => {
  t.deepEqual(cut(SUM, ['\x11\x12\xf3\x14\x15\xf6\x17\x18'], 'none'), [
    'bad-checksum \x11\x12\xf3',
    'bad-checksum \x14\x15\xf6',
  ]);
});

test('a measurement of an MH-Z19 (9 bytes) is read behind a torn one', (t) => {
  // The sensor's checksum is 0x100 minus a sum, so here the bare sum stands in for it.
  const frame = Buffer.from([0xff, 0x86, 0x01, 0xf4, 0x41, 0x00, 0x00, 0x00, 0xbb]);
  const config = { type: 'fixed', length: 9, checksum: { type: 'sum8' } };
  const [first, ...rest] = cut(config, [frame.subarray(4), frame, frame]);
  t.is(first, `bad-checksum ${frame.subarray(4).toString('latin1')}`);
  t.deepEqual(rest, Array(2).fill(`frame ${frame.subarray(0, 8).toString('latin1')}`));
});
