// Records to bytes and back: what stands in one block of a store.
//
//   version | crc32 | number of records | record | record | ...
//      1        4          varint
//
//   record: flags | device (length, UTF-8) | at | messages | length of each | bytes of all
//             1           varint, ...        8    varint      varint
//
// The CRC covers the number of the block and all that follows it, so that a block under another's number is found out too.
// Decoding copies nothing: the messages are slices of the block. It throws nothing but a StoreError.

import { crc32 } from 'node:zlib';
import type { Bounds } from '../core/bounds-pool.js';
import { ByteReader, varintSize, writeVarint } from './bytes.js';
import { messagesIn, type SpoolBlock, type SpoolRecord } from './record.js';
import { StoreError } from './store-error.js';

const VERSION = 1;
const CRC_AT = 1;
const BODY_AT = 5;
/** Flags, and `at` as a float. */
const RECORD_FIXED = 1 + 8;
/** Flags, the shortest name, `at`, no messages. */
const SMALLEST_RECORD = RECORD_FIXED + 2;

const FLAG_QOS_1 = 1;
const FLAG_RETAIN = 2;
const FLAG_DEAD_LETTER = 4;
const KNOWN_FLAGS = FLAG_QOS_1 | FLAG_RETAIN | FLAG_DEAD_LETTER;

/** Bytes around the records of a block, at most. */
export const BLOCK_OVERHEAD = BODY_AT + 5;

/** Bytes of a record without its messages, at most. */
export function headSize(record: Pick<SpoolRecord, 'device'>): number {
  const name = Buffer.byteLength(record.device);
  return RECORD_FIXED + varintSize(name) + name + 5;
}

/** Bytes of one message of `length`. */
export function messageSize(length: number): number {
  return varintSize(length) + length;
}

/** The bytes of a block. */
export function encodeBlock(seq: number, records: readonly SpoolRecord[]): Buffer {
  const bytes = Buffer.allocUnsafe(
    records.reduce((sum, record) => sum + recordSize(record), sizeOfCount(records.length)),
  );
  bytes[0] = VERSION;
  let end = writeVarint(bytes, BODY_AT, records.length);
  for (const record of records) end = writeRecord(bytes, end, record);
  bytes.writeUInt32LE(checksum(seq, bytes), CRC_AT);
  return bytes;
}

/** The records of a block, as slices of `bytes`. Throws a StoreError where they are not what was written under `seq`. */
export function decodeBlock(seq: number, bytes: Buffer): SpoolBlock {
  if (bytes.length < BODY_AT + 1) throw malformed(seq, `it has only ${bytes.length} bytes`);
  if (bytes[0] !== VERSION) throw malformed(seq, `its format ${bytes[0]} is not known to this version`);
  if (bytes.readUInt32LE(CRC_AT) !== checksum(seq, bytes)) throw malformed(seq, 'its checksum is wrong');
  const reader = new ByteReader(bytes, BODY_AT);
  const count = reader.varint();
  if (count * SMALLEST_RECORD > reader.left) throw malformed(seq, `it cannot hold ${count} records`);
  const records = Array.from({ length: count }, () => readRecord(reader));
  if (reader.failed || reader.left > 0) throw malformed(seq, 'its lengths do not add up');
  return { seq, records };
}

function sizeOfCount(count: number): number {
  return BODY_AT + varintSize(count);
}

function recordSize({ device, batch }: SpoolRecord): number {
  const name = Buffer.byteLength(device);
  const { bounds } = batch;
  let size = RECORD_FIXED + varintSize(name) + name + varintSize(bounds.length >>> 1);
  for (let i = 0; i + 1 < bounds.length; i += 2) size += messageSize(lengthAt(bounds, i));
  return size;
}

function lengthAt(bounds: Bounds, i: number): number {
  return (bounds[i + 1] ?? 0) - (bounds[i] ?? 0);
}

function writeRecord(bytes: Buffer, start: number, record: SpoolRecord): number {
  const { bounds } = record.batch;
  let at = start;
  bytes[at++] = flagsOf(record);
  at = writeVarint(bytes, at, Buffer.byteLength(record.device));
  at += bytes.write(record.device, at);
  at = bytes.writeDoubleLE(record.at, at);
  at = writeVarint(bytes, at, messagesIn(record));
  for (let i = 0; i + 1 < bounds.length; i += 2) at = writeVarint(bytes, at, lengthAt(bounds, i));
  for (let i = 0; i + 1 < bounds.length; i += 2) at += record.batch.bytes.copy(bytes, at, bounds[i], bounds[i + 1]);
  return at;
}

function flagsOf({ qos, retain, what }: SpoolRecord): number {
  return (qos === 1 ? FLAG_QOS_1 : 0) | (retain ? FLAG_RETAIN : 0) | (what === 'dead-letter' ? FLAG_DEAD_LETTER : 0);
}

function readRecord(reader: ByteReader): SpoolRecord {
  const flags = reader.byte();
  if ((flags & ~KNOWN_FLAGS) !== 0) reader.fail();
  const device = reader.slice(reader.varint()).toString();
  const at = reader.double();
  const count = reader.varint();
  // Each message takes at least the byte of its length: a wild count is found out before anything is allocated for it.
  if (count > reader.left) reader.fail();
  const bounds = readBounds(reader, reader.failed ? 0 : count);
  return {
    what: (flags & FLAG_DEAD_LETTER) === 0 ? 'readings' : 'dead-letter',
    device,
    qos: (flags & FLAG_QOS_1) === 0 ? 0 : 1,
    retain: (flags & FLAG_RETAIN) !== 0,
    at,
    batch: { bytes: reader.slice(bounds.at(-1) ?? 0), bounds },
  };
}

function readBounds(reader: ByteReader, count: number): number[] {
  const bounds: number[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    bounds.push(end);
    end += reader.varint();
    bounds.push(end);
  }
  return bounds;
}

function checksum(seq: number, bytes: Buffer): number {
  const number = Buffer.allocUnsafe(8);
  number.writeBigUInt64LE(BigInt(seq));
  return crc32(bytes.subarray(BODY_AT), crc32(number));
}

function malformed(seq: number, why: string): StoreError {
  return new StoreError('STORE_BLOCK', `block ${seq} of the spool cannot be read: ${why}`);
}
