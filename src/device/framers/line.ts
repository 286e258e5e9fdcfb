// Lines: a frame ends at a delimiter, which is not part of it. The hot path of most devices: no allocation per frame.

import type { FramingOf } from '../../config/framing-schema.js';
import type { FrameSink } from '../framer.js';
import { DelimitedFramer } from './delimited.js';

/** `type: line`. A payload that holds the delimiter becomes several lines: nothing is escaped. */
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
