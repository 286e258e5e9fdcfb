// Names the device whose code held the event loop: while a driver decodes inline, nobody else's bytes move. Measured around
// every decode, so it is never in doubt who it was; told at most once a minute, with how often it happened since.

import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';

/** A decode longer than this is felt by the neighbours, ms. */
const HELD_MS = 100;
const TELL_EVERY_MS = 60_000;

/** After a decode that began at `startedAt` (monotonic ms): notes it if it was long. */
export function watchLoop(
  watch: LoopWatch | undefined,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  startedAt: number,
): LoopWatch | undefined {
  if (clock.now() - startedAt < HELD_MS) return watch;
  const goingOn = watch ?? new LoopWatch(clock, log);
  goingOn.note(startedAt);
  return goingOn;
}

export class LoopWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  #count = 0;
  #longestMs = 0;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Notes a long decode that began at `startedAt` (monotonic ms) and ends now. */
  note(startedAt: number): void {
    const now = this.#clock.now();
    this.#count += 1;
    this.#longestMs = Math.max(this.#longestMs, now - startedAt);
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + TELL_EVERY_MS;
    const fields = { thread: 'receive', held_ms: Math.round(this.#longestMs), times: this.#count };
    this.#log.warn(
      fields,
      `its driver held the event loop for ${fields.held_ms} ms, and every device waited: make decode faster, or set isolation: worker`,
    );
    this.#count = 0;
    this.#longestMs = 0;
  }
}
