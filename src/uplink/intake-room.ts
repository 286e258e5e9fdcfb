// Whether the devices may hand up more readings, and where the send thread waits while they may not: the outbox has enough of
// them, or the disk, where each is written before it is sent and a full disk makes devices wait (`spool.when_full: reject`).

import type { Clock, Timer } from '../core/clock.js';
import { WaitList } from '../core/wait-list.js';
import { BLOCK_BYTES } from '../spool/split.js';
import type { Spool } from '../spool/spool.js';
import type { Outbox } from './outbox.js';

/** What the outbox may hold of live readings: enough to keep the wire busy, short enough to stay fair. */
const LIVE_BYTES = 512 * 1024;
/** How often a disk is looked at that was full, ms: it has room again when all is quiet, and then nobody else tells. */
const LOOK_AGAIN_MS = 1000;

export interface IntakeRoomOptions {
  readonly clock: Clock;
  readonly outbox: Pick<Outbox, 'liveBytes'>;
  /** Absent with `mode: off`. */
  readonly spool: Pick<Spool, 'hasRoomFor'> | undefined;
  /** `mode: always` */
  readonly isWrittenFirst: boolean;
  /** There is a session. */
  readonly isOnline: () => boolean;
}

export class IntakeRoom {
  readonly #options: IntakeRoomOptions;
  readonly #waiting = new WaitList<'room' | 'aborted'>();
  /** See `hurry`. */
  #isHurried = false;

  constructor(options: IntakeRoomOptions) {
    this.#options = options;
  }

  /** More readings may come. */
  get isThere(): boolean {
    const { outbox, spool, isOnline } = this.#options;
    if (this.#isHurried) return true;
    if (spool === undefined && !isOnline()) return true; // they are dropped
    return outbox.liveBytes < LIVE_BYTES && this.isBeside(0);
  }

  /** The disk takes one more entry beside so many bytes, if it is to take it now. */
  isBeside(bytes: number): boolean {
    const { isWrittenFirst, spool } = this.#options;
    return !isWrittenFirst || spool === undefined || spool.hasRoomFor(bytes + BLOCK_BYTES);
  }

  /** Devices are not to wait any more, whatever room there is. */
  get isHurried(): boolean {
    return this.#isHurried;
  }

  /** The gateway is ending, and the broker is slow: devices get rid of what they have, since the disk will take it. */
  hurry(): void {
    this.#isHurried = this.#options.spool !== undefined;
  }

  /** There may be room now. */
  look(): void {
    if (this.isThere) this.#waiting.settleAll('room');
  }

  /** Resolves when there is room, or `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    while (!this.isThere && !signal.aborted) {
      const timer = this.#lookAgain();
      await this.#waiting.wait(signal, 'aborted');
      timer?.cancel();
    }
  }

  #lookAgain(): Timer | undefined {
    const { clock, isWrittenFirst } = this.#options;
    return isWrittenFirst ? clock.after(LOOK_AGAIN_MS, () => this.#waiting.settleAll('room')) : undefined;
  }
}
