// Where blocks are kept: the small contract behind the spool. `level-store.ts` is the disk, `memory-store.ts` what stands in
// for it when the disk is full or broken; both pass test/contracts/store.ts. A store knows no policy: it neither drops nor
// decides when to write, and it does not look into a block.

/** Names a block, with what it counts for in the totals. */
export interface BlockRef {
  /** Sorts the blocks; also the number of its first message. */
  readonly seq: number;
  /** Messages in it. */
  readonly messages: number;
  /** Encoded bytes. */
  readonly size: number;
}

/** A block as a store sees it. */
export interface StoredBlock {
  readonly seq: number;
  readonly messages: number;
  /** Encoded records (block-codec.ts). */
  readonly bytes: Buffer;
}

/** What a store holds. */
export interface StoreTotals {
  readonly blocks: number;
  readonly messages: number;
  /** Encoded bytes of all blocks. */
  readonly bytes: number;
}

/** One open store. Calls may overlap; each sees the effect of those begun before it. They reject with StoreError. */
export interface Store {
  readonly totals: StoreTotals;
  /** The number that the next message has. Never falls, also over restarts and when everything has been removed. */
  readonly nextSeq: number;
  /** Messages that were kept before it was opened, and are not there any more. */
  readonly lost: number;
  /** Writes blocks, in order, all or none. Resolved: they outlive this process; with `sync` also a power cut. */
  append(blocks: readonly StoredBlock[]): Promise<void>;
  /** The first block from `seq` on; undefined: there is none. Whether its bytes are sound is for the reader to find out. */
  read(seq: number): Promise<StoredBlock | undefined>;
  /** Removes blocks that are there, all or none, and gives their space back before long. */
  remove(blocks: readonly BlockRef[]): Promise<void>;
  /** Puts `by` in the place of a block that is there. Its number lies before that of the next block. */
  replace(block: BlockRef, by: StoredBlock): Promise<void>;
  /** Gives the space of what was removed back to the system now, unless it is too little to be worth it. */
  reclaim(): Promise<void>;
  /** Counts what is really there, and goes on with that. Answers how many messages fewer there are than was thought. */
  recount(): Promise<number>;
  /** Bytes that it takes on the disk now, everything counted; 0 for one in memory. */
  usage(): Promise<number>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The reference of a block. */
export function refOf({ seq, messages, bytes }: StoredBlock): BlockRef {
  return { seq, messages, size: bytes.length };
}

/** Totals with some blocks more (or, with `sign` -1, fewer). */
export function plus(totals: StoreTotals, blocks: readonly BlockRef[], sign: 1 | -1 = 1): StoreTotals {
  let { messages, bytes } = totals;
  for (const block of blocks) {
    messages += sign * block.messages;
    bytes += sign * block.size;
  }
  return { blocks: totals.blocks + sign * blocks.length, messages, bytes };
}

/** Nothing. */
export const NO_TOTALS: StoreTotals = { blocks: 0, messages: 0, bytes: 0 };
