// How far a board should have come: its own time against the host's. A host that is busy for a moment is caught up with; one that
// is too slow is not chased for ever: beyond a limit the time is given up, and counted.

/** What the board may be behind, in ms of real time. */
const MAX_DEBT_MS = 100;

export class Pacer {
  lostMs = 0;
  readonly #speed: number;
  #originMs: number;

  /** `speed`: simulated ms per ms; `nowMs`: when the chip is at 0. */
  constructor(speed: number, nowMs: number) {
    this.#speed = speed;
    this.#originMs = nowMs;
  }

  /** Simulated ms at which a board should be by now that is at `simulatedMs`. */
  target(nowMs: number, simulatedMs: number): number {
    const behindMs = nowMs - this.#originMs - simulatedMs / this.#speed;
    if (behindMs > MAX_DEBT_MS) {
      this.lostMs += behindMs - MAX_DEBT_MS;
      this.#originMs += behindMs - MAX_DEBT_MS;
    }
    return (nowMs - this.#originMs) * this.#speed;
  }
}
