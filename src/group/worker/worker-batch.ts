// What was pushed into a WorkerDecoder and is not decoded yet, as entries in order; and the packing of entries into the one
// ArrayBuffer that travels. The main thread keeps the entries until they are decoded: after a crash only the one that the Worker
// was at is lost, the others go to its successor.

import { ACTS, type Act, type BatchMessage } from './worker-protocol.js';

/** A chunk of bytes, or something to be done between two chunks (no bytes). */
export interface DecodeEntry {
  readonly act: Act;
  readonly bytes: Buffer;
  /** Monotonic ms of its arrival, and the same by the wall clock. */
  readonly at: number;
  readonly wall: number;
}

/** Bounds of a batch: what a Worker copies at a time, and how old its news may get. */
const MAX_BATCH_BYTES = 256 * 1024;
const MAX_BATCH_ENTRIES = 4096;

/** How many of the first of `entries` go into one batch: at least one, if there is any. */
export function batchLength(entries: readonly DecodeEntry[]): number {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += entry.bytes.length;
    if (index > 0 && (bytes > MAX_BATCH_BYTES || index >= MAX_BATCH_ENTRIES)) return index;
  }
  return entries.length;
}

/** Copies the entries into a message whose buffers may be transferred: a chunk's own memory may be a pool shared with others. */
export function packBatch(entries: readonly DecodeEntry[], sentAt: number): BatchMessage {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + entry.bytes.length, 0));
  const acts = new Uint8Array(entries.length);
  const ends = new Uint32Array(entries.length);
  const ats = new Float64Array(entries.length);
  let end = 0;
  for (const [index, entry] of entries.entries()) {
    bytes.set(entry.bytes, end);
    end += entry.bytes.length;
    acts[index] = ACTS.indexOf(entry.act);
    ends[index] = end;
    ats[index] = entry.at;
  }
  return { kind: 'batch', bytes: bytes.buffer, acts, ends, ats, sentAt };
}

/** The entries of a batch as the Worker takes them; the bytes are views of the one buffer. */
export function* unpackBatch({ bytes, acts, ends, ats }: BatchMessage): Generator<Omit<DecodeEntry, 'wall'>> {
  let start = 0;
  for (const [index, end] of ends.entries()) {
    const act = ACTS[acts[index] ?? 0] ?? 'push';
    yield { act, bytes: Buffer.from(bytes, start, end - start), at: ats[index] ?? 0 };
    start = end;
  }
}
