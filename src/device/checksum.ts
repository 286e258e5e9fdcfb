// Checksums at the end of frames: computed with the `crc` package (its bare calculators: the package's index costs 14 ms to
// load, these 2), sum and XOR by hand. `withChecksum` gives one to any framer: verified and stripped on the way up,
// added by `wrap`. Used by `make-framer.ts`.

import crc8 from 'crc/calculators/crc8';
import crc16ccitt from 'crc/calculators/crc16ccitt';
import crc16modbus from 'crc/calculators/crc16modbus';
import crc16xmodem from 'crc/calculators/crc16xmodem';
import crc32 from 'crc/calculators/crc32';
import type { ChecksumConfig } from '../config/framing-schema.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from './framer.js';

interface Algorithm {
  /** Bytes on the wire. */
  readonly size: number;
  readonly compute: (bytes: Uint8Array) => number;
}

const ALGORITHMS: Readonly<Record<ChecksumConfig['type'], Algorithm>> = {
  'crc16-modbus': { size: 2, compute: (bytes) => crc16modbus(bytes) },
  'crc16-ccitt': { size: 2, compute: (bytes) => crc16ccitt(bytes) },
  'crc16-xmodem': { size: 2, compute: (bytes) => crc16xmodem(bytes) },
  crc8: { size: 1, compute: (bytes) => crc8(bytes) },
  crc32: { size: 4, compute: (bytes) => crc32(bytes) >>> 0 }, // the calculator answers a signed word
  sum8: { size: 1, compute: sum8 },
  xor8: { size: 1, compute: xor8 },
};

function sum8(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum + byte) & 0xff;
  return sum;
}

function xor8(bytes: Uint8Array): number {
  let xor = 0;
  for (const byte of bytes) xor ^= byte;
  return xor;
}

/** A checksum as it stands at the end of frames. */
export class Checksum {
  /** Bytes on the wire: 1, 2 or 4. */
  readonly size: number;
  readonly #compute: (bytes: Uint8Array) => number;
  readonly #isLittle: boolean;

  constructor({ type, endian }: ChecksumConfig) {
    this.size = ALGORITHMS[type].size;
    this.#compute = ALGORITHMS[type].compute;
    this.#isLittle = endian === 'little';
  }

  /** The value over all of `bytes`, unsigned. */
  compute(bytes: Uint8Array): number {
    return this.#compute(bytes);
  }

  /** Whether `bytes[start, end)` ends with the checksum of what stands before it. False where it is too short for one. */
  isGood(bytes: Buffer, start: number, end: number): boolean {
    const at = end - this.size;
    if (at < start) return false;
    const found = this.#isLittle ? bytes.readUIntLE(at, this.size) : bytes.readUIntBE(at, this.size);
    return found === this.#compute(bytes.subarray(start, at));
  }

  /** A copy of the payload with its checksum at the end. */
  append(payload: Uint8Array): Buffer {
    const bytes = Buffer.allocUnsafe(payload.length + this.size);
    bytes.set(payload);
    const value = this.#compute(payload);
    if (this.#isLittle) bytes.writeUIntLE(value, payload.length, this.size);
    else bytes.writeUIntBE(value, payload.length, this.size);
    return bytes;
  }
}

/** The same framer with a checksum inside each frame: frames that fail are junk (`bad-checksum`, whole), others lose it. */
export function withChecksum(framer: Framer, checksum: Checksum): Framer {
  return new CheckedFramer(framer, checksum);
}

class CheckedFramer implements Framer {
  readonly gapMs?: number;
  readonly #framer: Framer;
  readonly #checksum: Checksum;

  constructor(framer: Framer, checksum: Checksum) {
    this.#framer = framer;
    this.#checksum = checksum;
    if (framer.gapMs !== undefined) this.gapMs = framer.gapMs;
  }

  get held(): number {
    return this.#framer.held;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    this.#framer.push(chunk, new CheckedSink(sink, this.#checksum));
  }

  flush(reason: FlushReason, sink: FrameSink): void {
    this.#framer.flush(reason, new CheckedSink(sink, this.#checksum));
  }

  /** The checksum is part of the frame before it is wrapped: lengths count it, escapes cover it. */
  wrap(payload: Uint8Array): Buffer {
    return this.#framer.wrap(this.#checksum.append(payload));
  }
}

/** Stands before a sink for the time of one push. */
class CheckedSink implements FrameSink {
  readonly #sink: FrameSink;
  readonly #checksum: Checksum;

  constructor(sink: FrameSink, checksum: Checksum) {
    this.#sink = sink;
    this.#checksum = checksum;
  }

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#checksum.isGood(bytes, start, end)) this.#sink.frame(bytes, start, end - this.#checksum.size);
    else this.#sink.junk(bytes, start, end, 'bad-checksum', 0);
  }

  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void {
    this.#sink.junk(bytes, start, end, reason, dropped);
  }
}
