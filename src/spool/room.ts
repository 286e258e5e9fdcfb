// How much fits onto the disk. What counts is what the folder really takes, marks, logs and half-merged tables included; that
// is measured now and then, and reckoned in between. Some of the bound is kept free, for what a merge takes while it runs.

import { writeBufferFor } from './level-store.js';
import type { Store } from './store.js';

/** What a block takes on the disk beside its bytes. */
const BLOCK_EXTRA = 96;

export class Room {
  readonly #limit: number;
  #measured = 0;
  #added = 0;
  /** Reckoned in before it is written, so that no measure finds it. */
  #reserved = 0;

  /** `maxBytes`: what the folder may take, at any time. */
  constructor(maxBytes: number) {
    this.#limit = maxBytes - headRoom(maxBytes);
  }

  /** Whether a block of so many bytes fits, as far as reckoned. */
  fits(bytes: number): boolean {
    return this.#measured + this.#added + this.#reserved + bytes + BLOCK_EXTRA <= this.#limit;
  }

  /** Whether it could fit into an empty store. */
  couldFit(bytes: number): boolean {
    return bytes + BLOCK_EXTRA <= this.#limit;
  }

  /** A block is going to be written. */
  reserve(bytes: number): void {
    this.#reserved += bytes + BLOCK_EXTRA;
  }

  /** What was reserved has been written, as far as anybody knows. */
  written(): void {
    this.#added += this.#reserved;
    this.#reserved = 0;
  }

  async measure(store: Store): Promise<void> {
    this.#measured = await store.usage();
    this.#added = 0;
  }
}

/** Two write buffers in their logs, one on its way to a table, and a table that is merged. */
function headRoom(maxBytes: number): number {
  return Math.max(4 * writeBufferFor(maxBytes), Math.floor(maxBytes / 8));
}
