// Consistent Overhead Byte Stuffing (Cheshire & Baker 1997): no zero inside a frame, so that a zero can end it.
//
//   payload   11 22 00 33
//   wire      03 11 22 02 33 00      each code byte: how far to the next zero (FF: 254 bytes, then no zero)

import type { FramingOf } from '../../config/framing-schema.js';
import type { FrameSink } from '../framer.js';
import { DelimitedFramer } from './delimited.js';
import { reportJunk } from './junk.js';

const LONGEST_BLOCK = 254;
const FULL = 0xff;

/** `type: cobs`. Two zeros in a row hold no frame; a code that points beyond the frame is `bad-escape`. */
export class CobsFramer extends DelimitedFramer {
  constructor({ max_length: maxLength }: FramingOf<'cobs'>) {
    super(Buffer.from([0]), { maxLength, maxCoded: codedLimit(maxLength) });
  }

  protected deliver(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    if (start === end) return;
    const payload = Buffer.allocUnsafe(end - start);
    const length = decode(bytes, start, end, payload);
    if (length < 0) reportJunk(sink, bytes, start, end, 'bad-escape', this.maxLength);
    else if (length > this.maxLength) reportJunk(sink, bytes, start, end, 'too-long', this.maxLength);
    else sink.frame(payload, 0, length);
  }

  wrap(payload: Uint8Array): Buffer {
    const wire = Buffer.alloc(codedLimit(payload.length) + 1);
    let code = 0;
    let to = 1;
    const closeBlock = (): void => {
      wire[code] = to - code;
      code = to++;
    };
    payload.forEach((byte, at) => {
      if (byte === 0) closeBlock();
      else wire[to++] = byte;
      if (to - code === FULL && at + 1 < payload.length) closeBlock();
    });
    wire[code] = to - code;
    return wire.subarray(0, to + 1);
  }
}

/** The most bytes that a payload of `length` becomes, without the zero that ends it. */
function codedLimit(length: number): number {
  return length + Math.floor(length / LONGEST_BLOCK) + 1;
}

/** Decodes into `payload`; the number of bytes, or -1 where a code points beyond the end. */
function decode(bytes: Buffer, start: number, end: number, payload: Buffer): number {
  let to = 0;
  for (let at = start; at < end; ) {
    const code = bytes[at] ?? 0;
    const next = at + code;
    if (next > end) return -1;
    to += bytes.copy(payload, to, at + 1, next);
    if (code !== FULL && next < end) payload[to++] = 0;
    at = next;
  }
  return to;
}
