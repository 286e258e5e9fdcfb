// What line, SLIP and COBS have in common: everything up to a delimiter is one coded frame.
//
//   chunk    ...|frame|frame|fra      whole frames are slices of the chunk: nothing copied, nothing allocated
//   carry                    fra      the tail waits here for the next chunk
//
// A frame beyond the limit is reported once, when its end is known (delimiter or flush): so the junk can say how much was
// dropped, and every chunking of a stream gives the same events.

import type { FlushReason, Framer, FrameSink } from '../framer.js';
import { Carry } from './carry.js';
import { reportJunk } from './junk.js';
import { Marker } from './marker.js';

/** Limits of a delimited framing, in bytes. */
export interface DelimitedLimits {
  /** The longest payload, and the most that is handed over as junk. */
  readonly maxLength: number;
  /** The longest frame on the wire, without its delimiter: `maxLength` plus what coding adds at worst. */
  readonly maxCoded: number;
}

/** Cuts at a delimiter; the subclass decodes what stands between. */
export abstract class DelimitedFramer implements Framer {
  protected readonly maxLength: number;
  readonly #maxCoded: number;
  readonly #marker: Marker;
  readonly #carry: Carry;

  constructor(delimiter: Uint8Array, limits: DelimitedLimits) {
    this.maxLength = limits.maxLength;
    this.#maxCoded = limits.maxCoded;
    this.#marker = new Marker(delimiter);
    this.#carry = new Carry(limits.maxCoded);
  }

  /** Reports the coded frame `bytes[start, end)`. The memory may be handed out. */
  protected abstract deliver(bytes: Buffer, start: number, end: number, sink: FrameSink): void;
  abstract wrap(payload: Uint8Array): Buffer;

  get held(): number {
    return this.#carry.length;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    const size = chunk.length;
    let start = 0;
    for (let end = this.#marker.find(chunk, 0, size); end >= 0; end = this.#marker.find(chunk, start, size)) {
      if (this.#carry.total > 0) this.#closeCarried(chunk, start, end, sink);
      else this.#close(chunk, start, end - this.#marker.length, sink);
      start = end;
    }
    if (start < size) this.#carry.add(chunk, start, size);
  }

  flush(_reason: FlushReason, sink: FrameSink): void {
    const { total, length } = this.#carry;
    this.#marker.reset();
    if (total === 0) return;
    const reason = total > this.#maxCoded ? 'too-long' : 'partial';
    reportJunk(sink, this.#carry.take(), 0, length, reason, this.maxLength, total);
  }

  #close(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    if (end - start > this.#maxCoded) reportJunk(sink, bytes, start, end, 'too-long', this.maxLength);
    else this.deliver(bytes, start, end, sink);
  }

  #closeCarried(chunk: Buffer, start: number, end: number, sink: FrameSink): void {
    this.#carry.add(chunk, start, end);
    const total = this.#carry.total - this.#marker.length;
    const length = this.#carry.length;
    const bytes = this.#carry.take();
    if (total > this.#maxCoded) reportJunk(sink, bytes, 0, length, 'too-long', this.maxLength, total);
    else this.deliver(bytes, 0, total, sink);
  }
}
