// One store with what of it is out of hand: blocks that the uplink has been given, and blocks that are sent and wait for
// their removal, which is done for many at once. The spool has two shelves, the disk and the memory. Calls that wait are made
// one after the other (the spool's Serial sees to that); `give`, `done`, `trim`, `takeBack` and `rewind` may come at any time.
//
//   kept --next, give--> given --done--> gone --flush--> removed
//    ^                     |
//    '----- takeBack ------'
//
// Of a block that is taken back half sent, `next` gives the other half; what is sent is taken off the store with a flush, so
// that a disk that refuses writes can still be read on.

import { decodeBlock, encodeBlock } from './block-codec.js';
import { withoutFirst } from './split.js';
import { type BlockRef, refOf, type Store, type StoredBlock } from './store.js';
import { StoreError } from './store-error.js';

/** A block that the uplink has been given. */
export interface Hold {
  shelf: Shelf;
  ref: BlockRef;
  /** Its first messages that the broker has and that still stand in the store. */
  toTrim: number;
  /** Those that have been taken off the stored block since it was given; below 0: those that still stood in it then. */
  trimmed: number;
}

export class Shelf {
  /** The open store; undefined while it cannot be opened. */
  store: Store | undefined;
  readonly #given = new Map<number, Hold>();
  /** By number; what `flush` removes. */
  readonly #gone = new Map<number, BlockRef>();
  /** Taken back with messages that the broker has. */
  #toTrim: Hold[] = [];
  #cursor = 0;
  /** Times that it began anew with the first block. */
  #rewinds = 0;
  /** `next` found nothing, whatever the count says. */
  #isSpent = false;

  constructor(store?: Store) {
    this.store = store;
  }

