// Frames of one length. Without a checksum nothing tells where a frame begins: they are counted from the opening of the
// link, or from the last flush. With a checksum, the framer slides along until it fits again: frames of up to 256 bytes byte
// by byte, so that no good one is passed over; longer ones in steps, which pass over one for each 256 bytes of length.

import type { FramingOf } from '../../config/framing-schema.js';
import type { Checksum } from '../checksum.js';
import type { FrameSink, JunkReason } from '../framer.js';
import { SizedFramer } from './sized.js';
import { SlidingCheck } from './sliding-check.js';

/** While the first bytes come, sliding by one costs a checksum of all each time: longer frames slide by more, for the same price. */
const CHECKED_PER_BYTE = 256;

/** `type: fixed`. `length` bounds the memory, not `max_length`. The checksum is verified here, since it is what resyncs. */
export class FixedFramer extends SizedFramer {
  readonly #length: number;
  readonly #checksum: Checksum | undefined;
  readonly #check: SlidingCheck | undefined;

  constructor({ length }: FramingOf<'fixed'>, checksum?: Checksum) {
    super({ head: length, maxSize: length, maxSkipped: length, step: checksum ? stepOf(length) : 1 });
    this.#length = length;
    this.#checksum = checksum;
    this.#check = checksum && new SlidingCheck(checksum, length);
  }

  override push(chunk: Buffer, sink: FrameSink): void {
    super.push(chunk, sink);
    this.#check?.forget(); // its memory may be used for the next one
  }

  protected inspect(bytes: Buffer, start: number): number | JunkReason {
    return !this.#check || this.#check.isGood(bytes, start) ? this.#length : 'bad-checksum';
  }

  protected deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void {
    sink.frame(bytes, start, start + size - (this.#checksum?.size ?? 0));
  }

  /** The payload and its checksum, whatever its length: commands are often shorter than answers. */
  wrap(payload: Uint8Array): Buffer {
    return this.#checksum ? this.#checksum.append(payload) : Buffer.from(payload);
  }
}

/** Coprime to the length: so `length` steps try every place where a frame can begin, and take `step` frames for it. */
function stepOf(length: number): number {
  let step = Math.ceil(length / CHECKED_PER_BYTE);
  while (commonDivisor(step, length) > 1) step++;
  return step;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
