// A block on its way into a store: as it was given, and as it will lie there.

import { encodeBlock } from './block-codec.js';
import { countIn, type SpoolBlock, type SpoolRecord } from './record.js';
import { splitRecords } from './split.js';
import type { StoredBlock } from './store.js';

export interface Draft {
  readonly block: SpoolBlock;
  readonly stored: StoredBlock;
}

/** Encoded bytes that go into one write. */
const WRITE_BYTES = 256 * 1024;

/** Records as blocks of about 64 KiB, numbered from `seq` on, in groups for one write each. */
export function* draftsOf(records: readonly SpoolRecord[], seq: number): Generator<Draft[]> {
  let drafts: Draft[] = [];
  let size = 0;
  let next = seq;
  for (const part of splitRecords(records)) {
    const stored = { seq: next, messages: countIn(part), bytes: encodeBlock(next, part) };
    drafts.push({ block: { seq: next, records: part }, stored });
    next += stored.messages;
    size += stored.bytes.length;
    if (size < WRITE_BYTES) continue;
    yield drafts;
    drafts = [];
    size = 0;
  }
  if (drafts.length > 0) yield drafts;
}
