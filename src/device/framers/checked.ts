// A framer whose frames end with a checksum: stands around any other framer, and between it and the sink.
//
//   bytes -> inner framer -> frame + checksum -> checked -> frame (checksum gone) or junk (bad-checksum)
//
// Where frames begin with a marker, one whose end was lost reaches to the end of the next: that is found in it by its marker.

import type { Checksum } from '../checksum.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';

/** The most bytes checked for each byte of a bad frame: as in `check-budget.ts`. Noise may be full of markers. */
const CHECKED_PER_BYTE = 256;

/** A framer with a checksum around it. The inner framing bounds and measures frame and checksum together. */
export class CheckedFramer implements Framer, FrameSink {
  readonly gapMs?: number;
  readonly #inner: Framer;
  readonly #checksum: Checksum;
  readonly #marker: Buffer | undefined;
  #sink: FrameSink | undefined;

  /** `marker`: what stands before each frame, and has not been handed on with it. */
  constructor(inner: Framer, checksum: Checksum, marker?: Buffer) {
    this.#inner = inner;
    this.#checksum = checksum;
    this.#marker = marker;
    if (inner.gapMs !== undefined) this.gapMs = inner.gapMs;
  }

  get held(): number {
    return this.#inner.held;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    this.#sink = sink;
    this.#inner.push(chunk, this);
  }

  flush(reason: FlushReason, sink: FrameSink): void {
    this.#sink = sink;
    this.#inner.flush(reason, this);
  }

  wrap(payload: Uint8Array): Buffer {
    return this.#inner.wrap(this.#checksum.append(payload));
  }

  /** From the inner framer. */
  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#checksum.isGood(bytes, start, end)) this.#sink?.frame(bytes, start, end - this.#checksum.size);
    else this.#bad(bytes, start, end);
  }

  #bad(bytes: Buffer, start: number, end: number): void {
    const inside = this.#marker && this.#startInside(this.#marker, bytes, start, end);
    const junkEnd = this.#marker && inside ? inside - this.#marker.length : end;
    this.#sink?.junk(bytes, start, junkEnd, 'bad-checksum', 0);
    if (inside) this.#sink?.frame(bytes, inside, end - this.#checksum.size);
  }

  /** Where, behind a marker within the frame, a good one begins; the last is tried first. An empty one is not taken: too little to check. */
  #startInside(marker: Buffer, bytes: Buffer, start: number, end: number): number | undefined {
    let left = (end - start) * CHECKED_PER_BYTE;
    let at = end - this.#checksum.size - marker.length;
    while (at > start && left > 0) {
      at = bytes.lastIndexOf(marker, at - 1);
      if (at < start) return undefined;
      const from = at + marker.length;
      if (this.#checksum.isGood(bytes, from, end)) return from;
      left -= end - from;
    }
    return undefined;
  }

  /** From the inner framer. */
  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void {
    this.#sink?.junk(bytes, start, end, reason, dropped);
  }
}
