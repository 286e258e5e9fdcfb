// Reports junk within the contract of a FrameSink: at most `max_length` bytes are handed over, the rest is counted.

import type { FrameSink, JunkReason } from '../framer.js';

/** Reports `bytes[start, end)`, the beginning of `total` bytes of junk, clipped to `maxLength`. */
export function reportJunk(
  sink: FrameSink,
  bytes: Buffer,
  start: number,
  end: number,
  reason: JunkReason,
  maxLength: number,
  total = end - start,
): void {
  const kept = Math.min(end - start, maxLength);
  sink.junk(bytes, start, start + kept, reason, total - kept);
}
