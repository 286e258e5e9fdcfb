// Keeps blocks in memory while the disk cannot be used, within a bound.

import type { Draft } from './draft.js';
import type { Drops } from './drops.js';
import type { Eviction } from './eviction.js';
import { MemoryStore } from './memory-store.js';
import { Shelf } from './shelf.js';
import type { WhenFull } from './when-full.js';

export class MemoryKeeper {
  readonly shelf = new Shelf(new MemoryStore());
  readonly #maxBytes: number;
  readonly #whenFull: WhenFull;
  readonly #eviction: Eviction;
  readonly #drops: Drops;

  constructor(maxBytes: number, whenFull: WhenFull, eviction: Eviction, drops: Drops) {
    this.#maxBytes = maxBytes;
    this.#whenFull = whenFull;
    this.#eviction = eviction;
    this.#drops = drops;
  }

  /** Whether so many bytes fit without anything having to go. */
  fits(bytes: number): boolean {
    return this.shelf.bytes + bytes <= this.#maxBytes;
  }

  /** Keeps what there is room for, by policy; answers that. */
  async keep(drafts: readonly Draft[]): Promise<Draft[]> {
    const kept: Draft[] = [];
    for (const draft of drafts) {
      const { length } = draft.stored.bytes;
      if (await this.#makeRoom(length)) {
        await this.shelf.append([draft.stored]);
        kept.push(draft);
      } else this.#drops.records(draft.block.records, length <= this.#maxBytes ? 'fullNewest' : 'tooLarge');
    }
    return kept;
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    if (bytes > this.#maxBytes) return false;
    await this.shelf.flush();
    if (!this.fits(bytes)) await this.#eviction.dropExpired(this.shelf);
    while (!this.fits(bytes)) {
      if (this.#whenFull !== 'drop-oldest' || !(await this.#eviction.dropOldest(this.shelf, bytes))) return false;
    }
    return true;
  }
}
