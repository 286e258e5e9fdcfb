// Records into blocks: at most about 64 KiB each, so that one fits into little memory, is replayed in one go, and is little
// to lose. And a block without its first messages, once the broker has those.

import { BLOCK_OVERHEAD, headSize, messageSize } from './block-codec.js';
import { messagesIn, type SpoolRecord } from './record.js';

/** Encoded bytes of a block, at most; only a single larger message makes a larger one. */
export const BLOCK_BYTES = 64 * 1024;

/** Groups of records, in order, each at most `maxBytes` encoded. A record that is larger is parted between messages. */
export function splitRecords(records: readonly SpoolRecord[], maxBytes = BLOCK_BYTES): SpoolRecord[][] {
  const groups: SpoolRecord[][] = [];
  let group: SpoolRecord[] = [];
  let size = BLOCK_OVERHEAD;
  const finish = (): void => {
    if (group.length > 0) groups.push(group);
    group = [];
    size = BLOCK_OVERHEAD;
  };
  for (const record of records) {
    let from = 0;
    while (from < messagesIn(record)) {
      const fit = fitting(record, from, maxBytes - size, group.length === 0);
      if (fit.messages > 0) group.push(part(record, from, from + fit.messages));
      size += fit.bytes;
      from += fit.messages;
      if (from < messagesIn(record)) finish();
    }
  }
  finish();
  return groups;
}

/** The records without their first `messages` messages. */
export function withoutFirst(records: readonly SpoolRecord[], messages: number): SpoolRecord[] {
  const rest: SpoolRecord[] = [];
  let skip = messages;
  for (const record of records) {
    const count = messagesIn(record);
    if (skip < count) rest.push(part(record, skip, count));
    skip = Math.max(0, skip - count);
  }
  return rest;
}

/** Messages of a record from `from` on that fit into `room` bytes, and what they take; with `isFirst` at least one. */
function fitting(
  record: SpoolRecord,
  from: number,
  room: number,
  isFirst: boolean,
): { messages: number; bytes: number } {
  const { bounds } = record.batch;
  const count = messagesIn(record);
  let bytes = headSize(record);
  let next = from;
  while (next < count) {
    const size = messageSize((bounds[2 * next + 1] ?? 0) - (bounds[2 * next] ?? 0));
    if (bytes + size > room && !(isFirst && next === from)) break;
    bytes += size;
    next++;
  }
  return { messages: next - from, bytes };
}

function part(record: SpoolRecord, from: number, to: number): SpoolRecord {
  if (from === 0 && to === messagesIn(record)) return record;
  return { ...record, batch: { bytes: record.batch.bytes, bounds: record.batch.bounds.slice(2 * from, 2 * to) } };
}
