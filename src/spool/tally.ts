// What a level-store counts: all that was ever appended and removed. What is kept is the difference.

import { NO_TOTALS, plus, refOf, type StoredBlock, type StoreTotals } from './store.js';

/** Counts since the store was made, and the next number. */
export interface Tally {
  readonly nextSeq: number;
  readonly appended: StoreTotals;
  readonly removed: StoreTotals;
}

export const NEW_TALLY: Tally = { nextSeq: 1, appended: NO_TOTALS, removed: NO_TOTALS };

/** With these blocks appended. */
export function withAppended(tally: Tally, blocks: readonly StoredBlock[]): Tally {
  const nextSeq = blocks.reduce((next, block) => Math.max(next, block.seq + block.messages), tally.nextSeq);
  return { ...tally, nextSeq, appended: plus(tally.appended, blocks.map(refOf)) };
}

/** The tally as of the last removal, brought up to date by the last block. */
export function highest(tally: Tally, appended: StoreTotals, last: StoredBlock | undefined): Tally {
  const nextSeq = Math.max(tally.nextSeq, last === undefined ? 1 : last.seq + last.messages);
  return { nextSeq, appended: atLeast(tally.appended, appended), removed: tally.removed };
}

/** The larger of each. */
export function atLeast(one: StoreTotals, other: StoreTotals): StoreTotals {
  return {
    blocks: Math.max(one.blocks, other.blocks),
    messages: Math.max(one.messages, other.messages),
    bytes: Math.max(one.bytes, other.bytes),
  };
}

/** What `one` has more than `other`. */
export function difference(one: StoreTotals, other: StoreTotals): StoreTotals {
  return {
    blocks: one.blocks - other.blocks,
    messages: one.messages - other.messages,
    bytes: one.bytes - other.bytes,
  };
}
