// Checksums at the end of frames: how each is computed, how long it is, and its byte order. Used by `framers/checked.ts`, `fixed.ts`.
// Names and check values follow crccalc.com (the catalogue of parametrised CRC algorithms).

import crc8 from 'crc/calculators/crc8';
import crc16ccitt from 'crc/calculators/crc16ccitt';
import crc16modbus from 'crc/calculators/crc16modbus';
import crc16xmodem from 'crc/calculators/crc16xmodem';
import crc32 from 'crc/calculators/crc32';
import type { ChecksumConfig } from '../config/framing-schema.js';

export type ChecksumType = ChecksumConfig['type'];

interface Algorithm {
  /** Bytes on the wire. */
  readonly size: number;
  /** The checksum, maybe as a negative 32-bit number. */
  readonly compute: (bytes: Uint8Array) => number;
}

// The package's crc16ccitt begins with 0xffff: that is CCITT-FALSE.
const ALGORITHMS: Readonly<Record<ChecksumType, Algorithm>> = {
  'crc16-modbus': { size: 2, compute: crc16modbus },
  'crc16-ccitt': { size: 2, compute: crc16ccitt },
  'crc16-xmodem': { size: 2, compute: crc16xmodem },
  crc8: { size: 1, compute: crc8 },
  crc32: { size: 4, compute: crc32 },
  sum8: { size: 1, compute: sum8 },
  xor8: { size: 1, compute: xor8 },
};

/** One way to check a frame, with its byte order. */
export class Checksum {
  /** Bytes that it takes at the end of a frame. */
  readonly size: number;
  readonly #compute: Algorithm['compute'];
  readonly #isLittle: boolean;

  constructor({ type, endian }: ChecksumConfig) {
    this.size = ALGORITHMS[type].size;
    this.#compute = ALGORITHMS[type].compute;
    this.#isLittle = endian === 'little';
  }

  /** The checksum of `bytes`, unsigned. */
  compute(bytes: Uint8Array): number {
    return this.#compute(bytes) >>> 0;
  }

  /** True if `bytes[start, end)` ends with the checksum of what stands before it. */
  isGood(bytes: Buffer, start: number, end: number): boolean {
    const body = end - this.size;
    if (body < start) return false;
    const told = this.#isLittle ? bytes.readUIntLE(body, this.size) : bytes.readUIntBE(body, this.size);
    return told === this.compute(bytes.subarray(start, body));
  }

  /** A copy of `payload` with its checksum behind it. */
  append(payload: Uint8Array): Buffer {
    const bytes = Buffer.alloc(payload.length + this.size);
    bytes.set(payload);
    if (this.#isLittle) bytes.writeUIntLE(this.compute(payload), payload.length, this.size);
    else bytes.writeUIntBE(this.compute(payload), payload.length, this.size);
    return bytes;
  }
}

// Loops, since fixed frames are looked for with a checksum at each byte: `reduce` with a callback takes three times as long.

/** Cannot lose bits: at most 1 MiB of bytes are added up. */
function sum8(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at] ?? 0;
  return sum & 0xff;
}

function xor8(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum ^= bytes[at] ?? 0;
  return sum;
}
