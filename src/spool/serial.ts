// One thing after the other: what is asked to run waits for all that was asked before. Keeps a store and the spool above it
// simple: nothing changes under a running step.

export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `step` when all before it have ended, well or not. */
  run<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step);
    this.#last = result.catch(() => {});
    return result;
  }
}
