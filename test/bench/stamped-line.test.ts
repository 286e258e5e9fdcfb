import test from 'ava';
import {
  deviceAt,
  isIntact,
  numberAt,
  numberBlock,
  PAYLOAD_BYTES,
  STAMPED_BYTES,
  stampBlock,
  stampedBlock,
  stampedLine,
  timeAt,
} from './stamped-line.js';

test('a line says its device, number and time, and is read back from wherever it lies', (t) => {
  const bytes = Buffer.concat([Buffer.from('junk'), stampedLine(17, 1_234_567_890, 98_765_432_101)]);
  t.is(bytes.length, 4 + STAMPED_BYTES);
  t.is(bytes.at(-1), 0x0a);
  t.true(isIntact(bytes, 4, PAYLOAD_BYTES));
  t.deepEqual([deviceAt(bytes, 4), numberAt(bytes, 4), timeAt(bytes, 4)], [17, 1_234_567_890, 98_765_432_101]);
});

test('a block numbers its lines one after the other and stamps them all', (t) => {
  const block = stampedBlock(3, 12);
  numberBlock(block, 95);
  stampBlock(block, 777);
  for (let n = 0; n < 12; n += 1) {
    const at = n * STAMPED_BYTES;
    t.deepEqual([deviceAt(block, at), numberAt(block, at), timeAt(block, at)], [3, 95 + n, 777]);
  }
});

test('the time lies in the last 16 bytes, which a device writes last', (t) => {
  const [early, late] = [stampedLine(1, 2, 3), stampedLine(1, 2, 999_999_999_999_999)];
  t.deepEqual(early.subarray(0, 48), late.subarray(0, 48));
});

test('a payload that lacks, gains or changes any one byte is damaged', (t) => {
  const line = stampedLine(1, 2, 3);
  t.false(isIntact(line, 0, PAYLOAD_BYTES - 1));
  t.false(isIntact(line, 0, PAYLOAD_BYTES + 1));
  for (let at = 0; at < PAYLOAD_BYTES; at += 1) {
    const garbled = Buffer.from(line);
    garbled[at] = 0x23;
    t.false(isIntact(garbled, 0, PAYLOAD_BYTES), `byte ${at}`);
  }
});
