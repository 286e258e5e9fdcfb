// What goes when there is no room, or when it is too old: whole blocks, oldest first, none that the uplink has been given.

import type { Clock } from '../core/clock.js';
import { type Drops, readBlock } from './drops.js';
import type { SpoolBlock } from './record.js';
import type { Shelf } from './shelf.js';
import type { StoredBlock } from './store.js';

/** Bytes that are read at a time to find what is too old. */
const EXPIRE_BYTES = 1024 * 1024;
/** A board without a clock of its own says 1970 until it is told the time: such an age means nothing. */
const CLOCK_IS_SET = Date.UTC(2020);

export class Eviction {
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #drops: Drops;
  #droppedTo = 0;

  /** `maxAgeMs` 0: nothing is ever too old. */
  constructor(clock: Clock, maxAgeMs: number, drops: Drops) {
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#drops = drops;
  }

  /** Number of the newest block that had to go so far. */
  get droppedTo(): number {
    return this.#droppedTo;
  }

  /** Drops the oldest blocks that make up `bytes`. False: there is nothing that could go. */
  async dropOldest(shelf: Shelf, bytes: number): Promise<boolean> {
    const blocks = await shelf.oldest(bytes);
    if (blocks.length === 0) return false;
    await shelf.remove(blocks);
    this.#note(blocks, 'fullOldest');
    return true;
  }

  /** Drops the oldest blocks as long as they are too old. */
  async dropExpired(shelf: Shelf): Promise<void> {
    if (this.#maxAgeMs === 0) return;
    const isFresh = (block: StoredBlock): boolean => !this.isExpired(readBlock(block));
    for (;;) {
      const blocks = await shelf.oldest(EXPIRE_BYTES, isFresh);
      if (blocks.length === 0) return;
      await shelf.remove(blocks);
      this.#note(blocks, 'tooOld');
    }
  }

  /** All of it is too old. */
  isExpired(block: SpoolBlock | undefined): boolean {
    if (this.#maxAgeMs === 0 || block === undefined) return false;
    const oldest = this.#clock.wall() - this.#maxAgeMs;
    return block.records.every(({ at }) => at >= CLOCK_IS_SET && at < oldest);
  }

  #note(blocks: readonly StoredBlock[], cause: 'fullOldest' | 'tooOld'): void {
    this.#droppedTo = Math.max(this.#droppedTo, blocks.at(-1)?.seq ?? 0);
    for (const block of blocks) this.#drops.block(block, cause);
  }
}
