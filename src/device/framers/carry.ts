// The part of a frame that came with earlier chunks. Bytes are always copied in: a tail of ten bytes must not pin the
// 64 KiB chunk it came with. The buffer is handed out with the frame and never written again.
//
//   add add add -> take         keeps the first `limit` bytes, counts all of them

const EMPTY = Buffer.alloc(0);
const SMALLEST = 64;
/** Up to here a loop is quicker than Buffer.copy: noise and slow lines come byte by byte. */
const FEW = 16;

/** A growing buffer with a limit: what comes beyond it is counted, not kept. */
export class Carry {
  readonly #limit: number;
  #bytes: Buffer = EMPTY;
  #length = 0;
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes added since the last `take`, kept or not. */
  get total(): number {
    return this.#total;
  }

  /** Bytes kept; at most the limit. */
  get length(): number {
    return this.#length;
  }

  /** The memory behind; only the first `length` bytes mean anything. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.#total += end - start;
    const kept = Math.min(end - start, this.#limit - this.#length);
    if (kept <= 0) return;
    this.#reserve(this.#length + kept);
    if (kept > FEW) bytes.copy(this.#bytes, this.#length, start, start + kept);
    else for (let i = 0; i < kept; i++) this.#bytes[this.#length + i] = bytes[start + i] ?? 0;
    this.#length += kept;
  }

  /** Gives away the memory (of which `length` bytes count: read it before) and is as new. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#total = 0;
    return bytes;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#total -= count;
  }

  /** Doubles, so that a frame that comes byte by byte is copied at most once more in all. */
  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(SMALLEST, Math.min(2 * size, this.#limit)));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
