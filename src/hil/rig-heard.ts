// What the gateway wrote to a device, as one stream of bytes, with the place up to which a test has read it. An expectation
// looks first at what is there already, then waits; it reads up to the end of what it found.

import type { Clock } from '../core/clock.js';
import type { Absence } from './rig-mailbox.js';
import { fresh } from './rig-matcher.js';

/** Unread bytes that are kept; older ones are dropped. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** What to look for: bytes, the same as text (UTF-8), or an expression over the bytes read as Latin-1. */
export type BytePattern = string | Uint8Array | RegExp;

interface Waiter {
  readonly pattern: BytePattern;
  readonly settle: (answer: Buffer | Absence) => void;
}

export class HeardBytes {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #unread: Buffer = Buffer.alloc(0);
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The gateway has written something. */
  take(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]).subarray(-MAX_UNREAD_BYTES);
    for (const waiter of this.#waiters) {
      const found = this.#readUpTo(waiter.pattern);
      if (found !== undefined) waiter.settle(found);
    }
  }

  /** Counts what has come so far as read. */
  forget(): void {
    this.#unread = Buffer.alloc(0);
  }

  /** The bytes that fit; what came before them is read too. */
  next(pattern: BytePattern, withinMs: number): Promise<Buffer | Absence> {
    const there = this.#readUpTo(pattern);
    if (there !== undefined || this.#isClosed) return Promise.resolve(there ?? 'closed');
    return new Promise((resolve) => {
      const waiter: Waiter = {
        pattern,
        settle: (answer) => {
          timer.cancel();
          this.#waiters.delete(waiter);
          resolve(answer);
        },
      };
      const timer = this.#clock.after(withinMs, () => waiter.settle('timeout'));
      this.#waiters.add(waiter);
    });
  }

  /** Nothing comes any more: who waits is told. What is unread can still be read. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.settle('closed');
  }

  #readUpTo(pattern: BytePattern): Buffer | undefined {
    const { start, length } = find(this.#unread, pattern);
    if (start < 0) return undefined;
    const found = Buffer.from(this.#unread.subarray(start, start + length));
    this.#unread = this.#unread.subarray(start + length);
    return found;
  }
}

function find(bytes: Buffer, pattern: BytePattern): { start: number; length: number } {
  if (pattern instanceof RegExp) {
    const match = fresh(pattern).exec(bytes.toString('latin1'));
    return match === null ? { start: -1, length: 0 } : { start: match.index, length: match[0].length };
  }
  const wanted = Buffer.from(pattern);
  return { start: bytes.indexOf(wanted), length: wanted.length };
}
