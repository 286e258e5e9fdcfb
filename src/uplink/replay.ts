// Sends what the spool has kept, once the broker is back: block by block from the disk into the outbox's lane for kept
// messages, and out of the spool when the broker has acknowledged all of a block.
//
//   spool.next -> block -> [ kept lane of the outbox ] -> broker -> onDone, message by message -> spool.done
//
// live-first: at most `rate` messages a second, so that live readings keep their place. in-order: as fast as the broker takes
// them, and the live ones wait. With the end of a session everything unacknowledged is the spool's again.

import type { Clock, Timer } from '../core/clock.js';
import { messagesIn, type SpoolBlock, type SpoolRecord } from '../spool/record.js';
import type { Spool } from '../spool/spool.js';
import { BlockProgress } from './block-progress.js';
import type { ReplayOrder } from './lanes.js';
import type { Outbox } from './outbox.js';
import type { Outgoing } from './outgoing.js';

/** Bytes of kept messages that wait in the outbox: enough to keep a window busy. */
const LANE_BYTES = 64 * 1024;
/** How often messages are let out, ms. */
const TICK_MS = 50;

export interface ReplayOptions {
  readonly clock: Clock;
  readonly spool: Pick<Spool, 'next' | 'done' | 'trim' | 'hasMore'>;
  readonly outbox: Pick<Outbox, 'add' | 'keptBytes'>;
  readonly outgoing: Pick<Outgoing, 'kept'>;
  /** Messages per second, for `live-first`. */
  readonly rate: number;
  /** Something was put into the outbox, or nothing more will come: pump. */
  readonly onFed: () => void;
}

/** The next message to be put into the outbox. */
interface Cursor {
  readonly progress: BlockProgress;
  record: number;
  message: number;
  /** Messages of the block before it. */
  index: number;
}

export class Replay {
  readonly #options: ReplayOptions;
  readonly #open = new Set<BlockProgress>();
  #cursor: Cursor | undefined;
  #isReading = false;
  #reads = 0;
  #isRunning = false;
  #order: ReplayOrder = 'live-first';
  #timer: Timer | undefined;
  /** Messages that may be let out now. */
  #tokens = 0;
  #filledAt = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Kept messages are still to come into the outbox. */
  get isPending(): boolean {
    return this.#cursor !== undefined || this.#isReading || this.#options.spool.hasMore;
  }

  /** The read of the disk that is waited for, by number; 0: none is. */
  get reading(): number {
    return this.#isReading ? this.#reads : 0;
  }

  /** There is a session: from now on what is kept goes out. Again with another order: goes on so. */
  start(order: ReplayOrder): void {
    this.#isRunning = true;
    this.#order = order;
    this.#tokens = 0;
    this.#filledAt = this.#options.clock.now();
    this.pump();
  }

  /** Nothing more comes into the outbox. */
  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Whatever may let it go on comes through here: acknowledgements, new blocks. */
  pump(): void {
    if (!this.#isRunning || !this.isPending) return;
    if (this.#order === 'in-order') this.#feed(Number.POSITIVE_INFINITY);
    else this.#timer ??= this.#options.clock.after(TICK_MS, () => this.#tick());
  }

  /** The session is over: what the broker does not have of the blocks on their way will be read from the spool again. */
  giveBack(): void {
    for (const progress of this.#open) progress.trim(this.#options.spool);
    this.#open.clear();
    this.#cursor = undefined;
  }

  #tick(): void {
    this.#timer = undefined;
    const { clock, rate, onFed } = this.#options;
    const now = clock.now();
    const most = Math.max(1, (2 * rate * TICK_MS) / 1000); // what was not used is not saved up for a burst
    this.#tokens = Math.min(most, this.#tokens + (rate * (now - this.#filledAt)) / 1000);
    this.#filledAt = now;
    this.#tokens -= this.#feed(Math.floor(this.#tokens));
    this.pump();
    onFed();
  }

  /** Puts messages into the outbox, at most `count`; answers how many. */
  #feed(count: number): number {
    const { outbox } = this.#options;
    let fed = 0;
    for (; fed < count && outbox.keptBytes < LANE_BYTES && this.#cursor !== undefined; fed += 1)
      this.#feedOne(this.#cursor);
    if (this.#cursor === undefined) this.#read();
    return fed;
  }

  #feedOne(cursor: Cursor): void {
    const { outbox, outgoing } = this.#options;
    const { progress, index } = cursor;
    const { records, seq } = progress.block;
    const record = records[cursor.record] as SpoolRecord; // a block has as many messages as its records
    const onDone = (): void => this.#onDone(progress, index);
    // Beside live readings an old one must not become the value that the broker retains.
    const retain = record.retain && this.#order === 'in-order';
    outbox.add({ ...outgoing.kept({ ...record, retain }, cursor.message, seq + index), isKept: true, onDone });
    this.#advance(cursor, record);
  }

  #advance(cursor: Cursor, record: SpoolRecord): void {
    cursor.index += 1;
    cursor.message += 1;
    if (cursor.message === messagesIn(record)) {
      cursor.record += 1;
      cursor.message = 0;
    }
    if (cursor.index === cursor.progress.messages) this.#cursor = undefined;
  }

  /** Fetches the next block, unless one is on its way already. */
  #read(): void {
    const { spool, onFed } = this.#options;
    if (this.#isReading || !spool.hasMore) return;
    this.#isReading = true;
    this.#reads += 1;
    void spool.next().then((block) => {
      this.#isReading = false;
      if (block !== undefined) this.#begin(block);
      onFed();
    });
  }

  #begin(block: SpoolBlock): void {
    const messages = block.records.reduce((sum, record) => sum + messagesIn(record), 0);
    if (messages === 0) {
      this.#options.spool.done(block.seq);
      return;
    }
    const progress = new BlockProgress(block, messages);
    this.#open.add(progress);
    this.#cursor = { progress, record: 0, message: 0, index: 0 };
    this.pump();
  }

  #onDone(progress: BlockProgress, index: number): void {
    if (!progress.done(index, index + 1)) return;
    this.#open.delete(progress);
    this.#options.spool.done(progress.block.seq);
  }
}
