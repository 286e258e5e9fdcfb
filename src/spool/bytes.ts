// Reading and writing of small numbers in a buffer, for block-codec.ts. A reader that runs over the end says so once, at the
// end (`failed`), and gives zeros and nothing until then: no read throws.

const MAX_VARINT_BYTES = 5;

/** Bytes that a number from 0 to 2^32 - 1 takes as a varint (LEB128). */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : MAX_VARINT_BYTES;
}

/** Writes a number from 0 to 2^32 - 1; answers where the next byte goes. */
export function writeVarint(bytes: Buffer, start: number, value: number): number {
  let rest = value;
  let at = start;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

/** Reads on from a place in a buffer. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;
  #hasFailed = false;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Something did not fit; all that was read since means nothing. */
  get failed(): boolean {
    return this.#hasFailed;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** What was read makes no sense. */
  fail(): void {
    this.#hasFailed = true;
    this.#at = this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.fail();
    else this.#at++;
    return byte ?? 0;
  }

  varint(): number {
    let value = 0;
    for (let place = 0; place < MAX_VARINT_BYTES; place++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return value;
    }
    this.fail();
    return 0;
  }

  double(): number {
    const slice = this.slice(8);
    return slice.length === 8 ? slice.readDoubleLE(0) : 0;
  }

  /** The next bytes, not copied; none where there are fewer. */
  slice(length: number): Buffer {
    if (length > this.left) {
      this.fail();
      return this.#bytes.subarray(this.#at, this.#at);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
