import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';
import { FrameLog } from '../../support/frame-log.js';

const LF = { type: 'line', max_length: 16 };
const CRLF = { ...LF, delimiter: '\r\n' };
const OVERLAP = { ...LF, delimiter: 'aab' };

framerContract({
  name: 'line',
  framing: LF,
  alphabet: [0x0a, 0x61],
  isLegal: (_, wire) => wire.indexOf('\n') === wire.length - 1,
});
framerContract({
  name: 'line with a delimiter of two bytes',
  framing: CRLF,
  alphabet: [0x0d, 0x0a, 0x61],
  isLegal: (_, wire) => wire.indexOf('\r\n') === wire.length - 2,
});
framerContract({
  name: 'line with a delimiter that overlaps itself',
  framing: OVERLAP,
  alphabet: [0x61, 0x62],
  isLegal: (_, wire) => wire.indexOf('aab') === wire.length - 3,
});

test('whole lines are slices of the chunk they came in', (t) => {
  const chunk = Buffer.from('one\ntwo\n');
  const seen: Buffer[] = [];
  makeFramer(framing(LF)).push(chunk, { frame: (bytes) => seen.push(bytes), junk: () => t.fail() });
  t.deepEqual(
    seen.map((bytes) => bytes === chunk),
    [true, true],
  );
});

test('a line in pieces is one frame', (t) => {
  t.deepEqual(cut(LF, ['on', 'e\ntw', 'o', '\n'], 'none'), ['frame one', 'frame two']);
});

test('an empty line is an empty frame', (t) => {
  t.deepEqual(cut(LF, ['\n\na\n'], 'none'), ['frame ', 'frame ', 'frame a']);
});

test('a delimiter that straddles chunks is found', (t) => {
  t.deepEqual(cut(CRLF, ['a\r', '\nb\r', 'c\r', '\r', '\n'], 'none'), ['frame a', 'frame b\rc\r']);
  t.deepEqual(cut(OVERLAP, ['xa', 'a', 'a', 'b'], 'none'), ['frame xa']);
});

test('a line of exactly max_length is a frame, one byte more is junk', (t) => {
  t.deepEqual(cut(LF, [`${'a'.repeat(16)}\n${'b'.repeat(17)}\nc\n`]), [
    `frame ${'a'.repeat(16)}`,
    `too-long ${'b'.repeat(16)} +1`,
    'frame c',
  ]);
});

test('a line in pieces over max_length is junk once, and the next line is a frame', (t) => {
  t.deepEqual(cut(CRLF, ['a'.repeat(10), 'a'.repeat(10), 'a'.repeat(10), '\r', '\nok\r\n']), [
    `too-long ${'a'.repeat(16)} +14`,
    'frame ok',
  ]);
});

test('a line of max_length with its delimiter in the next chunk is a frame', (t) => {
  t.deepEqual(cut(CRLF, [`${'a'.repeat(16)}\r`, '\n']), [`frame ${'a'.repeat(16)}`]);
});

test('half a line at the end of the link is partial', (t) => {
  t.deepEqual(cut(LF, ['a\nhal', 'f']), ['frame a', 'partial half']);
  t.deepEqual(cut(CRLF, ['half\r']), ['partial half\r']);
});

test('held counts the bytes of the unfinished line', (t) => {
  const framer = makeFramer(framing(LF));
  const log = new FrameLog();
  const held = ['', 'abc', 'd', '\nxy', 'y'.repeat(40), '\n'].map((text) => {
    framer.push(Buffer.from(text), log);
    return framer.held;
  });
  t.deepEqual(held, [0, 3, 4, 2, 16, 0]);
});

test('1 GiB without a delimiter is held as max_length bytes and reported as one junk', (t) => {
  const framer = makeFramer(framing({ type: 'line' }));
  const log = new FrameLog();
  const chunk = Buffer.alloc(64 * 1024, 'x');
  for (let i = 0; i < 16 * 1024; i++) framer.push(chunk, log);
  t.is(framer.held, 4096);
  t.deepEqual(log.events, []);
  framer.push(Buffer.from('\nok\n'), log);
  t.deepEqual(log.events, [`too-long ${'x'.repeat(4096)} +${1024 ** 3 - 4096}`, 'frame ok']);
});

test('what is kept of a chunk is a copy: the chunk can go, or be written over', (t) => {
  const framer = makeFramer(framing(LF));
  const log = new FrameLog();
  const chunk = Buffer.from('half');
  framer.push(chunk, log);
  chunk.fill('x');
  framer.push(Buffer.from(' line\n'), log);
  t.deepEqual(log.events, ['frame half line']);
});

test('a bad checksum makes the line junk, with the checksum in it', (t) => {
  const config = { ...LF, checksum: { type: 'xor8' } };
  t.deepEqual(cut(config, ['ab\x03\nab\x04\n\n']), ['frame ab', 'bad-checksum ab\x04', 'bad-checksum ']);
});
