// A framer cuts a stream of bytes into frames, and wraps what goes the other way. Framers are pure: no clock, no I/O.
// Bytes in, values out: frames and junk are reported to a FrameSink as slices (buffer, start, end), so that nothing is
// copied or allocated per frame. Where a gap in time ends a frame (`gapMs`), the receive thread owns the timer and calls
// `flush('gap')`. Implementations live in `framers/`, one file each, made by `makeFramer`; all pass `test/contracts/framer.ts`.

import { FerruleError } from '../core/errors.js';

/** Why bytes are no frame. */
export type JunkReason =
  | 'too-long' // more than max_length without an end of frame
  | 'bad-checksum'
  | 'bad-length' // a length field that is impossible
  | 'bad-escape' // SLIP or COBS coding violated
  | 'no-start' // bytes before a start of frame
  | 'partial'; // the link was lost, or went quiet, inside a frame; or bytes before it are missing

export interface FrameSink {
  /**
   * One whole frame: `bytes[start, end)`, without delimiters, escapes and checksum. The slice stays valid (framers never reuse
   * memory they have handed out). An empty frame (`start === end`) is legal.
   */
  frame(bytes: Buffer, start: number, end: number): void;
  /** Bytes that belong to no frame. At most `max_length` of them are handed over; `dropped` counts those beyond that. */
  junk(bytes: Buffer, start: number, end: number, reason: JunkReason, dropped: number): void;
}

/**
 * `gap`: the line has been silent for `gapMs` or longer. `end`: the link is gone, no more bytes will follow. `hole`: bytes are missing
 * here, so that those to come may begin inside a frame.
 */
export type FlushReason = 'gap' | 'end' | 'hole';

export interface Framer {
  /** Takes the next bytes; reports what became whole. The framer may keep slices of `chunk`. Never throws. */
  push(chunk: Buffer, sink: FrameSink): void;
  /**
   * Ends a partial frame: by silence for `silence` framing, else as junk (`partial`). The framer is as new afterwards; only after a
   * `hole` it takes what may be the tail of a frame for `partial` too, as far as the framing can tell.
   */
  flush(reason: FlushReason, sink: FrameSink): void;
  /** Bytes held of a frame that is not whole yet; never more than `max_length` plus the framing's own overhead. */
  readonly held: number;
  /** If set, the host must call `flush('gap')` once no byte has come for this long (ms) while `held > 0`. */
  readonly gapMs?: number;
  /**
   * One payload as it goes down the wire: delimiters, escapes, length and checksum added. Throws a PayloadError if the framing
   * cannot express it (`length-prefix` only: too long for its field, or shorter than its header).
   */
  wrap(payload: Uint8Array): Buffer;
}

/** A payload that this framing cannot carry; the message says why. To be answered to whoever sent the command. */
export class PayloadError extends FerruleError {
  constructor(message: string) {
    super('bad-payload', message);
  }
}
