// Frames of one length. Without a checksum nothing tells where a frame begins: they are counted from the opening of the
// link, or from the last flush. With a checksum, the framer slides along until it fits again.

import type { FramingOf } from '../../config/framing-schema.js';
import type { Checksum } from '../checksum.js';
import type { FrameSink, JunkReason } from '../framer.js';
import { SizedFramer } from './sized.js';

/** Sliding costs a checksum per byte; beyond this length noise could hold up the process, so whole frames are skipped. */
const LONGEST_TO_SLIDE = 256;

/** `type: fixed`. `length` bounds the memory, not `max_length`. The checksum is verified here, since it is what resyncs. */
export class FixedFramer extends SizedFramer {
  readonly #length: number;
  readonly #checksum: Checksum | undefined;

  constructor({ length }: FramingOf<'fixed'>, checksum?: Checksum) {
    const step = length <= LONGEST_TO_SLIDE ? 1 : length;
    super({ head: length, maxSize: length, maxSkipped: length, step });
    this.#length = length;
    this.#checksum = checksum;
  }

  protected inspect(bytes: Buffer, start: number): number | JunkReason {
    if (this.#checksum && !this.#checksum.isGood(bytes, start, start + this.#length)) return 'bad-checksum';
    return this.#length;
  }

  protected deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void {
    sink.frame(bytes, start, start + size - (this.#checksum?.size ?? 0));
  }

  /** The payload and its checksum, whatever its length: commands are often shorter than answers. */
  wrap(payload: Uint8Array): Buffer {
    return this.#checksum ? this.#checksum.append(payload) : Buffer.from(payload);
  }
}
