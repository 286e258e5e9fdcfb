// A length field says how much follows.
//
//   | offset bytes (begin with `start`, if set) | length field | field + adjust bytes (checksum last) |
//   |<----------------- head ----------------->|
//
// The frame handed on is the offset bytes and what follows the field. With `offset: 0` it is a slice of the chunk; else
// the two parts are joined in a fresh buffer. A checksum covers what is handed on, and is verified here, since it is what tells
// a wrong length field from a right one: then frames are searched for in what the field has swallowed.

import type { FramingOf } from '../../config/framing-schema.js';
import { stepOver } from '../check-register.js';
import type { Checksum } from '../checksum.js';
import { type FrameSink, type JunkReason, PayloadError } from '../framer.js';
import { SizedFramer, type SizedSearch } from './sized.js';

/**
 * `type: length-prefix`. `bad-length`: the field gives less than nothing or a frame over `max_length`; then one byte is
 * dropped and the next one tried, or with `start` the next place where the start stands (`no-start` for what is skipped).
 */
export class LengthPrefixFramer extends SizedFramer {
  readonly #config: FramingOf<'length-prefix'>;
  readonly #head: number;
  readonly #checksum: Checksum | undefined;
  /** Where the parts of a frame are joined to be checked. */
  #joined = Buffer.alloc(0);

  constructor(config: FramingOf<'length-prefix'>, checksum?: Checksum) {
    const head = config.offset + config.length_bytes;
    const maxSize = config.length_bytes + config.max_length;
    const limits = { head, maxSize: Math.max(head, maxSize), maxSkipped: config.max_length, step: 1 };
    super(checksum ? { ...limits, search: searchOf(checksum, config) } : limits);
    this.#config = config;
    this.#head = head;
    this.#checksum = checksum;
  }

  protected inspect(bytes: Buffer, start: number): number | JunkReason {
    const { start: marker, offset, adjust, max_length: maxLength } = this.#config;
    if (marker && !startsWith(bytes, start, marker)) return 'no-start';
    const follows = this.#readField(bytes, start + offset) + adjust;
    return follows < 0 || offset + follows > maxLength ? 'bad-length' : this.#head + follows;
  }

  protected override isGood(bytes: Buffer, start: number, size: number): boolean {
    const { offset, length_bytes: lengthBytes } = this.#config;
    if (!this.#checksum) return true;
    if (offset === 0) return this.#checksum.isGood(bytes, start + lengthBytes, start + size);
    const length = size - lengthBytes;
    if (this.#joined.length < length) this.#joined = Buffer.allocUnsafe(2 * length);
    this.#join(bytes, start, size, this.#joined);
    return this.#checksum.isGood(this.#joined, 0, length);
  }

  protected deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void {
    const { offset, length_bytes: lengthBytes } = this.#config;
    const checked = this.#checksum?.size ?? 0;
    if (offset === 0) {
      sink.frame(bytes, start + lengthBytes, start + size - checked);
      return;
    }
    const frame = Buffer.allocUnsafe(size - lengthBytes);
    this.#join(bytes, start, size, frame);
    sink.frame(frame, 0, frame.length - checked);
  }

  /** Copies the bytes before the length field and those behind it. */
  #join(bytes: Buffer, start: number, size: number, to: Buffer): void {
    const { offset } = this.#config;
    bytes.copy(to, 0, start, start + offset);
    bytes.copy(to, offset, start + this.#head, start + size);
  }

  /** Takes a payload as frames are handed on: `offset` bytes first. Throws a PayloadError if the field cannot say its length. */
  wrap(payload: Uint8Array): Buffer {
    return this.#wrapChecked(this.#checksum ? this.#checksum.append(payload) : payload);
  }

  #wrapChecked(payload: Uint8Array): Buffer {
    const { offset, adjust, length_bytes: lengthBytes } = this.#config;
    const field = payload.length - offset - adjust;
    if (payload.length < offset) {
      throw new PayloadError(
        `payload of ${payload.length} bytes is shorter than the ${offset} bytes of header (framing.offset)`,
      );
    }
    if (field < 0 || field >= 2 ** (8 * lengthBytes)) {
      throw new PayloadError(
        `payload of ${payload.length} bytes: ${field} does not fit a length field of ${lengthBytes} bytes`,
      );
    }
    return Buffer.concat([payload.subarray(0, offset), this.#writeField(field), payload.subarray(offset)]);
  }

  #readField(bytes: Buffer, at: number): number {
    const { endian, length_bytes: lengthBytes } = this.#config;
    return endian === 'big' ? bytes.readUIntBE(at, lengthBytes) : bytes.readUIntLE(at, lengthBytes);
  }

  #writeField(value: number): Buffer {
    const { endian, length_bytes: lengthBytes } = this.#config;
    const field = Buffer.alloc(lengthBytes);
    if (endian === 'big') field.writeUIntBE(value, 0, lengthBytes);
    else field.writeUIntLE(value, 0, lengthBytes);
    return field;
  }
}

/** One byte fits by accident at one place in 256; two bytes, of checksum or start, do so once in 65,536. */
function searchOf(checksum: Checksum, { start: marker, offset }: FramingOf<'length-prefix'>): SizedSearch {
  const { register } = checksum;
  return {
    checksum,
    isSure: checksum.size + (marker?.length ?? 0) > 1,
    registerBefore: (bytes, start) => stepOver(register, register.start, bytes, start, start + offset),
  };
}

function startsWith(bytes: Buffer, start: number, marker: Buffer): boolean {
  for (let at = 0; at < marker.length; at++) if (bytes[start + at] !== marker[at]) return false;
  return true;
}
