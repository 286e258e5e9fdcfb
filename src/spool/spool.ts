// Store-and-forward: keeps messages while the broker is away (or always), in blocks, oldest first, on the disk within a bound;
// in memory as long as the disk cannot be used. Called by the uplink. Nothing here rejects: whatever is wrong with the disk is
// logged with the way out, and every message is either kept or told to `onDrop`, once.
//
//   append -> [ disk: oldest ...... newest ] -> [ memory: only while the disk refuses ]
//                |                                    |
//              next --> given to the uplink --done--> gone --(100 ms or 64 blocks)--> removed
//                ^------------- rewind -----'
//
// Replay order: the disk, then the memory. What is in memory is moved behind what is on the disk when that works again.

import { type Clock, sleep, type Timer } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { OpenStore } from './disk.js';
import { DiskKeeper } from './disk-keeper.js';
import { type Draft, draftsOf } from './draft.js';
import { Drops, type OnDrop, readBlock } from './drops.js';
import { Eviction } from './eviction.js';
import { MemoryKeeper } from './memory-keeper.js';
import { moveToDisk } from './memory-move.js';
import { countIn, type SpoolBlock, type SpoolRecord } from './record.js';
import { Serial } from './serial.js';
import { isThere } from './set-aside.js';
import type { Hold, Shelf } from './shelf.js';
import { BLOCK_BYTES } from './split.js';
import { refOf, type StoredBlock } from './store.js';
import type { WhenFull } from './when-full.js';

export interface SpoolOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Made where it is not there. */
  readonly dir: string;
  /** What the folder may take on the disk, everything counted. Below 1 MiB it is not used: messages stay in memory. */
  readonly maxBytes: number;
  /** `reject`: ask `isFull` before appending. */
  readonly whenFull: WhenFull;
  /** Messages that are older are not sent; 0 = never too old. */
  readonly maxAgeMs: number;
  /** fsync with every append: survives a power cut too. */
  readonly sync: boolean;
  /** Messages that will never be sent: no room, too old, unreadable. */
  readonly onDrop: OnDrop;
  readonly openStore?: OpenStore;
  /** Whether there is such a folder. */
  readonly hasFolder?: (dir: string) => Promise<boolean>;
}

/** Smallest folder that LevelDB can be kept within. */
export const LEAST_DISK_BYTES = 1024 * 1024;
/** Most that is kept in memory while the disk refuses. */
export const MAX_MEMORY_BYTES = 16 * 1024 * 1024;

