// Frames between two markers, such as STX ... ETX. Two states, each reading up to its marker:
//
//   seeking --start--> inside --end--> frame, seeking
//                      inside, more than max_length --> seeking: the rest up to the next start is part of the same junk

import type { FramingOf } from '../../config/framing-schema.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';
import { Carry } from './carry.js';
import { reportJunk } from './junk.js';
import { Marker } from './marker.js';

type State = 'seeking' | 'inside' | 'overrun';

/**
 * `type: start-end`. What stands before a start is one junk `no-start`, reported when the start comes. A start inside a
 * frame is payload. A payload that holds the end marker cannot be told apart: nothing is escaped.
 */
export class StartEndFramer implements Framer {
  readonly #maxLength: number;
  readonly #start: Marker;
  readonly #end: Marker;
  readonly #markers: readonly [Buffer, Buffer];
  readonly #carry: Carry;
  #state: State = 'seeking';

  constructor({ start, end, max_length: maxLength }: FramingOf<'start-end'>) {
    this.#maxLength = maxLength;
    this.#start = new Marker(start);
    this.#end = new Marker(end);
    this.#markers = [start, end];
    this.#carry = new Carry(maxLength);
  }

  get held(): number {
    return this.#carry.length;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#state === 'inside' ? this.#readFrame(chunk, at, sink) : this.#seekStart(chunk, at, sink);
    }
  }

  flush(_reason: FlushReason, sink: FrameSink): void {
    const reason = this.#state === 'inside' ? 'partial' : this.#seekReason();
    if (this.#carry.total > 0) this.#junk(this.#carry.total, reason, sink);
    this.#start.reset();
    this.#end.reset();
    this.#state = 'seeking';
  }

  wrap(payload: Uint8Array): Buffer {
    return Buffer.concat([this.#markers[0], payload, this.#markers[1]]);
  }

  #seekStart(chunk: Buffer, at: number, sink: FrameSink): number {
    const end = this.#start.find(chunk, at, chunk.length);
    if (end < 0) {
      this.#carry.add(chunk, at, chunk.length);
      return chunk.length;
    }
    if (this.#carry.total > 0 || end - at > this.#start.length) {
      this.#carry.add(chunk, at, end);
      this.#junk(this.#carry.total - this.#start.length, this.#seekReason(), sink);
    }
    this.#state = 'inside';
    return end;
  }

  #readFrame(chunk: Buffer, at: number, sink: FrameSink): number {
    const room = this.#maxLength + this.#end.length - this.#carry.total;
    const to = Math.min(chunk.length, at + room);
    const end = this.#end.find(chunk, at, to);
    if (end >= 0) {
      this.#deliver(chunk, at, end, sink);
      this.#state = 'seeking';
      return end;
    }
    this.#carry.add(chunk, at, to);
    if (to - at === room) {
      this.#end.reset();
      this.#state = 'overrun';
    }
    return to;
  }

  #deliver(chunk: Buffer, at: number, end: number, sink: FrameSink): void {
    if (this.#carry.total === 0) {
      sink.frame(chunk, at, end - this.#end.length);
      return;
    }
    this.#carry.add(chunk, at, end);
    const length = this.#carry.total - this.#end.length;
    sink.frame(this.#carry.take(), 0, length);
  }

  /** Reports the first `total` bytes of what was added to the carry, and empties it. */
  #junk(total: number, reason: JunkReason, sink: FrameSink): void {
    const length = Math.min(this.#carry.length, total);
    const bytes = this.#carry.take();
    if (total > 0) reportJunk(sink, bytes, 0, length, reason, this.#maxLength, total);
  }

  #seekReason(): JunkReason {
    return this.#state === 'overrun' ? 'too-long' : 'no-start';
  }
}
