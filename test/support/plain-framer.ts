// The simplest framers that keep the contract, for tests of what stands above them: `line` and `raw`, without checksum.

import type { FramingConfig } from '../../src/config/framing-schema.js';
import type { Framer, FrameSink } from '../../src/device/framer.js';

/** A framer for `raw` or `line` framing. Throws for others. */
export function plainFramer(framing: FramingConfig): Framer {
  if (framing.type === 'raw') return plainRawFramer();
  if (framing.type === 'line') return plainLineFramer(framing.delimiter, framing.max_length);
  throw new Error(`no plain framer for ${framing.type}`);
}

/** Cuts at the delimiter; joins frames that straddle chunks. Holds at most `maxLength` and a delimiter. */
export function plainLineFramer(delimiter: Buffer = Buffer.from('\n'), maxLength = 4096): Framer {
  let kept: Buffer = Buffer.alloc(0);
  const keep = (rest: Buffer, sink: FrameSink): void => {
    kept = rest;
    if (kept.length <= maxLength + delimiter.length) return;
    sink.junk(kept, 0, maxLength, 'too-long', kept.length - maxLength);
    kept = Buffer.alloc(0);
  };
  return {
    push(chunk, sink) {
      let start = 0;
      if (kept.length > 0) {
        const joined = Buffer.concat([kept, chunk]);
        const end = joined.indexOf(delimiter);
        if (end < 0) return keep(joined, sink);
        sink.frame(joined, 0, end);
        start = end + delimiter.length - kept.length;
      }
      for (let end = chunk.indexOf(delimiter, start); end >= 0; end = chunk.indexOf(delimiter, start)) {
        sink.frame(chunk, start, end);
        start = end + delimiter.length;
      }
      keep(chunk.subarray(start), sink);
    },
    flush(reason, sink) {
      if (reason !== 'end') return;
      if (kept.length > 0) sink.junk(kept, 0, kept.length, 'partial', 0);
      kept = Buffer.alloc(0);
    },
    get held() {
      return kept.length;
    },
    wrap: (payload) => Buffer.concat([payload, delimiter]),
  };
}

function plainRawFramer(): Framer {
  return {
    push: (chunk, sink) => sink.frame(chunk, 0, chunk.length),
    flush: () => {},
    held: 0,
    wrap: (payload) => Buffer.from(payload),
  };
}
