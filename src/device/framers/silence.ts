// A pause on the line ends a frame (Modbus RTU: 3.5 characters). The host owns the timer: it calls `flush('gap')`.

import type { FramingOf } from '../../config/framing-schema.js';
import type { FlushReason, Framer, FrameSink } from '../framer.js';
import { Carry } from './carry.js';
import { reportJunk } from './junk.js';

/** `type: silence`. Bytes up to a gap are a frame; bytes up to the loss of the link, and from a hole to the next gap, are `partial`. */
export class SilenceFramer implements Framer {
  readonly gapMs: number;
  readonly #maxLength: number;
  readonly #carry: Carry;
  #isTail = false;

  constructor({ gap, max_length: maxLength }: FramingOf<'silence'>) {
    this.gapMs = gap;
    this.#maxLength = maxLength;
    this.#carry = new Carry(maxLength);
  }

  get held(): number {
    return this.#carry.length;
  }

  push(chunk: Buffer, _sink: FrameSink): void {
    this.#carry.add(chunk, 0, chunk.length);
  }

  flush(reason: FlushReason, sink: FrameSink): void {
    const { total, length } = this.#carry;
    const isFrame = reason === 'gap' && !this.#isTail;
    if (reason !== 'gap' || total > 0) this.#isTail = reason === 'hole';
    if (total === 0) return;
    const bytes = this.#carry.take();
    if (total > this.#maxLength) reportJunk(sink, bytes, 0, length, 'too-long', this.#maxLength, total);
    else if (isFrame) sink.frame(bytes, 0, length);
    else sink.junk(bytes, 0, length, 'partial', 0);
  }

  /** The payload as it is: the gap is made by whoever writes. */
  wrap(payload: Uint8Array): Buffer {
    return Buffer.from(payload);
  }
}
