// What the outbox takes: messages with their way to the broker, and what they cost while they wait. What of it may go to the
// spool, and how it comes back from there.

import { countOf, type ReadingBatch } from '../device/message.js';
import type { SpoolRecord } from '../spool/record.js';
import type { PublishRoute } from './publish-packet.js';

/** Messages of one device for one topic. A single message is a batch of one. */
export interface OutboxEntry {
  /** To whom drops and leftovers are counted. */
  readonly device: string;
  readonly route: PublishRoute;
  readonly batch: ReadingBatch;
  /**
   * Leaves before everything that is not urgent. `news` is worth telling in this session only: with its loss it is
   * forgotten and not counted, since its owner says with the next one what is true then. Nor is it counted where too much
   * of it waits: the messages of a recording are numbered, so that it notes what it misses.
   */
  readonly urgent?: 'answer' | 'news' | undefined;
  /** What the spool needs to keep it; absent for what is not worth keeping. */
  readonly keep?: { readonly what: SpoolRecord['what']; readonly at: number } | undefined;
  /** It comes from the spool. */
  readonly isKept?: boolean | undefined;
  /** Called once the broker has all of it, or has refused it; not when it is dropped or forgotten. Must not call back in. */
  readonly onDone?: (() => void) | undefined;
}

// What an entry and a reading cost besides their bytes: objects, two bounds. Rough, on the safe side.
const ENTRY_BYTES = 256;
const READING_BYTES = 16;

/** Bytes that an entry counts for wherever it waits. */
export function costOf({ batch }: Pick<OutboxEntry, 'batch'>): number {
  return batch.bytes.length + countOf(batch) * READING_BYTES + ENTRY_BYTES;
}

/** The same for the spool; undefined for what is not kept. */
export function recordOf({ device, route, batch, keep }: OutboxEntry): SpoolRecord | undefined {
  return keep && { what: keep.what, device, qos: route.qos, retain: route.retain, at: keep.at, batch };
}
