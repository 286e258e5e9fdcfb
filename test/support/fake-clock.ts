// A clock that stands still until a test moves it. `now` and `wall` advance together; timers fire in the order in which
// they are due, and promises get to run between one timer and the next, as they would in life.

import type { Clock, Timer } from '../../src/core/clock.js';

interface Pending {
  readonly due: number;
  readonly fire: () => void;
}

const DEFAULT_START = Date.UTC(2026, 0, 1);

export class FakeClock implements Clock {
  #elapsed = 0;
  #seed: number;
  #start: number;
  readonly #pending = new Set<Pending>();
  /** ms for which the thread was stopped; they do not pass here. */
  blocked = 0;

  /** `start`: wall-clock ms at which it stands. `seed`: of the random numbers, which are the same in every run. */
  constructor(options: { start?: number; seed?: number } = {}) {
    this.#start = options.start ?? DEFAULT_START;
    this.#seed = options.seed ?? 1;
  }

  /** Timers that have neither fired nor been cancelled: 0 at the end of a test that leaks none. */
  get pending(): number {
    return this.#pending.size;
  }

  /** ms until the next timer is due, or undefined without one. */
  get nextIn(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? undefined : next.due - this.#elapsed;
  }

  now(): number {
    return this.#elapsed;
  }

  wall(): number {
    return this.#start + this.#elapsed;
  }

  /** Somebody sets the clock on the wall to `wall` (ms): no time has passed. */
  set(wall: number): void {
    this.#start = wall - this.#elapsed;
  }

  after(ms: number, fire: () => void): Timer {
    const entry: Pending = { due: this.#elapsed + Math.max(0, ms), fire };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  /** Moves time on at once, as under a busy loop: no timer fires. */
  pass(ms: number): void {
    this.#elapsed += ms;
  }

  block(ms: number): void {
    this.blocked += ms;
  }

  /** Mulberry32: small, and good enough to spread a jitter. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), this.#seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Moves time on, firing what comes due on the way, also timers that are set meanwhile. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsed + ms;
    await this.settle();
    for (let next = this.#next(target); next !== undefined; next = this.#next(target)) {
      this.#pending.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.due);
      next.fire();
      await this.settle();
    }
    this.#elapsed = target;
  }

  /** Lets every promise that can go on do so, without moving time; and what was put off to the end of a turn. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }

  /** The timer due first, up to `target`; of those due together the one set first. */
  #next(target: number): Pending | undefined {
    let first: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.due <= target && (first === undefined || entry.due < first.due)) first = entry;
    }
    return first;
  }
}
