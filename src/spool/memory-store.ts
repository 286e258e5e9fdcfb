// A store in memory, while the disk cannot be used. It is as large as its owner lets it become.

import { type BlockRef, NO_TOTALS, plus, refOf, type Store, type StoredBlock, type StoreTotals } from './store.js';
import { StoreError } from './store-error.js';

export class MemoryStore implements Store {
  readonly lost = 0;
  /** Rising by number. */
  #blocks: StoredBlock[] = [];
  #totals: StoreTotals = NO_TOTALS;
  #nextSeq: number;
  #isClosed = false;

  /** `nextSeq`: where its numbers begin. */
  constructor(nextSeq = 1) {
    this.#nextSeq = nextSeq;
  }

  get totals(): StoreTotals {
    return this.#totals;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  async append(blocks: readonly StoredBlock[]): Promise<void> {
    this.#checkOpen();
    for (const block of blocks) this.#blocks.splice(this.#indexOf(block.seq), 0, block);
    this.#totals = plus(this.#totals, blocks.map(refOf));
    this.#nextSeq = blocks.reduce((next, block) => Math.max(next, block.seq + block.messages), this.#nextSeq);
  }

  async read(seq: number): Promise<StoredBlock | undefined> {
    this.#checkOpen();
    return this.#blocks[this.#indexOf(seq)];
  }

  async remove(blocks: readonly BlockRef[]): Promise<void> {
    this.#checkOpen();
    const seqs = new Set(blocks.map((block) => block.seq));
    this.#blocks = this.#blocks.filter((block) => !seqs.has(block.seq));
    this.#totals = plus(this.#totals, blocks, -1);
  }

  async replace(block: BlockRef, by: StoredBlock): Promise<void> {
    await this.remove([block]);
    await this.append([by]);
  }

  async reclaim(): Promise<void> {}

  async recount(): Promise<number> {
    return 0;
  }

  async usage(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#blocks = [];
    this.#totals = NO_TOTALS;
  }

  /** Where the first block from `seq` on stands. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle] as StoredBlock).seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreError('STORE_CLOSED', 'the spool in memory is closed');
  }
}
