// How late the event loop is. Measured only while somebody scrapes: it takes a timer that fires twenty times a second.

import type { IntervalHistogram } from 'node:perf_hooks';
import type { Clock, Timer } from '../core/clock.js';
import type { Sample } from './samples.js';

const RESOLUTION_MS = 50;
/** Longer without a scrape, and it is no longer measured, ms. */
const IDLE_MS = 300_000;
const NS_PER_S = 1e9;

export class LoopLag {
  readonly #clock: Clock;
  #histogram: IntervalHistogram | undefined;
  #idle: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The lag since the last call; nothing the first time. */
  samples(): Sample[] {
    this.#idle?.cancel();
    this.#idle = this.#clock.after(IDLE_MS, () => this.close());
    if (this.#histogram === undefined) {
      const { monitorEventLoopDelay } = process.getBuiltinModule('node:perf_hooks'); // not before somebody scrapes
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#histogram.enable();
      return [];
    }
    const { count, mean, max } = this.#histogram;
    const p99 = this.#histogram.percentile(99);
    this.#histogram.reset();
    if (count === 0) return [];
    return [
      { name: 'ferrule_event_loop_lag_mean_seconds', value: lagOf(mean) },
      { name: 'ferrule_event_loop_lag_p99_seconds', value: lagOf(p99) },
      { name: 'ferrule_event_loop_lag_max_seconds', value: lagOf(max) },
    ];
  }

  /** Measures no longer, until the next call of `samples`. */
  close(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
    this.#histogram?.disable();
    this.#histogram = undefined;
  }
}

/** What is measured is the time between two timers: that which they were set to is no lag. */
function lagOf(intervalNs: number): number {
  return Math.max(0, intervalNs / NS_PER_S - RESOLUTION_MS / 1000);
}
