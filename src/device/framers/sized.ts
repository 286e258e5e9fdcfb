// What fixed and length-prefix framing have in common: the first bytes of a frame tell its size. Where they cannot be the
// beginning of a frame, bytes are skipped until they can.
//
//   |head|......body......|head|..      inspect(head) -> size of the frame, or 0: skip and look again
//
// A run of skipped bytes is one junk (cut at `maxSkipped`), reported before the head that ends it is waited for.

import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';
import { Carry } from './carry.js';
import { reportJunk } from './junk.js';

/** Sizes of a sized framing, in bytes. */
export interface SizedLimits {
  /** What `inspect` wants to see. */
  readonly head: number;
  /** The longest frame on the wire. */
  readonly maxSize: number;
  /** Longest run of skipped bytes in one junk; also the most that is handed over as junk. */
  readonly maxSkipped: number;
  /** How far to go on where no frame begins. */
  readonly step: number;
}

/** Cuts by size; the subclass reads the head. */
export abstract class SizedFramer implements Framer {
  readonly #limits: SizedLimits;
  /** A frame of which `#need` bytes are wanted before it can be looked at (again). Never longer than that. */
  readonly #carry: Carry;
  #need: number;
  readonly #skipped: Carry;
  #reason: JunkReason = 'no-start';

  constructor(limits: SizedLimits) {
    this.#limits = limits;
    this.#need = limits.head;
    this.#carry = new Carry(limits.maxSize);
    this.#skipped = new Carry(limits.maxSkipped);
  }

  /** Size of the frame that begins at `start` (at least the head), or why none does. At least a head can be read. */
  protected abstract inspect(bytes: Buffer, start: number): number | JunkReason;
  /** Reports the frame of `size` bytes at `start`. */
  protected abstract deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void;
  abstract wrap(payload: Uint8Array): Buffer;

  get held(): number {
    return this.#carry.length + this.#skipped.length;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    const from = this.#finishCarried(chunk, sink);
    const at = this.#cut(chunk, from, sink);
    if (at < chunk.length) this.#carry.add(chunk, at, chunk.length);
  }

  flush(_reason: FlushReason, sink: FrameSink): void {
    this.#reportSkipped(sink);
    const { length } = this.#carry;
    this.#need = this.#limits.head;
    if (length > 0) reportJunk(sink, this.#carry.take(), 0, length, 'partial', this.#limits.maxSkipped);
  }

  /** Completes what earlier chunks left, with bytes of this one; answers how many were used. */
  #finishCarried(chunk: Buffer, sink: FrameSink): number {
    let at = 0;
    while (this.#carry.length > 0) {
      const to = Math.min(chunk.length, at + this.#need - this.#carry.length);
      this.#carry.add(chunk, at, to);
      at = to;
      if (this.#carry.length < this.#need) return at;
      this.#stepCarried(sink);
      if (this.#need === this.#limits.head && this.#carry.length <= at) return this.#uncarry(at);
    }
    return at;
  }

  /** All that is still carried came with this chunk: goes on there, in place, which noise makes much quicker. */
  #uncarry(at: number): number {
    const { length } = this.#carry;
    this.#carry.drop(length);
    return at - length;
  }

  #stepCarried(sink: FrameSink): void {
    const size = this.inspect(this.#carry.bytes, 0);
    if (typeof size === 'string') {
      this.#skip(this.#carry.bytes, 0, size, sink);
      this.#carry.drop(this.#limits.step);
      return;
    }
    this.#reportSkipped(sink);
    const isWhole = this.#carry.length === size;
    this.#need = isWhole ? this.#limits.head : size;
    if (isWhole) this.deliver(this.#carry.take(), 0, size, sink);
  }

  /** Cuts `chunk` from `from` on, in place; answers where the last, partial frame begins. */
  #cut(chunk: Buffer, from: number, sink: FrameSink): number {
    let at = from;
    while (chunk.length - at >= this.#limits.head) {
      const size = this.inspect(chunk, at);
      if (typeof size === 'string') {
        this.#skip(chunk, at, size, sink);
        at += this.#limits.step;
        continue;
      }
      this.#reportSkipped(sink);
      if (chunk.length - at < size) {
        this.#need = size;
        break;
      }
      this.deliver(chunk, at, size, sink);
      at += size;
    }
    return at;
  }

  /** `no-start` goes on with whatever run there is; any other reason begins a run of its own. */
  #skip(bytes: Buffer, start: number, reason: JunkReason, sink: FrameSink): void {
    if (reason !== 'no-start' && reason !== this.#reason) this.#reportSkipped(sink);
    if (this.#skipped.length === 0) this.#reason = reason;
    this.#skipped.add(bytes, start, start + this.#limits.step);
    if (this.#skipped.length === this.#limits.maxSkipped) this.#reportSkipped(sink);
  }

  #reportSkipped(sink: FrameSink): void {
    const { length } = this.#skipped;
    if (length > 0) sink.junk(this.#skipped.take(), 0, length, this.#reason, 0);
  }
}
