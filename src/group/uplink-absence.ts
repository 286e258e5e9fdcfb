// Since when the broker has been away, for devices that are to be put into a safe state then. One for all devices; no timers.

import type { Clock } from '../core/clock.js';
import type { Presence, PresenceListener } from '../core/presence.js';

export class UplinkAbsence {
  readonly #clock: Clock;
  readonly #presence: Presence;
  /** Monotonic ms; undefined while the broker is there. */
  #since: number | undefined;

  /** A broker that is not there counts as away from now on. */
  constructor(clock: Clock, presence: Presence) {
    this.#clock = clock;
    this.#presence = presence;
    if (!presence.isThere) this.#since = clock.now();
    presence.watch((isThere) => {
      this.#since = isThere ? undefined : clock.now();
    });
  }

  /** ms for which the broker has been away; undefined while it is there. */
  get awayMs(): number | undefined {
    return this.#since === undefined ? undefined : this.#clock.now() - this.#since;
  }

  /** Calls `listener` with every change, until the answered function is called. */
  watch(listener: PresenceListener): () => void {
    return this.#presence.watch(listener);
  }
}
