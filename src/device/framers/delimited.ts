// What `line`, `slip` and `cobs` share: a frame is what stands before a delimiter. Pieces that lie in one chunk are handed on
// as slices of it, without a copy; one that began in an earlier chunk is joined in the carry.
//
//   chunk  |..ail\n frame\n frame\n ta|il
//           joined  slice    slice  carried

import type { FlushReason, Framer, FrameSink } from '../framer.js';
import { Carry } from './carry.js';
import { reportJunk } from './junk.js';
import { Marker } from './marker.js';

/** Sizes of a delimited framing, in bytes. */
export interface DelimitedLimits {
  /** The most that is handed over as junk: `max_length`. */
  readonly maxLength: number;
  /** Bytes before a delimiter beyond which they are `too-long`: `max_length` and what the coding can add to it. */
  readonly maxCoded: number;
}

/** Cuts at a delimiter; the subclass decodes what stands before it. */
export abstract class DelimitedFramer implements Framer {
  protected readonly maxLength: number;
  readonly #maxCoded: number;
  readonly #delimiter: Marker;
  readonly #carry: Carry;
  /** Bytes are missing before these: up to the next delimiter they may be the tail of a frame. */
  #isTail = false;

  constructor(delimiter: Buffer, { maxLength, maxCoded }: DelimitedLimits) {
    this.maxLength = maxLength;
    this.#maxCoded = maxCoded;
    this.#delimiter = new Marker(delimiter);
    this.#carry = new Carry(maxCoded);
  }

  /** Reports what stands before a delimiter, at most `maxCoded` bytes. */
  protected abstract deliver(bytes: Buffer, start: number, end: number, sink: FrameSink): void;
  abstract wrap(payload: Uint8Array): Buffer;

  get held(): number {
    return this.#carry.length;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    const to = chunk.length;
    let start = this.#isTail ? this.#skipTail(chunk, sink) : 0;
    for (let next = this.#delimiter.find(chunk, start, to); next >= 0; next = this.#delimiter.find(chunk, start, to)) {
      if (this.#carry.total > 0) this.#finishCarried(chunk, start, next, sink);
      else this.#hand(chunk, start, next - this.#delimiter.length, sink);
      start = next;
    }
    if (start < to) this.#carry.add(chunk, start, to);
  }

  flush(reason: FlushReason, sink: FrameSink): void {
    this.#delimiter.reset();
    this.#reportPartial(sink);
    this.#isTail = reason === 'hole';
  }

  /** Answers where the first frame begins. */
  #skipTail(chunk: Buffer, sink: FrameSink): number {
    const next = this.#delimiter.find(chunk, 0, chunk.length);
    this.#carry.add(chunk, 0, next < 0 ? chunk.length : next);
    if (next < 0) return chunk.length;
    this.#isTail = false;
    this.#reportPartial(sink);
    return next;
  }

  #reportPartial(sink: FrameSink): void {
    const { total, length } = this.#carry;
    if (total === 0) return;
    const reason = total > this.#maxCoded ? 'too-long' : 'partial';
    reportJunk(sink, this.#carry.take(), 0, length, reason, this.maxLength, total);
  }

  /** Part of the delimiter may have been carried: it is in `total`, and only beyond the limit not in the bytes. */
  #finishCarried(chunk: Buffer, start: number, next: number, sink: FrameSink): void {
    this.#carry.add(chunk, start, next);
    const { length } = this.#carry;
    const total = this.#carry.total - this.#delimiter.length;
    const bytes = this.#carry.take();
    if (total <= this.#maxCoded) this.deliver(bytes, 0, total, sink);
    else reportJunk(sink, bytes, 0, length, 'too-long', this.maxLength, total);
  }

  #hand(chunk: Buffer, start: number, end: number, sink: FrameSink): void {
    if (end - start <= this.#maxCoded) this.deliver(chunk, start, end, sink);
    else reportJunk(sink, chunk, start, end, 'too-long', this.maxLength);
  }
}
