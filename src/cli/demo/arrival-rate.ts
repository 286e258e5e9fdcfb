// How many readings a second came lately: a ring of one-second buckets, so that a flood costs no more than a trickle.

const SECONDS = 5;

export class ArrivalRate {
  readonly #counts: number[] = new Array(SECONDS + 1).fill(0);
  #second = 0;
  #firstAt: number | undefined;

  /** A reading came. `now`: monotonic ms. */
  count(now: number): void {
    this.#firstAt ??= now;
    this.#turnTo(now);
    const slot = this.#second % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  /** Readings per second over the last whole seconds, at most five. */
  perSecond(now: number): number {
    if (this.#firstAt === undefined) return 0;
    this.#turnTo(now);
    const running = this.#counts[this.#second % this.#counts.length] ?? 0;
    const wholeSeconds = Math.min(SECONDS, this.#second - Math.floor(this.#firstAt / 1000));
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    return wholeSeconds === 0 ? total : (total - running) / wholeSeconds;
  }

  #turnTo(now: number): void {
    const second = Math.floor(now / 1000);
    const steps = Math.min(second - this.#second, this.#counts.length);
    for (let step = 0; step < steps; step += 1) this.#counts[(second - step) % this.#counts.length] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
