// From the outbox to the disk: live readings that cannot be sent now gather for a while and are written to the spool together,
// one write at a time.

import type { Clock, Timer } from '../core/clock.js';
import type { Spool } from '../spool/spool.js';
import type { Outbox } from './outbox.js';
import { type OutboxEntry, recordOf } from './outbox-entry.js';

export interface SpillOptions {
  readonly clock: Clock;
  readonly spool: Pick<Spool, 'append' | 'hasRoomFor'>;
  readonly outbox: Pick<Outbox, 'takeLive' | 'liveBytes'>;
  /** ms that readings gather. */
  readonly intervalMs: number;
  /** Whether they still cannot be sent. */
  readonly isWanted: () => boolean;
  /** The interval is over, or a write has ended. */
  readonly onProgress: () => void;
}

export class Spill {
  readonly #options: SpillOptions;
  #timer: Timer | undefined;
  #writing: readonly OutboxEntry[] = [];
  #written: Promise<void> = Promise.resolve();

  constructor(options: SpillOptions) {
    this.#options = options;
  }

  /** What is on its way to the disk. */
  get writing(): readonly OutboxEntry[] {
    return this.#writing;
  }

  /** Writes after the interval, if there is something and nobody waits yet. */
  soon(): void {
    const { clock, outbox, intervalMs, isWanted, onProgress } = this.#options;
    if (this.#timer !== undefined || outbox.liveBytes === 0) return;
    this.#timer = clock.after(intervalMs, () => {
      this.#timer = undefined;
      if (isWanted()) this.now();
      onProgress();
    });
  }

  /** Writes what there is; a spool that refuses leaves it where it is. */
  now(): void {
    if (this.#writing.length > 0) return;
    const { spool, outbox, onProgress } = this.#options;
    const entries = outbox.takeLive((bytes) => spool.hasRoomFor(bytes));
    if (entries.length > 0) this.#written = this.#write(entries).then(onProgress);
  }

  /** They can be sent again, or nobody will look any more. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Resolves when the write at hand has ended. */
  settled(): Promise<void> {
    return this.#written;
  }

  /** Writes what is left, whatever room there is: the end. Without anything left, a disk that was not needed is not opened. */
  async rest(): Promise<void> {
    const entries = this.#options.outbox.takeLive();
    if (entries.length > 0) await this.#write(entries);
  }

  async #write(entries: readonly OutboxEntry[]): Promise<void> {
    this.#writing = entries;
    await this.#options.spool.append(entries.flatMap((entry) => recordOf(entry) ?? []));
    this.#writing = [];
  }
}
