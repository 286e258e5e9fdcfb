// What stands in a level-store, key by key. Keys sort as bytes.
//
//   00                           the tally as of the last removal
//   01 | seq (8) | messages (4)  a block: crc32 (4) | counted with it: blocks, messages, bytes (6 each) | encoded records
//
// Why so: a key that every append rewrites would make each table file overlap all others, and LevelDB would then merge
// everything with everything, again and again. So an append writes nothing but its blocks, each with the running count of all
// that was ever appended; only a removal writes the tally. What is kept = the highest count seen - what was removed.

import { crc32 } from 'node:zlib';
import type { StoredBlock, StoreTotals } from './store.js';
import type { Tally } from './tally.js';

export const TALLY_KEY = Buffer.from([0]);
const BLOCK_KIND = 1;
const KEY_SIZE = 13;
/** After all blocks. */
export const END_KEY = Buffer.from([BLOCK_KIND + 1]);

const TALLY_VERSION = 1;
const CRC_SIZE = 4;
const TOTALS_SIZE = 18;
const VALUE_HEAD = CRC_SIZE + TOTALS_SIZE;
const TALLY_SIZE = 1 + CRC_SIZE + 8 + 2 * TOTALS_SIZE;

/** The key of a block; without `messages` a key before all blocks from `seq` on. */
export function keyOf(seq: number, messages = 0): Buffer {
  const key = Buffer.allocUnsafe(KEY_SIZE);
  key[0] = BLOCK_KIND;
  key.writeBigUInt64BE(BigInt(Math.max(0, seq)), 1);
  key.writeUInt32BE(messages, 9);
  return key;
}

/** The value of a block. */
export function blockValue(block: StoredBlock, appended: StoreTotals): Buffer {
  const value = Buffer.allocUnsafe(VALUE_HEAD + block.bytes.length);
  writeTotals(value, CRC_SIZE, appended);
  value.writeUInt32LE(crc32(value.subarray(CRC_SIZE, VALUE_HEAD)), 0);
  block.bytes.copy(value, VALUE_HEAD);
  return value;
}

/** A block from its key and value. A key or value that is damaged gives a block that does not decode. */
export function blockFrom(key: Buffer, value: Buffer): StoredBlock {
  if (key.length !== KEY_SIZE) return { seq: 0, messages: 0, bytes: value };
  return { seq: Number(key.readBigUInt64BE(1)), messages: key.readUInt32BE(9), bytes: value.subarray(VALUE_HEAD) };
}

/** The running count in a block's value; undefined: damaged. */
export function appendedIn(value: Buffer): StoreTotals | undefined {
  if (value.length < VALUE_HEAD) return undefined;
  if (value.readUInt32LE(0) !== crc32(value.subarray(CRC_SIZE, VALUE_HEAD))) return undefined;
  return readTotals(value, CRC_SIZE);
}

export function encodeTally({ nextSeq, appended, removed }: Tally): Buffer {
  const bytes = Buffer.allocUnsafe(TALLY_SIZE);
  bytes[0] = TALLY_VERSION;
  bytes.writeBigUInt64LE(BigInt(nextSeq), 1 + CRC_SIZE);
  writeTotals(bytes, 1 + CRC_SIZE + 8, appended);
  writeTotals(bytes, 1 + CRC_SIZE + 8 + TOTALS_SIZE, removed);
  bytes.writeUInt32LE(crc32(bytes.subarray(1 + CRC_SIZE)), 1);
  return bytes;
}

/** undefined: damaged. */
export function decodeTally(bytes: Buffer): Tally | undefined {
  if (bytes.length !== TALLY_SIZE || bytes[0] !== TALLY_VERSION) return undefined;
  if (bytes.readUInt32LE(1) !== crc32(bytes.subarray(1 + CRC_SIZE))) return undefined;
  return {
    nextSeq: Number(bytes.readBigUInt64LE(1 + CRC_SIZE)),
    appended: readTotals(bytes, 1 + CRC_SIZE + 8),
    removed: readTotals(bytes, 1 + CRC_SIZE + 8 + TOTALS_SIZE),
  };
}

function writeTotals(bytes: Buffer, at: number, { blocks, messages, bytes: size }: StoreTotals): void {
  bytes.writeUIntLE(blocks, at, 6);
  bytes.writeUIntLE(messages, at + 6, 6);
  bytes.writeUIntLE(size, at + 12, 6);
}

function readTotals(bytes: Buffer, at: number): StoreTotals {
  return {
    blocks: bytes.readUIntLE(at, 6),
    messages: bytes.readUIntLE(at + 6, 6),
    bytes: bytes.readUIntLE(at + 12, 6),
  };
}
