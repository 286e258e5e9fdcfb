// Reads a firmware file in Intel HEX (Intel, "Hexadecimal Object File Format Specification", rev. A, 1988) into a flash image.
//
//   :10 0100 00 214601360121470136007EFE09D21901 40      one record a line, hexadecimal
//   | |  |    |  data                            |
//   | |  |    type: 00 data, 01 end, 02/04 upper part of the address, 03/05 start address (checked, not used: an AVR starts at 0)
//   | |  address                                 checksum: the sum of all bytes is 0 modulo 256
//   | number of data bytes

import { FerruleError } from '../../core/errors.js';

/** What erased flash reads. */
const ERASED = 0xff;
/** Number of bytes, address (2), type, checksum. */
const FRAME_BYTES = 5;

const DATA = 0;
const END_OF_FILE = 1;
const EXTENDED_SEGMENT = 2;
const START_SEGMENT = 3;
const EXTENDED_LINEAR = 4;
const START_LINEAR = 5;

/** Data bytes that each type other than `DATA` has. */
const DATA_LENGTHS: Readonly<Record<number, number>> = {
  [END_OF_FILE]: 0,
  [EXTENDED_SEGMENT]: 2,
  [START_SEGMENT]: 4,
  [EXTENDED_LINEAR]: 2,
  [START_LINEAR]: 4,
};

/** No Intel HEX, or not for this chip; the message begins with `file:line`. */
export class IntelHexError extends FerruleError {
  constructor(file: string, line: number, problem: string) {
    super('bad-intel-hex', `${file}:${line}: ${problem}`);
  }
}

export interface IntelHexOptions {
  /** Named in errors. */
  readonly file: string;
  /** Bytes of the flash. */
  readonly size: number;
}

/** Reads a whole file into an image of `size` bytes, erased where the file says nothing. Throws IntelHexError. */
export function parseIntelHex(text: string, { file, size }: IntelHexOptions): Uint8Array {
  const reader = new HexReader(size);
  let line = 0;
  for (const record of text.split(/\r\n|\r|\n/)) {
    line += 1;
    const problem = reader.take(record.trimEnd());
    if (problem !== undefined) throw new IntelHexError(file, line, problem);
  }
  if (!reader.hasEnded)
    throw new IntelHexError(file, line, 'the end record (:00000001FF) is missing: is the file complete?');
  if (reader.byteCount === 0) throw new IntelHexError(file, line, 'there is no data in this file');
  return reader.image;
}

class HexReader {
  readonly image: Uint8Array;
  hasEnded = false;
  byteCount = 0;
  readonly #isSet: Uint8Array;
  #base = 0;
  /** Offsets wrap at 64 KiB within a segment (type 02), not after a linear base (type 04). */
  #wraps = true;

  constructor(size: number) {
    this.image = new Uint8Array(size).fill(ERASED);
    this.#isSet = new Uint8Array(size);
  }

  /** Takes one line; answers what is wrong with it. */
  take(record: string): string | undefined {
    if (record === '') return undefined;
    if (this.hasEnded) return 'there is something after the end record';
    const bytes = decode(record);
    if (typeof bytes === 'string') return bytes;
    return this.#apply(bytes);
  }

  #apply(record: Uint8Array): string | undefined {
    const [, high = 0, low = 0, type = 0] = record;
    const data = record.subarray(FRAME_BYTES - 1, -1);
    if (type === DATA) return this.#put((high << 8) | low, data);
    const length = DATA_LENGTHS[type];
    if (length === undefined) return `unknown record type ${hex(type, 2)}`;
    if (data.length !== length)
      return `a record of type ${hex(type, 2)} has ${length} data bytes, this one ${data.length}`;
    if (type === END_OF_FILE) this.hasEnded = true;
    if (type === EXTENDED_SEGMENT || type === EXTENDED_LINEAR) this.#setBase(type, data);
    return undefined;
  }

  #setBase(type: number, [high = 0, low = 0]: Uint8Array): void {
    const value = (high << 8) | low;
    this.#wraps = type === EXTENDED_SEGMENT;
    this.#base = this.#wraps ? value * 16 : value * 0x10000;
  }

  #put(offset: number, data: Uint8Array): string | undefined {
    for (const [index, byte] of data.entries()) {
      const at = this.#base + (this.#wraps ? (offset + index) % 0x10000 : offset + index);
      if (at >= this.image.length)
        return `address ${hex(at, 4)} is beyond the flash, which has ${this.image.length} bytes`;
      if (this.#isSet[at] === 1) return `address ${hex(at, 4)} is given twice`;
      this.#isSet[at] = 1;
      this.image[at] = byte;
      this.byteCount += 1;
    }
    return undefined;
  }
}

/** The bytes of a record with a right length and checksum, or what is wrong. */
function decode(record: string): Uint8Array | string {
  if (!record.startsWith(':')) return `a record begins with ":", found ${JSON.stringify(record.slice(0, 16))}`;
  const digits = record.slice(1);
  if (!/^[0-9a-f]*$/i.test(digits)) return 'a record has hexadecimal digits only';
  if (digits.length % 2 !== 0 || digits.length < FRAME_BYTES * 2)
    return `the record is cut off: ${digits.length} digits`;
  const bytes = Buffer.from(digits, 'hex');
  const promised = (bytes[0] ?? 0) + FRAME_BYTES;
  if (bytes.length !== promised) return `the record says ${bytes[0]} data bytes and has ${bytes.length - FRAME_BYTES}`;
  const sum = bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  if (sum === 0) return bytes;
  const given = bytes[bytes.length - 1] ?? 0;
  return `wrong checksum: given ${hex(given, 2)}, computed ${hex((given - sum) & 0xff, 2)}`;
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(digits, '0')}`;
}
