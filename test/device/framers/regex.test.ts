import test from 'ava';
import { framingSchema } from '../../../src/config/framing-schema.js';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';

function regex(pattern: string) {
  return { type: 'regex', pattern, max_length: 16 };
}

const ALPHABET = [...Buffer.from('ab1;')];
for (const pattern of [
  '(\\d+);',
  'a*b?',
  'a.*b|a',
  '^a(b)?;',
  'b(?=;)',
  'a(?!b)',
  '\\bab\\b',
  'a$|b',
  '[$]?a\\$?;',
  '\\$a[^$]*;',
  '[\\]$]+a',
  '(?<=a)b',
  '(a|ab)(1|b1)',
  '(a)\\1',
]) {
  framerContract({ name: `regex ${pattern}`, framing: regex(pattern), alphabet: ALPHABET, isLegal: false });
}

test('group 1 is the frame, what stands before the match is junk', (t) => {
  t.deepEqual(cut(regex('([\\d.]+)kg'), ['ST,+12.5kg', ' 13', 'kg'], 'none'), [
    'no-start ST,+',
    'frame 12.5',
    'no-start  ',
    'frame 13',
  ]);
});

test('without a group the match is the frame; a group that took no part is as none', (t) => {
  t.deepEqual(cut(regex('\\d+;'), ['12;']), ['frame 12;']);
  t.deepEqual(cut(regex('(\\d)?x'), ['x']), ['frame x']);
});

test('a frame is handed on with the byte that completes it', (t) => {
  t.deepEqual(cut(regex('(\\w+)\\r\\n'), ['OK\r'], 'none'), []);
  t.deepEqual(cut(regex('(\\w+)\\r\\n'), ['OK\r', '\n'], 'none'), ['frame OK']);
});

test('a pattern that does not say what ends a frame matches as early as it can', (t) => {
  t.deepEqual(cut(regex('\\d+'), ['123']), ['frame 1', 'frame 2', 'frame 3']);
});

test('empty matches are no frames', (t) => {
  t.deepEqual(cut(regex('a*'), ['xxa']), ['no-start xx', 'frame a']);
});

test('a full window gives up its older half', (t) => {
  t.deepEqual(cut(regex('(\\d+);'), ['0123456789abcdefghi', '1;']), [
    'too-long 01234567',
    'no-start 89abcdefghi',
    'frame 1',
  ]);
});

test('text without a match is partial when the link ends', (t) => {
  t.deepEqual(cut(regex('x'), ['abc']), ['partial abc']);
});

test('bytes above 127 are characters of their own', (t) => {
  t.deepEqual(cut(regex('(\\xb0.);'), ['\xb0\xff;']), ['frame \xb0\xff']);
});

test('a $ that is escaped or in a set is a character', (t) => {
  t.deepEqual(cut(regex('\\$(\\w+);'), ['x$GP;$', 'a;']), ['no-start x', 'frame GP', 'frame a']);
  t.deepEqual(cut(regex('[$#](\\w+);'), ['$a;#b;']), ['frame a', 'frame b']);
  t.deepEqual(cut(regex('a$'), ['ba', 'a']), ['no-start b', 'frame a', 'frame a']);
});

test('wrap adds nothing', (t) => {
  t.is(
    makeFramer(framing(regex('x')))
      .wrap(Buffer.from('abc'))
      .toString(),
    'abc',
  );
});

test('a config with a pattern that is none is refused', (t) => {
  t.false(framingSchema.safeParse(regex('(')).success);
});
