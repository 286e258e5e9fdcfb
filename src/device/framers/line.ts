// Frames that end at a delimiter: lines of text, mostly. The hot path of a gateway: per line a scan and one call.

import type { FramingOf } from '../../config/framing-schema.js';
import type { FrameSink } from '../framer.js';
import { DelimitedFramer } from './delimited.js';

/** `type: line`. An empty line is an empty frame. A payload that holds the delimiter goes out as several lines. */
export class LineFramer extends DelimitedFramer {
  readonly #delimiter: Buffer;

  constructor({ delimiter, max_length: maxLength }: FramingOf<'line'>) {
    super(delimiter, { maxLength, maxCoded: maxLength });
    this.#delimiter = delimiter;
  }

  protected deliver(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    sink.frame(bytes, start, end);
  }

  wrap(payload: Uint8Array): Buffer {
    return Buffer.concat([payload, this.#delimiter]);
  }
}
