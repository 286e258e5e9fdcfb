// Those who wait for one thing, in the order in which they came. There are three lists to a queue and queues by the thousand,
// most with one waiter or none: that one is held as it is, and an array is made only for more.

/** How a wait ends, in the words of its caller. */
export type Settle<Outcome> = (outcome: Outcome) => void;

export class WaitList<Outcome> {
  #first: Settle<Outcome> | undefined;
  /** Those behind the first. */
  #others: Settle<Outcome>[] | undefined;

  /** Resolves with whatever the list is settled with, or with `aborted` when `signal`, not aborted yet, aborts. */
  wait(signal: AbortSignal | undefined, aborted: Outcome): Promise<Outcome> {
    if (signal === undefined) return new Promise((resolve) => this.#add(resolve));
    return new Promise((resolve) => {
      const settle: Settle<Outcome> = (outcome) => {
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const onAbort = (): void => {
        this.#remove(settle); // still listed: whoever takes it off also removes this listener
        resolve(aborted);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#add(settle);
    });
  }

  /** Takes off the one who has waited longest. */
  shift(): Settle<Outcome> | undefined {
    const first = this.#first;
    if (first !== undefined) this.#first = this.#others?.shift();
    return first;
  }

  settleAll(outcome: Outcome): void {
    const first = this.#first;
    if (first === undefined) return;
    const others = this.#others;
    this.#first = undefined;
    this.#others = undefined;
    first(outcome);
    if (others !== undefined) for (const settle of others) settle(outcome);
  }

  #add(settle: Settle<Outcome>): void {
    if (this.#first === undefined) this.#first = settle;
    else if (this.#others === undefined) this.#others = [settle];
    else this.#others.push(settle);
  }

  #remove(settle: Settle<Outcome>): void {
    if (settle === this.#first) this.#first = this.#others?.shift();
    else this.#others?.splice(this.#others.indexOf(settle), 1);
  }
}
