// Something to do once, when the callbacks of this turn of the event loop are over: what several of them ask for is done for all.

export class TurnEnd {
  readonly #act: () => void;
  #isDue = false;

  /** `act` must not throw. */
  constructor(act: () => void) {
    this.#act = act;
  }

  /** Asks for it; however often, it is done once. */
  soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#act();
    });
  }
}

/** Resolves when they are over. The promise of `node:timers/promises` takes longer than all that waits for it. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
