// Notices that a broker's Receive Maximum is what devices wait for, so that it can be said once, with the way out: mosquitto allows
// 20 messages as it comes, which is enough until many thousands come in a second, and nothing else tells why they wait then.

import type { Clock } from '../core/clock.js';

/** A wider window keeps the broker busy for a millisecond: it is not what anybody waits for. See `ack-rest.ts`. */
const WIDE = 96;
/** In so many seconds of a session devices must have waited: a burst is no reason to change a broker. */
const SECONDS = 30;

export class NarrowWindow {
  readonly #clock: Clock;
  readonly #tell: (receiveMaximum: number) => void;
  #limit = Number.POSITIVE_INFINITY;
  #seconds = 0;
  #lastSecond = -1;
  #isTold = false;

  /** `tell` is called once. */
  constructor(clock: Clock, tell: (receiveMaximum: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** A session is open, with this Receive Maximum. */
  opened(receiveMaximum: number): void {
    this.#limit = receiveMaximum;
    this.#seconds = 0;
  }

  /** Devices have to wait, with so many messages unacknowledged. */
  waits(unacknowledged: number): void {
    if (this.#isTold || this.#limit >= WIDE || unacknowledged < this.#limit) return;
    const second = Math.floor(this.#clock.now() / 1000);
    if (second === this.#lastSecond) return;
    this.#lastSecond = second;
    this.#seconds += 1;
    if (this.#seconds < SECONDS) return;
    this.#isTold = true;
    this.#tell(this.#limit);
  }
}
