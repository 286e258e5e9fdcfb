// A framer whose frames end with a checksum: stands around any other framer, and between it and the sink.
//
//   bytes -> inner framer -> frame + checksum -> checked -> frame (checksum gone) or junk (bad-checksum)
//
// Where frames begin with a marker, one whose end was lost reaches to the end of the next: that is found in it by its marker.

import { stepOver } from '../check-register.js';
import type { Checksum } from '../checksum.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';

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

  /**
   * Where, behind the last marker within the frame that has one, a good one begins. An empty one is not taken: too little to check. Noise
   * may be full of markers, so each byte is gone through twice and not once for each of them (`check-register.ts`).
   */
  #startInside(marker: Buffer, bytes: Buffer, start: number, end: number): number | undefined {
    const { register, size } = this.#checksum;
    const checked = bytes.subarray(start, Math.max(start, end - size));
    let next = checked.indexOf(marker);
    if (next < 0) return undefined;
    const told = this.#checksum.toldAt(bytes, end - size);
    const after = stepOver(register, 0, checked, 0, checked.length);
    let before = 0;
    let found: number | undefined;
    for (let at = 0; next >= 0 && at < checked.length; at++) {
      if (at === next + marker.length) {
        const value = register.between(before, after, checked.length - at, register.start);
        if (register.checksumOf(value) === told) found = start + at;
        next = checked.indexOf(marker, next + 1);
      }
      before = register.step(before, checked[at] ?? 0);
    }
    return found;
  }

  /** From the inner framer. */
  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void {
    this.#sink?.junk(bytes, start, end, reason, dropped);
  }
}
