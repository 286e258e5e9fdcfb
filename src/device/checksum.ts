// Checksums at the end of frames: how each is computed, how long it is, and its byte order. Used by `framers/checked.ts`, `fixed.ts`.
// Names and check values follow crccalc.com (the catalogue of parametrised CRC algorithms).

import crc8 from 'crc/calculators/crc8';
import crc16ccitt from 'crc/calculators/crc16ccitt';
import crc16modbus from 'crc/calculators/crc16modbus';
import crc16xmodem from 'crc/calculators/crc16xmodem';
import crc32 from 'crc/calculators/crc32';
import type { ChecksumConfig } from '../config/framing-schema.js';
import { type CheckRegister, CrcRegister, sumRegister, xorRegister } from './check-register.js';

export type ChecksumType = ChecksumConfig['type'];

interface Algorithm {
  /** Bytes on the wire. */
  readonly size: number;
  /** The checksum, maybe as a negative 32-bit number. */
  readonly compute: (bytes: Uint8Array) => number;
  readonly register: CheckRegister;
}

// The package's crc16ccitt begins with 0xffff: that is CCITT-FALSE.
const ALGORITHMS: Readonly<Record<ChecksumType, Algorithm>> = {
  'crc16-modbus': {
    size: 2,
    compute: crc16modbus,
    register: new CrcRegister({ width: 16, isReflected: true, start: 0xffff, finalXor: 0, ofByte: of(crc16modbus) }),
  },
  'crc16-ccitt': {
    size: 2,
    compute: crc16ccitt,
    register: new CrcRegister({ width: 16, isReflected: false, start: 0xffff, finalXor: 0, ofByte: of(crc16ccitt) }),
  },
  'crc16-xmodem': {
    size: 2,
    compute: crc16xmodem,
    register: new CrcRegister({ width: 16, isReflected: false, start: 0, finalXor: 0, ofByte: of(crc16xmodem) }),
  },
  crc8: {
    size: 1,
    compute: crc8,
    register: new CrcRegister({ width: 8, isReflected: false, start: 0, finalXor: 0, ofByte: of(crc8) }),
  },
  crc32: {
    size: 4,
    compute: crc32,
    // The package turns its bits over at the end, and takes what went before as turned over, but for 0.
    register: new CrcRegister({
      width: 32,
      isReflected: true,
      start: -1,
      finalXor: -1,
      ofByte: (byte) => ~of(crc32)(byte),
    }),
  },
  sum8: { size: 1, compute: sum8, register: sumRegister },
  xor8: { size: 1, compute: xor8, register: xorRegister },
};

/** The register after one byte that it was 0 before. */
function of(compute: (bytes: Uint8Array, previous?: number) => number): (byte: number) => number {
  return (byte) => compute(Uint8Array.of(byte), 0);
}

/** One way to check a frame, with its byte order. */
export class Checksum {
  /** Bytes that it takes at the end of a frame. */
  readonly size: number;
  /** The same, byte by byte. */
  readonly register: CheckRegister;
  readonly #compute: Algorithm['compute'];
  readonly #isLittle: boolean;

  constructor({ type, endian }: ChecksumConfig) {
    this.size = ALGORITHMS[type].size;
    this.register = ALGORITHMS[type].register;
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
    return this.toldAt(bytes, body) === this.compute(bytes.subarray(start, body));
  }

  /** The checksum that stands at `at`. */
  toldAt(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUIntLE(at, this.size) : bytes.readUIntBE(at, this.size);
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
