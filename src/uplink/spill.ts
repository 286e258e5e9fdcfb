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
  /** When the timer is due, monotonic ms. */
  #dueAt = 0;
  #writing: readonly OutboxEntry[] = [];
  #written: Promise<void> = Promise.resolve();

  constructor(options: SpillOptions) {
    this.#options = options;
  }

  /** What is on its way to the disk. */
  get writing(): readonly OutboxEntry[] {
    return this.#writing;
  }

  /** Writes after the interval, or sooner, if there is something and nobody waits yet. */
  soon(withinMs = this.#options.intervalMs): void {
    const { clock, outbox } = this.#options;
    if (outbox.liveBytes === 0) return;
    const dueAt = clock.now() + withinMs;
    if (this.#timer !== undefined && this.#dueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(withinMs, () => this.#due());
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

  #due(): void {
    const { isWanted, onProgress } = this.#options;
    this.#timer = undefined;
    if (isWanted()) this.now();
    onProgress();
  }

  async #write(entries: readonly OutboxEntry[]): Promise<void> {
    this.#writing = entries;
    await this.#options.spool.append(entries.flatMap((entry) => recordOf(entry) ?? []));
    this.#writing = [];
  }
}
