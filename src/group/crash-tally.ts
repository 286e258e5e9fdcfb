// Crashes of a listener's connections, counted together: each connection has a life of its own and few crashes, but a peer that comes
// back at once with the same frame would fill the log. Made once per listener, asked by the Recovery of each connection.

import type { Clock } from '../core/clock.js';
import { DEFAULT_INTENSITY, type RestartIntensity } from '../core/restart-policy.js';
import { isPowerOfTwo } from './power-of-two.js';

export class CrashTally {
  readonly #clock: Clock;
  readonly #intensity: RestartIntensity;
  #count = 0;
  #lastAt = 0;

  constructor(clock: Clock, intensity = DEFAULT_INTENSITY) {
    this.#clock = clock;
    this.#intensity = intensity;
  }

  /** Crashes since the last time that there was none for a window. */
  get count(): number {
    return this.#count;
  }

  /** Counts a crash; true if it is to be told: the first ones, and then the 8th, 16th, 32nd ... */
  note(): boolean {
    const { max, windowMs } = this.#intensity;
    const now = this.#clock.now();
    if (now - this.#lastAt > windowMs) this.#count = 0;
    this.#lastAt = now;
    this.#count += 1;
    return this.#count <= max || isPowerOfTwo(this.#count);
  }
}
