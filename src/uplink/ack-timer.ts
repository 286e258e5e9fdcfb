// How long the broker takes to acknowledge: samples, one message at a time, so that it costs a comparison per write and per
// acknowledgement, whatever the load. Nothing is measured while nobody watches.

import type { Clock } from '../core/clock.js';

export class AckTimer {
  readonly #clock: Clock;
  #watcher: ((ms: number) => void) | undefined;
  /** The message that is timed; 0: none. */
  #packetId = 0;
  #sentAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Tells `watcher` each sample from now on: ms from the write of a message to its PUBACK. It must not throw. */
  watch(watcher: (ms: number) => void): void {
    this.#watcher = watcher;
  }

  /** Messages have been written, the first of them with this packet id. */
  sent(firstId: number): void {
    if (this.#watcher === undefined || this.#packetId !== 0) return;
    this.#packetId = firstId;
    this.#sentAt = this.#clock.now();
  }

  acked(packetId: number): void {
    if (packetId !== this.#packetId) return;
    this.#packetId = 0;
    this.#watcher?.(this.#clock.now() - this.#sentAt);
  }

  /** The session is gone, and the acknowledgement with it. */
  lost(): void {
    this.#packetId = 0;
  }
}
