// What came on the topics and no test has looked at yet. An expectation first looks there, so that it does not matter
// whether a message comes before or after the test asks for it; what it found, and all that came before that, is then read.
//
//   topic "scale":  [read] [read] | [unread] [unread] <- take        next() reads up to and with what fits

import type { Clock } from '../core/clock.js';
import type { RigMessage } from './rig-message.js';

/** Unread messages per topic; older ones are dropped, for tests that look at one topic in a flood. */
const MAX_UNREAD = 1000;

/** Why there was no message. */
export type Absence = 'timeout' | 'closed';

interface Waiter {
  readonly topic: string;
  readonly fits: (message: RigMessage) => boolean;
  readonly settle: (answer: RigMessage | Absence) => void;
  readonly fail: (error: unknown) => void;
}

export class Mailbox {
  readonly #clock: Clock;
  readonly #unread = new Map<string, RigMessage[]>();
  readonly #counts = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Messages so far by topic, read or not. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** A message has come. */
  take(message: RigMessage): void {
    const { topic } = message;
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1);
    let isRead = false;
    for (const waiter of this.#waiters) {
      if (waiter.topic === topic && answers(waiter, message)) isRead = true;
    }
    if (isRead) this.#unread.delete(topic);
    else this.#keep(topic, message);
  }

  /** Counts what has come so far as read: on one topic, or on all. */
  forget(topic?: string): void {
    if (topic === undefined) this.#unread.clear();
    else this.#unread.delete(topic);
  }

  /** The next unread message that fits. Rejects with what `fits` throws. */
  next(topic: string, fits: (message: RigMessage) => boolean, withinMs: number): Promise<RigMessage | Absence> {
    return new Promise((resolve, reject) => {
      const there = this.#readUpTo(topic, fits);
      if (there !== undefined || this.#isClosed) {
        resolve(there ?? 'closed');
        return;
      }
      const timer = this.#clock.after(withinMs, () => waiter.settle('timeout'));
      const end = (): void => {
        timer.cancel();
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        topic,
        fits,
        settle: (answer) => {
          end();
          resolve(answer);
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Nothing comes any more: who waits is told. What is unread can still be read. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.settle('closed');
  }

  #keep(topic: string, message: RigMessage): void {
    const list = this.#unread.get(topic);
    if (list === undefined) this.#unread.set(topic, [message]);
    else if (list.push(message) > MAX_UNREAD) list.shift();
  }

  #readUpTo(topic: string, fits: (message: RigMessage) => boolean): RigMessage | undefined {
    const list = this.#unread.get(topic) ?? [];
    const at = list.findIndex(fits);
    return at < 0 ? undefined : list.splice(0, at + 1).at(-1);
  }
}

/** Answers a waiter whose message this is. */
function answers(waiter: Waiter, message: RigMessage): boolean {
  try {
    if (!waiter.fits(message)) return false;
    waiter.settle(message);
  } catch (error) {
    waiter.fail(error);
  }
  return true;
}
