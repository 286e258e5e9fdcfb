import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';
import { resyncContract } from '../../contracts/resync.js';
import { fc } from '../../support/properties.js';

const STX = { type: 'start-end', max_length: 8 };
const LONG = { ...STX, start: '<<!', end: '>>' };

framerContract({
  name: 'start-end',
  framing: STX,
  alphabet: [2, 3, 0x61],
  isLegal: (_, wire) => wire.indexOf(3) === wire.length - 1,
});
framerContract({
  name: 'start-end with markers of several bytes',
  framing: LONG,
  alphabet: [0x3c, 0x21, 0x3e],
  isLegal: (_, wire) => wire.indexOf('>>', 3) === wire.length - 2,
});

const CHECKED = { type: 'start-end', max_length: 200 };
const CHECKED_FRAMER = makeFramer(framing({ ...CHECKED, checksum: { type: 'crc32' } }));

resyncContract({
  name: 'start-end',
  framing: fc.constant(CHECKED),
  // Nothing is escaped: neither payload nor checksum may hold the end marker.
  payload: () =>
    fc
      .uint8Array({ minLength: 1, maxLength: 30 })
      .map((bytes) => Buffer.from(bytes))
      .filter((bytes) => CHECKED_FRAMER.wrap(bytes).indexOf(3) === bytes.length + 5),
  mayLose: () => 0,
  runs: 1000,
});

test('what stands between the markers is a frame', (t) => {
  t.deepEqual(cut(STX, ['\x02ab\x03\x02', 'c', '\x03\x02\x03']), ['frame ab', 'frame c', 'frame ']);
});

test('bytes before a start are one junk, reported when the start comes', (t) => {
  t.deepEqual(cut(STX, ['no', 'ise'], 'none'), []);
  t.deepEqual(cut(STX, ['no', 'ise\x02ab\x03\r\n\x02c\x03']), [
    'no-start noise',
    'frame ab',
    'no-start \r\n',
    'frame c',
  ]);
  t.deepEqual(cut(STX, ['n'.repeat(20), '\x02ab\x03']), [`no-start ${'n'.repeat(8)} +12`, 'frame ab']);
});

test('markers may straddle chunks', (t) => {
  t.deepEqual(cut(LONG, ['<', '<', '<!a>', '>']), ['no-start <', 'frame a']);
});

test('a frame over max_length is junk up to the next start, even if its end was lost', (t) => {
  t.deepEqual(cut(STX, ['\x02abcdefghi', 'jk\x02ok\x03']), ['too-long abcdefgh +3', 'frame ok']);
  t.deepEqual(cut(STX, ['\x02abcdefghij\x03\x02ok\x03']), ['too-long abcdefgh +3', 'frame ok']);
  t.deepEqual(cut(STX, ['\x02abcdefgh\x03']), ['frame abcdefgh']);
});

test('half a frame at the end of the link is partial, bytes outside are not', (t) => {
  t.deepEqual(cut(STX, ['\x02ab']), ['partial ab']);
  t.deepEqual(cut(STX, ['ab']), ['no-start ab']);
  t.deepEqual(cut(STX, ['\x02abcdefghij']), ['too-long abcdefgh +2']);
});

test('a start inside a frame is payload', (t) => {
  t.deepEqual(cut(STX, ['\x02a\x02b\x03']), ['frame a\x02b']);
});

test('an XOR check character before ETX is verified and stripped', (t) => {
  const config = { ...STX, checksum: { type: 'xor8' } };
  const check = String.fromCharCode(0x57 ^ 0x31 ^ 0x32);
  t.deepEqual(cut(config, [`\x02W12${check}\x03\x02W13${check}\x03`]), ['frame W12', `bad-checksum W13${check}`]);
  t.is(makeFramer(framing(config)).wrap(Buffer.from('W12')).toString('latin1'), `\x02W12${check}\x03`);
});

test('a good frame is found in one whose end was lost however many starts stand in it', (t) => {
  const config = { type: 'start-end', max_length: '64KiB', checksum: { type: 'crc32' } };
  const good = makeFramer(framing(config)).wrap(Buffer.alloc(20_000, 2));
  const [lost, found, ...more] = cut(config, ['\x02lost', good]);
  t.is(lost, 'bad-checksum lost');
  t.is(found?.length, 'frame '.length + 20_000);
  t.deepEqual(more, []);
});

test('with a checksum, a frame whose end was lost does not take the next one with it', (t) => {
  const config = { ...STX, checksum: { type: 'xor8' } };
  t.deepEqual(cut(config, ['\x02ab\x02cd\x07\x03']), ['bad-checksum ab', 'frame cd']);
  t.deepEqual(cut({ ...LONG, max_length: 16, checksum: { type: 'xor8' } }, ['<<!a<<!b<<!cd\x07>>']), [
    'bad-checksum a<<!b',
    'frame cd',
  ]);
  t.deepEqual(cut(config, ['\x02ab\x02\0\x03', '\x02ab\x02\x03']), ['bad-checksum ab\x02\0', 'bad-checksum ab\x02']);
});
