// Dead letters: what a device sent and nobody could read, with the reason. One a second per device; the others are
// counted into the next one, so that a wrong baud rate does not flood the broker.

import type { Clock } from '../core/clock.js';
import type { DeadLetterUp } from '../device/message.js';

const INTERVAL_MS = 1000;
/** Bytes of a dead letter that are shown. */
const SHOWN_BYTES = 256;

export class DeadLetters {
  readonly #device: string;
  readonly #clock: Clock;
  #nextAt = Number.NEGATIVE_INFINITY;
  #suppressed = 0;

  constructor(device: string, clock: Clock) {
    this.#device = device;
    this.#clock = clock;
  }

  /** A dead letter to send, or undefined while the rate limit holds it back. */
  take(reason: string, bytes: Buffer, droppedBytes: number): DeadLetterUp | undefined {
    const now = this.#clock.now();
    if (now < this.#nextAt) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#nextAt = now + INTERVAL_MS;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    const shown = Buffer.from(bytes.subarray(0, SHOWN_BYTES));
    return {
      kind: 'dead-letter',
      device: this.#device,
      reason,
      bytes: shown,
      droppedBytes: droppedBytes + bytes.length - shown.length,
      suppressed,
      at: this.#clock.wall(),
    };
  }
}
