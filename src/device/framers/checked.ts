// A framer whose frames end with a checksum: stands around any other framer, and between it and the sink.
//
//   bytes -> inner framer -> frame + checksum -> checked -> frame (checksum gone) or junk (bad-checksum)

import type { Checksum } from '../checksum.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';

/** A framer with a checksum around it. The inner framing bounds and measures frame and checksum together. */
export class CheckedFramer implements Framer, FrameSink {
  readonly gapMs?: number;
  readonly #inner: Framer;
  readonly #checksum: Checksum;
  #sink: FrameSink | undefined;

  constructor(inner: Framer, checksum: Checksum) {
    this.#inner = inner;
    this.#checksum = checksum;
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
    else this.#sink?.junk(bytes, start, end, 'bad-checksum', 0);
  }

  /** From the inner framer. */
  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void {
    this.#sink?.junk(bytes, start, end, reason, dropped);
  }
}
