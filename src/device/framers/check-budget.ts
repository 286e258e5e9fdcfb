// What may be spent on checking whole frames. One that fails may have good ones in it, behind which the next fails, and so on: where
// frames may be long and good ones are short, each byte would be checked hundreds of times. Used by `frame-search.ts`, which finds the
// frames that are not checked at once by searching for them, byte by byte but each only once.

/** Bytes to check for each byte that comes. */
const PER_BYTE = 16;
/** Shorter frames are always checked; so is each that is no more than a head. */
const SHORT = 256;
/** What may be spent ahead: more than the longest frame. Some ms on a PC, some 25 on a Pi. */
const CREDIT = 2 * 1024 * 1024;

/** Tells whether a checksum can be afforded. */
export class CheckBudget {
  #debt = 0;

  /** So many bytes have been searched, or were a frame. */
  earn(bytes: number): void {
    if (this.#debt > 0) this.#debt = Math.max(0, this.#debt - bytes * PER_BYTE);
  }

  /** Whether a checksum of `size` bytes is to be made; it then counts as made. */
  affords(size: number): boolean {
    const debt = this.#debt + size;
    if (debt > CREDIT && size > SHORT) return false;
    this.#debt = Math.min(debt, CREDIT);
    return true;
  }
}
