// What may be spent on looking for frames: a checksum at each byte, over whatever length stands there, would let 64 KiB of
// noise hold up the process for seconds. Used by `frame-search.ts`.

/** Bytes to check for each byte that comes: as much as `fixed` frames of this length cost. Shorter frames are always checked. */
const PER_BYTE = 256;
/** What may be spent ahead: enough to try each place in a spoilt frame of some kilobytes. A few ms on a PC, some 50 on a Pi. */
const CREDIT = 4 * 1024 * 1024;

/** Tells whether a checksum can be afforded. Beyond the credit long ones are drawn by lot, on average for what is earned. */
export class CheckBudget {
  #debt = 0;
  #lot = 1;

  /** So many bytes have been searched, or were a frame. */
  earn(bytes: number): void {
    if (this.#debt > 0) this.#debt = Math.max(0, this.#debt - bytes * PER_BYTE);
  }

  /** Whether a checksum of `size` bytes is to be made; it then counts as made. */
  affords(size: number): boolean {
    if (size > PER_BYTE && this.#debt > CREDIT && !this.#draws(size)) return false;
    this.#debt += size;
    return true;
  }

  /** By lot, since places at regular distances could be those that are always passed over. The same bytes draw the same lots. */
  #draws(size: number): boolean {
    this.#lot = Math.imul(this.#lot, 1103515245) + 12345;
    return (this.#lot >>> 8) % Math.ceil(size / PER_BYTE) === 0;
  }
}
