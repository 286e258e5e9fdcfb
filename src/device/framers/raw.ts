// No framing: every chunk is a frame as it comes, whatever its length. Nothing is held, so there is nothing to bound.

import type { Framer, FrameSink } from '../framer.js';

/** `type: raw`. An empty chunk is nothing. */
export class RawFramer implements Framer {
  readonly held = 0;

  push(chunk: Buffer, sink: FrameSink): void {
    if (chunk.length > 0) sink.frame(chunk, 0, chunk.length);
  }

  flush(): void {}

  wrap(payload: Uint8Array): Buffer {
    return Buffer.from(payload);
  }
}
