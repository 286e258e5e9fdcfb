// Keeps blocks on the disk, within a bound on what the folder takes, and knows what to do when the disk refuses: a damaged
// store is replaced by a new one, any other is left as it is, still read, and tried again later.

import { Disk, type DiskOptions } from './disk.js';
import type { Draft } from './draft.js';
import type { Drops } from './drops.js';
import type { Eviction } from './eviction.js';
import { reclaimBytesFor } from './level-store.js';
import { Room } from './room.js';
import { Shelf } from './shelf.js';
import { BLOCK_BYTES } from './split.js';
import type { StoredBlock } from './store.js';
import { StoreError } from './store-error.js';
import type { WhenFull } from './when-full.js';

export class DiskKeeper {
  readonly #disk: Disk;
  readonly #room: Room;
  readonly #maxBytes: number;
  readonly #whenFull: WhenFull;
  readonly #eviction: Eviction;
  readonly #drops: Drops;
  #shelf = new Shelf();

  constructor(options: DiskOptions, whenFull: WhenFull, eviction: Eviction, drops: Drops) {
    this.#disk = new Disk(options);
    this.#room = new Room(options.maxBytes);
    this.#maxBytes = options.maxBytes;
    this.#whenFull = whenFull;
    this.#eviction = eviction;
    this.#drops = drops;
  }

  /** What lies there. Another one after the store had to be replaced. */
  get shelf(): Shelf {
    return this.#shelf;
  }

  /** Whether it takes blocks. */
  get isWritable(): boolean {
    return this.#disk.isWritable;
  }

  /** All numbers that were ever given are known. */
  get isNumbered(): boolean {
    return this.#shelf.store !== undefined && !this.#disk.hasSetAside;
  }

  /** The number that follows all on the disk; 0: it has not been open. */
  get nextSeq(): number {
    return this.#shelf.store?.nextSeq ?? 0;
  }

  /** Whether so many bytes fit without anything having to go, as far as reckoned. */
  fits(bytes: number): boolean {
    return this.#room.fits(bytes);
  }

  /** Whether a whole block fits without anything having to go, as far as reckoned. */
  get hasRoom(): boolean {
    return this.#room.fits(BLOCK_BYTES);
  }

  /** Bytes that the folder takes. */
  async usage(): Promise<number> {
    return (await this.#disk.store?.usage()) ?? 0;
  }

  /** Never rejects. */
  async open(): Promise<void> {
    await this.#disk.open();
    await this.#useStore(0);
  }

  /** Opens it again where it takes something by now. Never rejects. */
  async retry(): Promise<void> {
    const before = this.#shelf.store?.totals.messages ?? 0;
    if ((await this.#disk.retry()) === 'left') {
      this.#shelf.restart(); // it may be read by now; what it has lost has been told
      return;
    }
    try {
      await this.#useStore(before, { isAgain: this.isWritable });
    } catch (error) {
      await this.failed(error);
    }
  }

  /**
   * Keeps what there is room for, by policy, in one write; answers that. undefined: the disk refuses, and what it was asked
   * to keep was neither kept nor dropped.
   */
  async keep(drafts: readonly Draft[]): Promise<Draft[] | undefined> {
    const kept: Draft[] = [];
    const refused: Draft[] = [];
    try {
      for (const draft of drafts) ((await this.#reserve(draft.stored)) ? kept : refused).push(draft);
      await this.#shelf.append(kept.map(({ stored }) => stored));
      this.#room.written();
    } catch (error) {
      this.#room.written();
      await this.failed(error);
      return this.isWritable ? this.keep(drafts) : undefined;
    }
    for (const { block, stored } of refused) {
      this.#drops.records(block.records, this.#room.couldFit(stored.bytes.length) ? 'fullNewest' : 'tooLarge');
    }
    return kept;
  }

  /** Keeps a block where there is room, by policy. Rejects where the disk refuses. */
  async take(block: StoredBlock): Promise<boolean> {
    if (!(await this.#reserve(block))) return false;
    try {
      await this.#shelf.append([block]);
    } finally {
      this.#room.written();
    }
    return true;
  }

  /** Writes removals and trims, as far as the disk lets it. Never rejects. */
  async flush(): Promise<void> {
    if (!this.isWritable) return;
    try {
      await this.#shelf.flush();
      // No merge for the sake of a few blocks: the store begins one itself when enough has come together.
      // With `reject` nobody appends while there seems to be no room: here it has to be found out that there is.
      const isAsked = this.#whenFull === 'reject' || !this.hasRoom;
      if (isAsked && this.#shelf.store !== undefined) await this.#room.measure(this.#shelf.store);
    } catch (error) {
      await this.failed(error);
    }
  }

  /** Measures, and where that is not enough gives back the space of what is gone or too old. Rejects where the disk refuses. */
  async #refreshRoom(): Promise<void> {
    const { store } = this.#shelf;
    if (store === undefined || !this.isWritable) return;
    await this.#room.measure(store);
    if (this.hasRoom) return;
    await this.#shelf.flush();
    await this.#eviction.dropExpired(this.#shelf);
    await store.reclaim();
    await this.#room.measure(store);
  }

  /** A call to the store has failed. Never rejects. */
  async failed(error: unknown): Promise<void> {
    if (!(error instanceof StoreError) || error.code !== 'STORE_CORRUPT') {
      this.#disk.failed(error);
      return;
    }
    const lost = this.#shelf.messages - this.#shelf.givenMessages; // what is given may still arrive
    this.#shelf.store = undefined;
    this.#shelf = new Shelf();
    this.#drops.unknown(lost, 'unreadable');
    await this.#disk.replace(error);
    await this.#useStore(0);
  }

  /** What was in memory was moved to the disk; `isAll`: all of it. */
  moved(messages: number, isAll: boolean): void {
    if (isAll) this.#disk.recovered(messages);
    else this.#disk.postpone();
  }

  /** Never rejects. */
  close(): Promise<void> {
    return this.#disk.close();
  }

  /** The disk was opened, or not; `before`: messages that should be there. Rejects only with `isAgain`: it had refused a write. */
  async #useStore(before: number, { isAgain = false } = {}): Promise<void> {
    const { store } = this.#disk;
    this.#shelf.store = store;
    this.#shelf.restart();
    if (store === undefined) return;
    const removed = isAgain ? await this.#shelf.recheck() : 0;
    const missing = before - removed - store.totals.messages;
    this.#drops.unknown(Math.max(store.lost, missing), 'unreadable');
    await this.#room.measure(store);
  }

  /** Reckons a block in, once there is room for it. False: it is to give way. */
  async #reserve({ bytes: { length } }: StoredBlock): Promise<boolean> {
    const hasRoom = await this.#makeRoom(length);
    if (hasRoom) this.#room.reserve(length);
    return hasRoom;
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    if (!this.#room.couldFit(bytes)) return false;
    if (this.#room.fits(bytes)) return true;
    await this.#refreshRoom();
    const least = Math.max(bytes, reclaimBytesFor(this.#maxBytes)); // so that a merge is worth its writes
    while (!this.#room.fits(bytes)) {
      if (this.#whenFull !== 'drop-oldest' || !(await this.#eviction.dropOldest(this.#shelf, least))) return false;
      await this.#reclaim();
    }
    return true;
  }

  async #reclaim(): Promise<void> {
    const { store } = this.#shelf;
    await store?.reclaim();
    if (store !== undefined) await this.#room.measure(store);
  }
}
