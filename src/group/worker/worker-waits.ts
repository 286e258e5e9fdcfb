// Those who wait for a WorkerDecoder: for room in its backlog, or for all of it to be decoded.

import type { WorkerWait } from '../decode-host.js';

interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: (how: WorkerWait) => void;
}

export class WorkerWaits {
  readonly #waiters = new Set<Waiter>();
  readonly #isGone: () => boolean;

  /** `isGone`: the Worker decodes nothing any more. */
  constructor(isGone: () => boolean) {
    this.#isGone = isGone;
  }

  /** Resolves once `isMet`, the Worker is gone, or `signal` has aborted. */
  until(isMet: () => boolean, signal: AbortSignal | undefined): Promise<WorkerWait> {
    return new Promise((resolve) => {
      const onAbort = (): void => done('aborted');
      const done = (how: WorkerWait): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        resolve(how);
      };
      const waiter: Waiter = { isMet, resolve: done };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else this.wake();
    });
  }

  /** Something has changed: those whose wait is over go on. */
  wake(): void {
    const isGone = this.#isGone();
    for (const { isMet, resolve } of this.#waiters) {
      if (isGone) resolve('gone');
      else if (isMet()) resolve('done');
    }
  }
}
