// No framing: every chunk is a frame, as it comes from the link. Nothing is held, so `max_length` has nothing to bound.

import type { FlushReason, Framer, FrameSink } from '../framer.js';

/** `type: raw`. Where chunks end depends on the link and its timing: for relaying bytes, not for decoding them. */
export class RawFramer implements Framer {
  readonly held = 0;

  push(chunk: Buffer, sink: FrameSink): void {
    if (chunk.length > 0) sink.frame(chunk, 0, chunk.length);
  }

  flush(_reason: FlushReason, _sink: FrameSink): void {}

  wrap(payload: Uint8Array): Buffer {
    return Buffer.from(payload);
  }
}
