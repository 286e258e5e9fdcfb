// Finds a byte sequence (delimiter, start, end) in a stream of chunks, also where it straddles them: it remembers how
// many bytes of the marker the stream ends with (Knuth, Morris, Pratt 1977), so nothing has to be looked at twice.

/** One marker, searched in one stream. */
export class Marker {
  /** Bytes of the marker. */
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #first: number;
  /** fallback[m]: the longest proper prefix of the marker that bytes[0..m] ends with. */
  readonly #fallback: Uint8Array;
  #matched = 0;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    this.#bytes = Uint8Array.from(bytes);
    this.#first = bytes[0] ?? 0;
    this.#fallback = fallbackOf(this.#bytes);
  }

  /** The index just after the next marker that ends in `chunk[from, to)`, or -1: then the search goes on with the next bytes. */
  find(chunk: Buffer, from: number, to: number): number {
    return this.length === 1 ? this.#findByte(chunk, from, to) : this.#findSequence(chunk, from, to);
  }

  /** Forgets a marker that has been seen in part. */
  reset(): void {
    this.#matched = 0;
  }

  #findByte(chunk: Buffer, from: number, to: number): number {
    return indexOf(this.#first, chunk, from, to) + 1 || -1;
  }

  #findSequence(chunk: Buffer, from: number, to: number): number {
    let matched = this.#matched;
    for (let at = from; at < to; at++) {
      if (matched === 0) at = indexOf(this.#first, chunk, at, to);
      if (at < 0) break;
      matched = advance(this.#bytes, this.#fallback, matched, chunk[at] ?? 0);
      if (matched === this.length) {
        this.#matched = 0;
        return at + 1;
      }
    }
    this.#matched = matched;
    return -1;
  }
}

/**
 * Buffer.indexOf takes no end. It is seven times as fast as a loop on lines of 64 bytes, but must not run on over the rest of a
 * large chunk for each short search: then the loop.
 */
function indexOf(byte: number, chunk: Buffer, from: number, to: number): number {
  if (to === chunk.length) return chunk.indexOf(byte, from);
  for (let at = from; at < to; at++) if (chunk[at] === byte) return at;
  return -1;
}

function advance(marker: Uint8Array, fallback: Uint8Array, matched: number, byte: number): number {
  let length = matched;
  while (length > 0 && marker[length] !== byte) length = fallback[length - 1] ?? 0;
  return marker[length] === byte ? length + 1 : length;
}

function fallbackOf(marker: Uint8Array): Uint8Array {
  const fallback = new Uint8Array(marker.length);
  let matched = 0;
  for (let at = 1; at < marker.length; at++) {
    matched = advance(marker, fallback, matched, marker[at] ?? 0);
    fallback[at] = matched;
  }
  return fallback;
}
