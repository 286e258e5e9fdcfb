// Notices links from which nothing comes any more (`idle_timeout`). One timer for all links of a listener: a timer for each of
// thousands would be 350 bytes and its own wake-up.
//
//   add -> [ links ] -> after timeoutMs: look at all, tell those that have been quiet for so long -> again when the next is due

import type { Clock, Timer } from '../../core/clock.js';

/** Looks are at least this share of the timeout apart, so that thousands that speak rarely do not wake us one by one. */
const CLOSEST_LOOKS = 1 / 64;

/** What is watched. */
export interface Quiet {
  /** Monotonic ms since when nothing has come; undefined while nobody listens: then it is not idle. */
  readonly quietSince: number | undefined;
  /** It has been quiet for too long. */
  onIdle(): void;
}

export class IdleWatch {
  readonly timeoutMs: number;
  readonly #clock: Clock;
  readonly #links = new Set<Quiet>();
  #timer: Timer | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.timeoutMs = timeoutMs;
  }

  /** Watches a link from now on: nothing has come from it yet. */
  add(link: Quiet): void {
    this.#links.add(link);
    this.#timer ??= this.#clock.after(this.timeoutMs, () => this.#look());
  }

  remove(link: Quiet): void {
    this.#links.delete(link);
    if (this.#links.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const now = this.#clock.now();
    let nextMs = this.timeoutMs;
    for (const link of this.#links) {
      const leftMs = (link.quietSince ?? now) + this.timeoutMs - now;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else link.onIdle();
    }
    const waitMs = Math.ceil(Math.max(nextMs, this.timeoutMs * CLOSEST_LOOKS));
    this.#timer = this.#links.size > 0 ? this.#clock.after(waitMs, () => this.#look()) : undefined;
  }
}
