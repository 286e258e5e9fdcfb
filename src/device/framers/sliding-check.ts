// Checks one stretch of bytes after the other, each a little further on, for what the bytes in between cost: two registers run along,
// one at either end of it. Used by `fixed.ts`.
//
//   |<--- checked --->|told|
//    behind      ahead          next:  |<--- checked --->|told|

import { stepOver } from '../check-register.js';
import type { Checksum } from '../checksum.js';

export class SlidingCheck {
  readonly #checksum: Checksum;
  /** Bytes that the checksum covers. */
  readonly #length: number;
  #bytes: Buffer | undefined;
  #start = 0;
  #behind = 0;
  #ahead = 0;
  /** The registers are where they should be: they are not wanted while frame follows frame. */
  #isRunning = false;

  /** `size`: of what is checked, checksum included. */
  constructor(checksum: Checksum, size: number) {
    this.#checksum = checksum;
    this.#length = size - checksum.size;
  }

  /** Whether the stretch at `start` ends with its checksum. Bytes that were looked at must stay as they were, until `forget`. */
  isGood(bytes: Buffer, start: number): boolean {
    const isNear = bytes === this.#bytes && start > this.#start && start - this.#start < this.#length;
    if (isNear) return this.#slideTo(bytes, start);
    this.#bytes = bytes;
    this.#start = start;
    this.#isRunning = false;
    return this.#checksum.isGood(bytes, start, start + this.#length + this.#checksum.size);
  }

  forget(): void {
    this.#bytes = undefined;
  }

  #slideTo(bytes: Buffer, start: number): boolean {
    const { register } = this.#checksum;
    if (!this.#isRunning) this.#run(bytes);
    for (; this.#start < start; this.#start++) {
      this.#behind = register.step(this.#behind, bytes[this.#start] ?? 0);
      this.#ahead = register.step(this.#ahead, bytes[this.#start + this.#length] ?? 0);
    }
    const value = register.between(this.#behind, this.#ahead, this.#length, register.start);
    return register.checksumOf(value) === this.#checksum.toldAt(bytes, start + this.#length);
  }

  #run(bytes: Buffer): void {
    this.#isRunning = true;
    this.#behind = 0;
    this.#ahead = stepOver(this.#checksum.register, 0, bytes, this.#start, this.#start + this.#length);
  }
}