  /** Blocks that `next` would come to. */
  get left(): number {
    if (this.#isSpent) return 0;
    const { blocks = 0 } = this.store?.totals ?? {};
    return Math.max(0, blocks - this.#given.size - this.#gone.size);
  }

  /** Nothing lies there, not even what waits for its removal. */
  get isEmpty(): boolean {
    return (this.store?.totals.blocks ?? 0) === 0;
  }

  /** Messages kept, given ones included, as far as the broker does not have them. */
  get messages(): number {
    const { messages = 0 } = this.store?.totals ?? {};
    const holds = [...this.#given.values(), ...this.#toTrim];
    const sent = holds.reduce((sum, { toTrim }) => sum + toTrim, this.#goneSum('messages'));
    return Math.max(0, messages - sent);
  }

  /** Encoded bytes kept, given ones included. */
  get bytes(): number {
    const { bytes = 0 } = this.store?.totals ?? {};
    return Math.max(0, bytes - this.#goneSum('size'));
  }

  /** Blocks that wait for their removal. */
  get gone(): number {
    return this.#gone.size;
  }

  /** Messages in blocks that are given. */
  get givenMessages(): number {
    return [...this.#given.values()].reduce((sum, { ref, toTrim }) => sum + ref.messages - toTrim, 0);
  }

  /** The oldest block that is neither given nor gone, without what the broker has of it. */
  async next(): Promise<StoredBlock | undefined> {
    for (;;) {
      const rewinds = this.#rewinds;
      const block = await this.store?.read(this.#cursor);
      if (rewinds !== this.#rewinds) continue;
      if (block === undefined) return undefined;
      if (!this.#isOut(block.seq)) return this.#unsent(block);
      this.#cursor = block.seq + 1;
    }
  }

  /** Gives a block out, as `next` or `append` had it. */
  give(ref: BlockRef): Hold {
    const taken = this.#takenBackAs(ref);
    const sent = taken?.toTrim ?? 0;
    const hold: Hold = { shelf: this, ref: taken?.ref ?? ref, toTrim: sent, trimmed: -sent };
    this.#forgetTakenBack(taken);
    this.#given.set(hold.ref.seq, hold);
    return hold;
  }

  /** All of a given block is at the broker. */
  done({ ref }: Hold): void {
    if (this.#given.delete(ref.seq)) this.#gone.set(ref.seq, ref);
  }

  /** The first messages of a block, as it was given, are at the broker. */
  trim(hold: Hold, messages: number): void {
    hold.toTrim = Math.max(hold.toTrim, messages - hold.trimmed);
  }

  /** A given block is so no more. */
  takeBack(hold: Hold): void {
    if (!this.#given.delete(hold.ref.seq)) return;
    if (hold.toTrim >= hold.ref.messages) this.#gone.set(hold.ref.seq, hold.ref);
    else if (hold.toTrim > 0) this.#toTrim.push(hold);
    this.restart();
  }

  /** The same with all that is given. */
  rewind(): void {
    for (const hold of [...this.#given.values()]) this.takeBack(hold);
    this.restart();
  }

  /** Looks from the first block on again. */
  restart(): void {
    this.#cursor = 0;
    this.#isSpent = false;
    this.#rewinds += 1;
  }

  /** There is nothing to be had, whatever the count says: nobody asks again until something changes. */
  spend(): void {
    this.#isSpent = true;
  }

  /** A block that is not given, as `next` had it, is to be removed with the next flush. */
  discard(ref: BlockRef): void {
    const taken = this.#takenBackAs(ref);
    this.#forgetTakenBack(taken);
    const stored = taken?.ref ?? ref;
    this.#gone.set(stored.seq, stored);
  }

  /** Removes what is gone, and takes off what the broker has of blocks that are given. */
  async flush(): Promise<void> {
    if (this.store === undefined) return;
    await this.#trimTakenBack();
    for (const hold of [...this.#given.values()]) await this.#trim(hold);
    const refs = [...this.#gone.values()];
    if (refs.length === 0) return;
    await this.store.remove(refs);
    for (const { seq } of refs) this.#gone.delete(seq);
  }

  /** Adds new blocks. */
  async append(blocks: readonly StoredBlock[]): Promise<void> {
    if (blocks.length === 0) return;
    await this.store?.append(blocks);
    this.#isSpent = false;
  }

  /** Removes blocks that are neither given nor gone. */
  async remove(blocks: readonly StoredBlock[]): Promise<void> {
    await this.store?.remove(blocks.map(refOf));
  }

  /** The oldest blocks that are neither given nor gone, until they make up `bytes` or `stop` says so. */
  async oldest(bytes: number, stop: (block: StoredBlock) => boolean = () => false): Promise<StoredBlock[]> {
    await this.#trimTakenBack();
    const blocks: StoredBlock[] = [];
    let from = 0;
    for (let found = 0; found < bytes; ) {
      const block = await this.store?.read(from);
      if (block === undefined) break;
      from = block.seq + 1;
      if (this.#isOut(block.seq)) continue;
      if (stop(block)) break;
      blocks.push(block);
      found += block.bytes.length;
    }
    return blocks;
  }

  /** The first block that is not gone. */
  async first(): Promise<StoredBlock | undefined> {
    await this.flush();
    return this.store?.read(0);
  }

  /**
   * The store was closed after it had refused a write, and is open again: that write may have come through all the same, and must
   * not be asked for again. Answers how many messages are not there any more for that.
   */
  async recheck(): Promise<number> {
    let removed = 0;
    for (const ref of [...this.#gone.values()]) {
      const there = await this.#find(ref);
      removed += ref.messages - (there?.messages ?? 0);
      this.#gone.delete(ref.seq);
      if (there !== undefined) this.#gone.set(there.seq, there);
    }
    for (const hold of [...this.#given.values(), ...this.#toTrim]) {
      const there = await this.#find(hold.ref);
      if (there === undefined || there.seq === hold.ref.seq) continue;
      removed += there.seq - hold.ref.seq;
      this.#trimmedTo(hold, there);
    }
    return removed;
  }

  /** A block now lies on another shelf, as `ref`; whatever is known of it moves there. */
  handOver(other: Shelf, seq: number, ref: BlockRef): void {
    const hold = this.#given.get(seq) ?? this.#toTrim.find((taken) => taken.ref.seq === seq);
    if (this.#gone.delete(seq)) other.discard(ref);
    if (hold === undefined) return;
    if (this.#given.delete(seq)) other.#given.set(ref.seq, hold);
    else other.#toTrim.push(hold);
    this.#forgetTakenBack(hold);
    hold.shelf = other;
    hold.ref = ref;
  }

  /** A stored block without its first messages, where it was taken back with those sent. */
  #unsent(block: StoredBlock): StoredBlock {
    const taken = this.#toTrim.find(({ ref }) => ref.seq === block.seq);
    const rest = taken && restOf(block, taken.ref, taken.toTrim);
    if (rest === undefined) this.#forgetTakenBack(taken); // it cannot be parted: whoever reads it finds out
    return rest ?? block;
  }

  /** The hold of a block that was taken back half sent, by its other half. */
  #takenBackAs({ seq }: BlockRef): Hold | undefined {
    return this.#toTrim.find(({ ref, toTrim }) => ref.seq + toTrim === seq);
  }

  #forgetTakenBack(hold: Hold | undefined): void {
    if (hold !== undefined) this.#toTrim = this.#toTrim.filter((taken) => taken !== hold);
  }

  #isOut(seq: number): boolean {
    return this.#given.has(seq) || this.#gone.has(seq);
  }

  #goneSum(of: 'messages' | 'size'): number {
    let sum = 0;
    for (const ref of this.#gone.values()) sum += ref[of];
    return sum;
  }

  async #trimTakenBack(): Promise<void> {
    for (let hold = this.#toTrim[0]; hold !== undefined; hold = this.#toTrim[0]) {
      await this.#trim(hold);
      this.#toTrim.shift();
    }
  }

  /** Puts the rest of a block in its place. The hold may be done or taken back meanwhile. */
  async #trim(hold: Hold): Promise<void> {
    const { ref, toTrim } = hold;
    if (toTrim === 0 || toTrim >= ref.messages || this.store === undefined) return;
    const rest = restOf(await this.store.read(ref.seq), ref, toTrim);
    if (rest === undefined) return;
    await this.store.replace(ref, rest);
    this.#trimmedTo(hold, refOf(rest));
  }

  #trimmedTo(hold: Hold, rest: BlockRef): void {
    const { seq } = hold.ref;
    hold.ref = rest;
    hold.toTrim -= rest.seq - seq;
    hold.trimmed += rest.seq - seq;
    if (this.#given.delete(seq)) this.#given.set(rest.seq, hold);
    if (this.#gone.delete(seq)) this.#gone.set(rest.seq, rest);
  }

  /** What is there of a block: all of it, or what a trim has left. */
  async #find({ seq, messages }: BlockRef): Promise<BlockRef | undefined> {
    const block = await this.store?.read(seq);
    return block !== undefined && block.seq < seq + messages ? refOf(block) : undefined;
  }
}

/** A block without its first messages; undefined: it is not what was expected. */
function restOf(block: StoredBlock | undefined, { seq }: BlockRef, skip: number): StoredBlock | undefined {
  if (block?.seq !== seq) return undefined;
  try {
    const records = withoutFirst(decodeBlock(seq, block.bytes).records, skip);
    return { seq: seq + skip, messages: block.messages - skip, bytes: encodeBlock(seq + skip, records) };
  } catch (error) {
    if (error instanceof StoreError) return undefined; // whoever reads it next finds out
    throw error;
  }
}
