// What lies on the disks of users. If one of these fails, a newer Ferrule would not find what an older one has kept: it needs a new
// version of the format, and has to read the old one too.

import test from 'ava';
import { decodeBlock, encodeBlock } from '../../src/spool/block-codec.js';
import { blockValue, decodeTally, END_KEY, encodeTally, keyOf, TALLY_KEY } from '../../src/spool/level-layout.js';
import type { SpoolRecord } from '../../src/spool/record.js';
import { READ_AT, textsIn } from '../support/spool-records.js';

const BLOCK = '0121eb2a6401070161000080aa6db779420201013132';
const VALUE = '9d95e6e201000000000002000000000003000000000078';
const TALLY = '01c2ca38d9040100000000000001000000000002000000000003000000000000'.padEnd(98, '0');

test('a block that was kept by an earlier version is read', (t) => {
  const batch = { bytes: Buffer.from('12'), bounds: [0, 1, 1, 2] };
  const record: SpoolRecord = { what: 'dead-letter', device: 'a', qos: 1, retain: true, at: READ_AT, batch };
  t.is(encodeBlock(258, [record]).toString('hex'), BLOCK);
  const { records } = decodeBlock(258, Buffer.from(BLOCK, 'hex'));
  t.deepEqual(textsIn(records), ['a:1', 'a:2']);
  t.like(records[0], { what: 'dead-letter', qos: 1, retain: true, at: READ_AT });
});

test('blocks and counts stand where an earlier version has put them', (t) => {
  t.is(TALLY_KEY.toString('hex'), '00');
  t.is(keyOf(258, 2).toString('hex'), '01000000000000010200000002');
  t.is(END_KEY.toString('hex'), '02');
  const stored = { seq: 258, messages: 2, bytes: Buffer.from('x') };
  t.is(blockValue(stored, { blocks: 1, messages: 2, bytes: 3 }).toString('hex'), VALUE);
  const nothing = { blocks: 0, messages: 0, bytes: 0 };
  const tally = { nextSeq: 260, appended: { blocks: 1, messages: 2, bytes: 3 }, removed: nothing };
  t.is(encodeTally(tally).toString('hex'), TALLY);
  t.deepEqual(decodeTally(Buffer.from(TALLY, 'hex')), tally);
});
