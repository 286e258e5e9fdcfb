import test from 'ava';
import { OutCheck } from '../../src/hil/out-check.js';
import { fc } from '../support/properties.js';

test('the same bytes are the same, whatever the chunks and whoever comes first', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (bytes, steps) => {
      const check = new OutCheck();
      const at = { expected: 0, actual: 0 };
      for (const [isExpected, size] of [...steps, [true, bytes.length], [false, bytes.length]] as const) {
        const side = isExpected ? 'expected' : 'actual';
        const piece = Buffer.from(bytes.subarray(at[side], at[side] + size));
        at[side] += size;
        if (isExpected) check.expect(piece);
        else check.take(piece);
      }
      t.is(check.result(), undefined);
      t.true(check.isEven);
      t.is(check.matched, bytes.length);
    }),
  );
});

test('the first difference is told with its place, and stays', (t) => {
  const check = new OutCheck();
  check.expect(Buffer.from('TARE\n'));
  check.take(Buffer.from('TAKE\n'));
  check.take(Buffer.from('more'));
  t.false(check.isOpen);
  t.is(check.result(), 'after 2 bytes: expected "RE\\n", the gateway wrote "KE\\n"');
});

test('what is missing, and what is too much, is told at the end', (t) => {
  const silent = new OutCheck();
  silent.expect(Buffer.from('TARE\n'));
  t.is(silent.result(), 'after 0 bytes: the gateway has not written 5 bytes, "TARE\\n"');
  const talkative = new OutCheck();
  talkative.take(Buffer.alloc(100, 'x'));
  t.is(talkative.result(), `after 0 bytes: the gateway has also written 100 bytes, "${'x'.repeat(32)}"...`);
});

test('who is a megabyte ahead says something else', (t) => {
  const check = new OutCheck();
  check.take(Buffer.alloc(1024 * 1024 + 1));
  t.false(check.isOpen);
});
