// A way up out of a group that keeps what it is given, and can be made full.

import type { CommandStatus, ReadingsUp, Relay, ResponseUp, UpMessage } from '../../src/device/message.js';

export class FakeRelay implements Relay {
  /** Everything that was taken, in order. */
  readonly taken: UpMessage[] = [];
  #isFull = false;
  #fails: Error | undefined;
  readonly #waiting = new Set<() => void>();

  offer(message: UpMessage): 'taken' | 'full' {
    const isBulk = message.kind === 'readings' || message.kind === 'dead-letter';
    if (isBulk && this.#fails) {
      const error = this.#fails;
      this.#fails = undefined;
      throw error;
    }
    if (isBulk && this.#isFull) return 'full';
    this.taken.push(message);
    return 'taken';
  }

  room(signal?: AbortSignal): Promise<unknown> {
    if (!this.#isFull || signal?.aborted) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** From now on readings and dead letters are refused, until `empty`. */
  fill(): void {
    this.#isFull = true;
  }

  empty(): void {
    this.#isFull = false;
    for (const wake of [...this.#waiting]) wake();
  }

  /** The next readings make `offer` throw. */
  failOnce(error: Error): void {
    this.#fails = error;
  }

  /** The readings, each as text in which every byte is one character. */
  get texts(): string[] {
    return this.readings.flatMap(textsOf);
  }

  get readings(): ReadingsUp[] {
    return this.taken.filter((message) => message.kind === 'readings');
  }

  /** States announced for `device`, in order. */
  availability(device: string): string[] {
    return this.taken.flatMap((each) => (each.kind === 'availability' && each.device === device ? [each.state] : []));
  }

  /** Answers to the command with this transaction. */
  responses(transaction: string): ResponseUp[] {
    return this.taken.filter(
      (each): each is ResponseUp => each.kind === 'response' && each.transaction === transaction,
    );
  }

  statuses(transaction: string): CommandStatus[] {
    return this.responses(transaction).map(({ status }) => status);
  }

  /** Reasons of the dead letters. */
  get deadLetters(): string[] {
    return this.taken.flatMap((each) => (each.kind === 'dead-letter' ? [each.reason] : []));
  }
}

function textsOf({ batch: { bytes, bounds } }: ReadingsUp): string[] {
  return Array.from(bounds).flatMap((start, i) =>
    i % 2 === 0 ? [bytes.toString('latin1', start, bounds[i + 1])] : [],
  );
}
