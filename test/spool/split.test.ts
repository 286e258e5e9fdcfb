import test from 'ava';
import { encodeBlock } from '../../src/spool/block-codec.js';
import { countIn } from '../../src/spool/record.js';
import { splitRecords, withoutFirst } from '../../src/spool/split.js';
import { fc } from '../support/properties.js';
import { anyRecord, textsIn } from '../support/spool-records.js';

test('records in parts are the same messages, in order, and no part is too large unless one message is', (t) => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 12 }), fc.integer({ min: 20, max: 2000 }), (records, maxBytes) => {
      const parts = splitRecords(records, maxBytes);
      t.deepEqual(parts.flatMap(textsIn), textsIn(records));
      for (const part of parts) {
        t.true(countIn(part) > 0);
        t.true(encodeBlock(1, part).length <= maxBytes || countIn(part) === 1);
      }
    }),
  );
});

test('records without their first messages are the rest', (t) => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 6 }), fc.nat(80), (records, skip) => {
      const rest = withoutFirst(records, skip);
      t.deepEqual(textsIn(rest), textsIn(records).slice(skip));
    }),
  );
});
