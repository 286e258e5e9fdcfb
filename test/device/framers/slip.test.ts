import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';

const SLIP = { type: 'slip', max_length: 16 };

framerContract({ name: 'slip', framing: SLIP, alphabet: [0xc0, 0xdb, 0xdc, 0xdd, 0x61], maxHeld: 32 });

test('END and ESC in a payload are escaped as in RFC 1055', (t) => {
  const framer = makeFramer(framing(SLIP));
  t.is(framer.wrap(Buffer.from('01c002db03', 'hex')).toString('hex'), 'c001dbdc02dbdd03c0');
  t.deepEqual(cut(SLIP, [Buffer.from('c001dbdc02dbdd03c0', 'hex')]), ['frame \x01\xc0\x02\xdb\x03']);
});

test('an escape that straddles chunks is one', (t) => {
  t.deepEqual(cut(SLIP, ['a\xdb', '\xdcb\xc0']), ['frame a\xc0b']);
});

test('nothing between two ENDs is no frame', (t) => {
  t.deepEqual(cut(SLIP, ['\xc0\xc0a\xc0\xc0\xc0b\xc0']), ['frame a', 'frame b']);
});

test('a frame without escapes is a slice of its chunk', (t) => {
  const chunk = Buffer.from('\xc0abc\xc0', 'latin1');
  makeFramer(framing(SLIP)).push(chunk, { frame: (bytes) => t.is(bytes, chunk), junk: () => t.fail() });
});

test('ESC before anything else than an escape code makes the frame junk', (t) => {
  t.deepEqual(cut(SLIP, ['a\xdbb\xc0ok\xc0a\xdb\xc0ok\xc0']), [
    'bad-escape a\xdbb',
    'frame ok',
    'bad-escape a\xdb',
    'frame ok',
  ]);
});

test('max_length counts the payload, not its escapes', (t) => {
  t.deepEqual(cut(SLIP, [`${'\xdb\xdc'.repeat(16)}\xc0`]), [`frame ${'\xc0'.repeat(16)}`]);
  t.deepEqual(cut(SLIP, [`${'a'.repeat(17)}\xc0ok\xc0`]), [`too-long ${'a'.repeat(16)} +1`, 'frame ok']);
  t.deepEqual(cut(SLIP, ['a'.repeat(30), `${'a'.repeat(30)}\xc0ok\xc0`]), [
    `too-long ${'a'.repeat(16)} +44`,
    'frame ok',
  ]);
});
