// The last wait of an ending gateway: for the broker to acknowledge what it has been sent, but only until a set time. Where there
// is a disk to leave things to, not long for a broker that is away; without one, what is left in the end is named as lost.

import type { Clock, Timer } from '../core/clock.js';

/** How long a broker that is away is waited for, ms. */
const AWAY_GRACE_MS = 1000;

export class LastWait {
  /** Monotonic ms. */
  #endsAt = Number.POSITIVE_INFINITY;
  #halfway: Timer | undefined;
  readonly #clock: Clock;
  readonly #hasDisk: boolean;
  readonly #whenIdle: (signal: AbortSignal) => Promise<unknown>;
  readonly #timers: Timer[] = [];
  #giveUp: (() => void) | undefined;

  /** `whenIdle` resolves when everything is acknowledged, or `signal` aborts. */
  constructor(clock: Clock, hasDisk: boolean, whenIdle: (signal: AbortSignal) => Promise<unknown>) {
    this.#clock = clock;
    this.#hasDisk = hasDisk;
    this.#whenIdle = whenIdle;
  }

  /** There is time until then (monotonic ms). `onHalfway`: half of it is over, and something may still be in front of the wait. */
  endBy(at: number, onHalfway: () => void): void {
    this.#endsAt = at;
    this.calm();
    this.#halfway = this.#clock.after((at - this.#clock.now()) / 2, onHalfway);
  }

  /** Nothing is in front of the wait any more. */
  calm(): void {
    this.#halfway?.cancel();
  }

  /** Waits, once. */
  async run(isBrokerThere: boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const over = new AbortController();
    const giveUp = (): void => over.abort();
    this.#giveUp = giveUp;
    if (Number.isFinite(this.#endsAt)) this.#giveUpIn(Math.max(0, this.#endsAt - this.#clock.now()));
    if (!isBrokerThere) this.brokerGone();
    signal.addEventListener('abort', giveUp, { once: true });
    await this.#whenIdle(over.signal);
    signal.removeEventListener('abort', giveUp);
    this.#giveUp = undefined;
    for (const timer of this.#timers) timer.cancel();
  }

  /** The session is lost: what it has not acknowledged by now waits for another one. */
  brokerGone(): void {
    if (this.#giveUp !== undefined && this.#hasDisk) this.#giveUpIn(AWAY_GRACE_MS);
  }

  #giveUpIn(ms: number): void {
    this.#timers.push(this.#clock.after(ms, () => this.#giveUp?.()));
  }
}
