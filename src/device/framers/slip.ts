// SLIP, RFC 1055: END closes a frame; END and ESC inside are escaped.
//
//   END          = C0      C0 in the payload -> DB DC
//   ESC          = DB      DB in the payload -> DB DD

import type { FramingOf } from '../../config/framing-schema.js';
import type { FrameSink } from '../framer.js';
import { DelimitedFramer } from './delimited.js';
import { reportJunk } from './junk.js';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** `type: slip`. Empty frames (END END) are ignored, as the RFC has it; any other use of ESC is `bad-escape`. */
export class SlipFramer extends DelimitedFramer {
  constructor({ max_length: maxLength }: FramingOf<'slip'>) {
    super(Buffer.from([END]), { maxLength, maxCoded: 2 * maxLength });
  }

  protected deliver(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    if (start === end) return;
    const length = decodedLength(bytes, start, end);
    if (length < 0) reportJunk(sink, bytes, start, end, 'bad-escape', this.maxLength);
    else if (length > this.maxLength) reportJunk(sink, bytes, start, end, 'too-long', this.maxLength);
    else if (length === end - start) sink.frame(bytes, start, end);
    else sink.frame(decode(bytes, start, end, length), 0, length);
  }

  /** Opens with END too: it ends whatever noise the line has brought to the peer (RFC 1055). */
  wrap(payload: Uint8Array): Buffer {
    const wire: number[] = [END];
    for (const byte of payload) {
      if (byte === END) wire.push(ESC, ESC_END);
      else if (byte === ESC) wire.push(ESC, ESC_ESC);
      else wire.push(byte);
    }
    wire.push(END);
    return Buffer.from(wire);
  }
}

/** Bytes without escapes, or -1 where an escape is wrong. */
function decodedLength(bytes: Buffer, start: number, end: number): number {
  let length = end - start;
  for (let at = start; at < end; at++) {
    if (bytes[at] !== ESC) continue;
    at++;
    const code = at < end ? bytes[at] : undefined;
    if (code !== ESC_END && code !== ESC_ESC) return -1;
    length--;
  }
  return length;
}

function decode(bytes: Buffer, start: number, end: number, length: number): Buffer {
  const payload = Buffer.allocUnsafe(length);
  let to = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    payload[to++] = byte !== ESC ? byte : bytes[++at] === ESC_END ? END : ESC;
  }
  return payload;
}
