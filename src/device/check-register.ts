// A checksum in the making: one number, which goes on with each byte. All checksums here are linear; so, from what the number was
// before and behind a stretch of bytes, follows the checksum of that stretch alone, however long it is, for the price of a few
// operations. That is what searching for frames needs, since one may begin at each byte of a noisy line.
//
//   ...|<------ length ------>|...      from anywhere before it, step by step
//    before                 after       between(before, after, length, start): as if begun there with `start`

/** How one kind of checksum is computed. Numbers of 32 bits may be negative. */
export interface CheckRegister {
  /** Before the first byte. */
  readonly start: number;
  /** After one byte more. */
  step(register: number, byte: number): number;
  /** Of `length` bytes, begun with `start`, over which another went from `before` to `after`. */
  between(before: number, after: number, length: number, start: number): number;
  /** The checksum, unsigned. */
  checksumOf(register: number): number;
}

/** `value` after `bytes[start, end)` more. */
export function stepOver(register: CheckRegister, value: number, bytes: Buffer, start: number, end: number): number {
  let stepped = value;
  for (let at = start; at < end; at++) stepped = register.step(stepped, bytes[at] ?? 0);
  return stepped;
}

/** Of `sum8`. */
export const sumRegister: CheckRegister = {
  start: 0,
  step: (register, byte) => (register + byte) & 0xff,
  between: (before, after, _length, start) => (after - before + start) & 0xff,
  checksumOf: (register) => register,
};

/** Of `xor8`. */
export const xorRegister: CheckRegister = {
  start: 0,
  step: (register, byte) => register ^ byte,
  between: (before, after, _length, start) => after ^ before ^ start,
  checksumOf: (register) => register,
};

/** What tells one CRC from another, as in the catalogues. */
export interface CrcParameters {
  readonly width: 8 | 16 | 32;
  /** Bits go through the register with the lowest first. */
  readonly isReflected: boolean;
  readonly start: number;
  /** Of the register, to be the checksum. */
  readonly finalXor: number;
  /** The register after a byte, where it was 0 before. */
  readonly ofByte: (byte: number) => number;
}

const NEAR_BITS = 10;
const NEAR = 1 << NEAR_BITS;

/**
 * Of a CRC. Its register is a polynomial, modulo that of the CRC; a byte of zero multiplies it by x^8, and so `n` of them by x^8n
 * (Knuth, TAOCP vol. 2, 4.6). Tables are made when first needed: 5 KB.
 */
export class CrcRegister implements CheckRegister {
  readonly start: number;
  readonly #crc: CrcParameters;
  readonly #mask: number;
  #tables: Tables | undefined;

  constructor(crc: CrcParameters) {
    this.#crc = crc;
    this.#mask = crc.width === 32 ? -1 : 2 ** crc.width - 1;
    this.start = crc.start;
  }

  step(register: number, byte: number): number {
    this.#tables ??= this.#makeTables();
    const { ofByte } = this.#tables;
    const { isReflected, width } = this.#crc;
    if (isReflected) return (ofByte[(register ^ byte) & 0xff] ?? 0) ^ (register >>> 8);
    return (ofByte[((register >>> (width - 8)) ^ byte) & 0xff] ?? 0) ^ ((register << 8) & this.#mask);
  }

  between(before: number, after: number, length: number, start: number): number {
    return after ^ this.#afterZeros(before ^ start, length);
  }

  checksumOf(register: number): number {
    return (register ^ this.#crc.finalXor) >>> 0;
  }

  #afterZeros(register: number, count: number): number {
    this.#tables ??= this.#makeTables();
    const { near, far } = this.#tables;
    const moved = this.#times(register, near[count & (NEAR - 1)] ?? 0);
    const wide = count >>> NEAR_BITS;
    if (wide === 0) return moved;
    while (far.length <= wide) far.push(this.#times(far.at(-1) ?? 0, near[NEAR] ?? 0));
    return this.#times(moved, far[wide] ?? 0);
  }

  /** The product of two polynomials. */
  #times(a: number, b: number): number {
    const { width, isReflected } = this.#crc;
    const top = width - 1;
    const { polynomial } = this.#tables ?? this.#makeTables();
    let product = 0;
    for (let bit = 0; bit < width; bit++) {
      if (isReflected) product = (product >>> 1) ^ (-(product & 1) & polynomial) ^ (-((a >>> bit) & 1) & b);
      else {
        const timesX = ((product << 1) & this.#mask) ^ (-((product >>> top) & 1) & polynomial);
        product = timesX ^ (-((a >>> (top - bit)) & 1) & b);
      }
    }
    return product;
  }

  #makeTables(): Tables {
    const { width, isReflected, ofByte: compute } = this.#crc;
    const ofByte = Int32Array.from({ length: 256 }, (_, byte) => compute(byte));
    const one = isReflected ? 1 << (width - 1) : 1;
    const near = new Int32Array(NEAR + 1);
    this.#tables = { ofByte, near, far: [one], polynomial: ofByte[isReflected ? 0x80 : 1] ?? 0 };
    near[0] = one;
    for (let count = 0; count < NEAR; count++) near[count + 1] = this.step(near[count] ?? 0, 0);
    return this.#tables;
  }
}

interface Tables {
  readonly ofByte: Int32Array;
  /** x^8n for n from 0 to NEAR, and for each NEAR of them. */
  readonly near: Int32Array;
  readonly far: number[];
  readonly polynomial: number;
}
