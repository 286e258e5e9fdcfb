// What the spool keeps: messages of one device that came together, with all that is needed to publish them much later. The
// same shape as a batch of readings elsewhere (slices of one buffer), so that nothing is copied on the way in.

import type { Bounds } from '../core/bounds-pool.js';

/** Kept messages: readings, or dead letters (each a batch of one). */
export interface SpoolRecord {
  readonly what: 'readings' | 'dead-letter';
  readonly device: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Wall-clock ms at which the bytes were read. */
  readonly at: number;
  /** Message i is `bytes[bounds[2i], bounds[2i+1])`. */
  readonly batch: { readonly bytes: Buffer; readonly bounds: Bounds };
}

/** Messages in a record. */
export function messagesIn(record: Pick<SpoolRecord, 'batch'>): number {
  return record.batch.bounds.length >>> 1;
}

/** Messages in records. */
export function countIn(records: readonly SpoolRecord[]): number {
  return records.reduce((sum, record) => sum + messagesIn(record), 0);
}

/** Records that were written together. The unit of writing, replay and dropping. */
export interface SpoolBlock {
  /** Number of its first message; the others follow in order. Unique and rising over the life of the store. */
  readonly seq: number;
  readonly records: readonly SpoolRecord[];
}
