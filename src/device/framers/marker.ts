// A run of bytes (delimiter, start or end marker) looked for in a stream of chunks. It remembers how much of a marker the last
// chunk ended with, so that one cut in two by a chunk border is found; after Knuth, Morris and Pratt (1977).

/** Finds one marker in a stream. */
export class Marker {
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #first: number;
  /** For each count of matched bytes, how many still match when the next byte does not. */
  readonly #fallback: readonly number[];
  #matched = 0;

  constructor(bytes: Buffer) {
    this.length = bytes.length;
    this.#bytes = bytes;
    this.#first = bytes[0] ?? 0;
    this.#fallback = fallbackOf(bytes);
  }

  /**
   * The index just behind the next marker within `chunk[from, to)`, or -1; the marker may have begun in the chunk before.
   * After -1 the next call goes on where this one ended.
   */
  find(chunk: Buffer, from: number, to: number): number {
    return this.length === 1 ? this.#findByte(chunk, from, to) : this.#findBytes(chunk, from, to);
  }

  /** Forgets a marker that has begun. */
  reset(): void {
    this.#matched = 0;
  }

  // Measured in this framer on lines of 64 bytes: 18 to 25 ns with indexOf, 58 ns with a loop (which wins only below some 24).
  // The loop remains where a search must stop early: indexOf would run through the rest of the chunk each time.
  #findByte(chunk: Buffer, from: number, to: number): number {
    if (to === chunk.length) return chunk.indexOf(this.#first, from) + 1 || -1;
    for (let at = from; at < to; at++) if (chunk[at] === this.#first) return at + 1;
    return -1;
  }

  #findBytes(chunk: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && this.#matched > 0) if (this.#step(chunk[at++])) return at;
    if (at >= to) return -1;
    const found = (to === chunk.length ? chunk : chunk.subarray(0, to)).indexOf(this.#bytes, at);
    if (found >= 0) return found + this.length;
    for (at = Math.max(at, to - this.length + 1); at < to; at++) this.#step(chunk[at]);
    return -1;
  }

  /** Takes one byte; true if it completes a marker. */
  #step(byte: number | undefined): boolean {
    let matched = this.#matched;
    while (matched > 0 && this.#bytes[matched] !== byte) matched = this.#fallback[matched] ?? 0;
    if (this.#bytes[matched] === byte) matched++;
    const isWhole = matched === this.length;
    this.#matched = isWhole ? 0 : matched;
    return isWhole;
  }
}

function fallbackOf(bytes: Buffer): number[] {
  const fallback = [0, 0];
  for (let at = 1, matched = 0; at < bytes.length; at++) {
    while (matched > 0 && bytes[matched] !== bytes[at]) matched = fallback[matched] ?? 0;
    if (bytes[matched] === bytes[at]) matched++;
    fallback.push(matched);
  }
  return fallback;
}