const FLUSH_MS = 100;
const FLUSH_BLOCKS = 64;
const CLOSE_MS = 5000;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #serial = new Serial();
  readonly #drops: Drops;
  readonly #eviction: Eviction;
  readonly #disk: DiskKeeper;
  readonly #memory: MemoryKeeper;
  /** What the uplink has been given, by the number it knows. */
  readonly #holds = new Map<number, Hold>();
  /** Resolves when `open` has done what it can. */
  readonly #opened: Promise<void>;
  #letIn: () => void = () => {};
  #status: 'new' | 'open' | 'closed' = 'new';
  #nextSeq = 1;
  /** What is in memory is numbered on from what is on the disk. Not so before the disk has been open. */
  #isSameNumbering = false;
  #flushTimer: Timer | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SpoolOptions) {
    const { clock, maxBytes, maxAgeMs, whenFull, onDrop } = options;
    const onRetry = (): void => void this.#step(() => this.#retry());
    this.#options = options;
    this.#opened = new Promise((resolve) => {
      this.#letIn = resolve;
    });
    this.#drops = new Drops(onDrop);
    this.#eviction = new Eviction(clock, maxAgeMs, this.#drops);
    this.#disk = new DiskKeeper({ ...options, onRetry }, whenFull, this.#eviction, this.#drops);
    this.#memory = new MemoryKeeper(Math.min(maxBytes, MAX_MEMORY_BYTES), whenFull, this.#eviction, this.#drops);
  }

  /** Messages kept, given ones included. What lies on a disk that cannot be opened is not counted. */
  get messages(): number {
    return this.#disk.shelf.messages + this.#memory.shelf.messages;
  }

  /** Encoded bytes kept, by the same count. */
  get bytes(): number {
    return this.#disk.shelf.bytes + this.#memory.shelf.bytes;
  }

  /** Where the next block goes. `idle`: nothing had to be kept yet, so the disk has not been opened. */
  get state(): 'idle' | 'closed' | 'disk' | 'memory' {
    if (this.#status !== 'open') return this.#status === 'new' ? 'idle' : 'closed';
    return this.#isDiskNext ? 'disk' : 'memory';
  }

  /** `whenFull` is `reject`, and an append may have to drop. */
  get isFull(): boolean {
    if (this.#options.whenFull !== 'reject' || this.#status !== 'open') return false;
    return this.#isDiskNext ? !this.#disk.hasRoom : !this.#memory.fits(BLOCK_BYTES);
  }

  /** False where `whenFull` is `reject` and an append of so many bytes may have to drop, or it is just being found out. */
  hasRoomFor(bytes: number): boolean {
    const { whenFull, maxBytes } = this.#options;
    if (whenFull !== 'reject' || this.#status === 'closed') return true;
    if (this.#status === 'new') return this.#opening === undefined && bytes <= maxBytes / 2; // more is known once it is open
    return this.#isDiskNext ? this.#disk.fits(bytes) : this.#memory.fits(bytes);
  }

  /** `next` would give a block. */
  get hasMore(): boolean {
    return this.#status === 'open' && (this.#disk.shelf.left > 0 || this.#memory.shelf.left > 0);
  }

  /** Opens the disk if a spool is there: a start that has nothing to send is spared the cost. The first append opens it too. */
  async openIfThere(): Promise<void> {
    const { dir, hasFolder = isThere } = this.#options;
    if (await hasFolder(dir)) await this.open();
  }

  /** Opens the disk, or says why not and goes on in memory; the disk is then tried every minute. Never rejects. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /**
   * Keeps records, in blocks of about 64 KiB. Answers the blocks as kept; those that are missing were told to `onDrop`. Never
   * rejects. `isHandedOut`: the caller sends them itself and tells `done`; `next` comes to them only after a `rewind`.
   */
  append(
    records: readonly SpoolRecord[],
    { isHandedOut = false }: { readonly isHandedOut?: boolean } = {},
  ): Promise<readonly SpoolBlock[]> {
    if (this.#status === 'new') void this.open();
    return this.#step(async () => {
      const kept: SpoolBlock[] = [];
      const seq = this.#nextSeq;
      this.#nextSeq += countIn(records);
      for (const drafts of draftsOf(records, seq)) kept.push(...(await this.#keep(drafts, isHandedOut)));
      // One append may be larger than the room there is: then its own first blocks had to go too.
      return kept.filter((block) => isHandedOut || block.seq > this.#eviction.droppedTo);
    });
  }

  /** The oldest block that is not handed out. Never rejects. */
  next(): Promise<SpoolBlock | undefined> {
    return this.#step(async () => {
      if (this.#status !== 'open') return undefined;
      return (await this.#nextOf(this.#disk)) ?? (await this.#nextOf(this.#memory));
    });
  }

  /** All of a block is at the broker: it is removed, together with others. */
  done(seq: number): void {
    const hold = this.#holds.get(seq);
    if (hold === undefined) return;
    this.#holds.delete(seq);
    hold.shelf.done(hold);
    this.#flushSoon();
  }

  /** The first `messages` of a block are at the broker. Written with the next flush. */
  trim(seq: number, messages: number): void {
    const hold = this.#holds.get(seq);
    hold?.shelf.trim(hold, messages);
  }

  /** Blocks handed out and not done are handed out again, oldest first. */
  rewind(): void {
    for (const seq of [...this.#holds.keys()]) this.takeBack(seq);
    this.#disk.shelf.rewind();
    this.#memory.shelf.rewind();
  }

  /** The same with one of them. */
  takeBack(seq: number): void {
    const hold = this.#holds.get(seq);
    if (hold === undefined) return;
    this.#holds.delete(seq);
    const { shelf, ref } = hold;
    if (shelf === this.#disk.shelf || shelf === this.#memory.shelf) shelf.takeBack(hold);
    else this.#drops.unknown(ref.messages - hold.toTrim, 'unreadable');
  }

  /** Resolves when removals and trims are on the disk, or it refuses. */
  flush(): Promise<void> {
    return this.#step(() => this.#flush());
  }

  /** Bytes that the folder takes now. */
  usage(): Promise<number> {
    return this.#disk.usage();
  }

  /** Flushes and closes, within seconds; never rejects. What is only in memory and fits onto no disk is told as dropped. */
  close(): Promise<void> {
    this.#closing ??= this.#closeWithin(CLOSE_MS);
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { clock, log, maxBytes } = this.#options;
    if (maxBytes >= LEAST_DISK_BYTES) await this.#disk.open();
    else log.warn('spool.max_size is below 1 MiB, too little for a disk spool: messages are kept in memory only');
    // Where the numbers given so far are not known, they begin anew above all that can have been.
    this.#nextSeq = this.#disk.isNumbered ? this.#disk.nextSeq : Math.floor(clock.wall() * 1000);
    this.#isSameNumbering = this.#disk.nextSeq > 0;
    if (this.#status === 'new') this.#status = 'open';
    this.#letIn();
  }

  get #isDiskNext(): boolean {
    return this.#disk.isWritable && this.#memory.shelf.isEmpty;
  }

  #step<T>(run: () => Promise<T>): Promise<T> {
    return this.#serial.run(async () => {
      await this.#opened;
      return run();
    });
  }

  async #keep(drafts: readonly Draft[], isHandedOut: boolean): Promise<SpoolBlock[]> {
    if (this.#status === 'closed') {
      for (const { block } of drafts) this.#drops.records(block.records, 'closed');
      return [];
    }
    const onDisk = this.#isDiskNext ? await this.#disk.keep(drafts) : undefined;
    const kept = onDisk ?? (await this.#memory.keep(drafts));
    const { shelf } = onDisk === undefined ? this.#memory : this.#disk;
    if (isHandedOut) for (const { stored } of kept) this.#holds.set(stored.seq, shelf.give(refOf(stored)));
    return kept.map(({ block }) => block);
  }

  async #nextOf(keeper: { readonly shelf: Shelf }): Promise<SpoolBlock | undefined> {
    let isCounted = false;
    for (;;) {
      const { shelf } = keeper;
      const stored = await this.#read(shelf);
      if (stored !== undefined) {
        const block = await this.#handOut(shelf, stored);
        if (block !== undefined) return block;
      } else {
        if (isCounted) shelf.spend();
        if (shelf.left === 0) return undefined;
        await this.#recount(shelf);
        isCounted = true;
      }
    }
  }

  /** undefined: it cannot be read or is too old, and goes. */
  async #handOut(shelf: Shelf, stored: StoredBlock): Promise<SpoolBlock | undefined> {
    const block = readBlock(stored);
    if (block !== undefined && !this.#eviction.isExpired(block)) {
      this.#holds.set(stored.seq, shelf.give(refOf(stored)));
      return block;
    }
    shelf.discard(refOf(stored));
    this.#drops.block(stored, block === undefined ? 'unreadable' : 'tooOld');
    if (shelf.gone >= FLUSH_BLOCKS) await this.#flush();
    else this.#flushSoon();
    return undefined;
  }

  async #read(shelf: Shelf): Promise<StoredBlock | undefined> {
    try {
      return await shelf.next();
    } catch (error) {
      shelf.spend();
      await this.#disk.failed(error);
      return undefined;
    }
  }

  /** The count says that there is more than there is: a damaged log can do that. */
  async #recount(shelf: Shelf): Promise<void> {
    try {
      this.#drops.unknown((await shelf.store?.recount()) ?? 0, 'unreadable');
      shelf.restart();
    } catch (error) {
      shelf.spend();
      await this.#disk.failed(error);
    }
  }

  #flushSoon(): void {
    if (this.#disk.shelf.gone === FLUSH_BLOCKS) void this.flush();
    else this.#flushTimer ??= this.#options.clock.after(FLUSH_MS, () => void this.flush());
  }

  async #flush(): Promise<void> {
    this.#flushTimer?.cancel();
    this.#flushTimer = undefined;
    await this.#memory.shelf.flush();
    await this.#disk.flush();
  }

  async #retry(): Promise<void> {
    if (this.#status !== 'open' || this.#options.maxBytes < LEAST_DISK_BYTES) return;
    await this.#disk.retry();
    if (!this.#disk.isWritable) return;
    try {
      const knownFrom = this.#isSameNumbering ? this.#disk.nextSeq : 0;
      const moved = await moveToDisk(this.#memory.shelf, this.#disk, knownFrom);
      this.#isSameNumbering = true;
      this.#nextSeq = Math.max(this.#nextSeq, this.#disk.nextSeq);
      this.#disk.moved(moved, this.#memory.shelf.isEmpty);
    } catch (error) {
      await this.#disk.failed(error);
    }
  }

  async #closeWithin(ms: number): Promise<void> {
    const { clock, log, dir } = this.#options;
    if (this.#status === 'new') {
      this.#status = 'closed';
      this.#letIn();
    }
    const end = new AbortController();
    const outcome = await Promise.race([this.#step(() => this.#close()), sleep(clock, ms, end.signal)]);
    end.abort();
    if (outcome === 'elapsed') log.error(`the spool in ${dir} did not close within ${ms} ms`);
  }

  async #close(): Promise<void> {
    if (this.#status === 'open') {
      this.rewind();
      if (!this.#memory.shelf.isEmpty) await this.#retry();
      await this.#flush();
    }
    this.#status = 'closed';
    this.#flushTimer?.cancel();
    await this.#disk.close();
    for (const block of await this.#memory.shelf.oldest(Number.POSITIVE_INFINITY)) this.#drops.block(block, 'ended');
    await this.#memory.shelf.store?.close();
  }
}
