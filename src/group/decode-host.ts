// Where a device's framer and driver run, as its receive and send threads see it: inline (device/decoder.ts, on this event loop)
// or in a Worker of their own (worker/worker-decoder.ts). What differs is optional here: an inline decoder has decoded when `push`
// returns, and what it throws it throws there; a Worker hands out later, in order, and tells a crash by a callback.

import type { Loan } from '../core/loan.js';
import type { DecoderSink, DecoderStats, EncodedCommand } from '../device/decoder.js';
import type { DriverCommand } from '../device/driver.js';
import type { FlushReason } from '../device/framer.js';
import type { ReadingBatch } from '../device/message.js';
import type { BoundedOutcome } from './bounded-write.js';

/** What a DecodeHost hands out to. */
export interface DecodeSink extends DecoderSink {
  /** `wall`: when the bytes of these readings came (wall-clock ms); absent: with the chunk that is being pushed. */
  readings(batch: ReadingBatch, wall?: number): void;
  /** Bytes that a session wants written to its link, one call at a time, for as long as it is not over. Never rejects. */
  write?(bytes: Buffer, isOver: () => boolean): Promise<BoundedOutcome>;
}

/** How a wait for a Worker ended; `gone`: it has crashed or was closed, and decodes nothing any more. */
export type WorkerWait = 'done' | 'gone' | 'aborted';

/** Decoder and WorkerDecoder both are one. */
export interface DecodeHost {
  /**
   * The next bytes, with the time of their arrival: monotonic, and by the wall clock. The host may keep slices of `chunk`. A loan is
   * now its own: it says when it is done, or never does.
   */
  push(chunk: Buffer, at: number, wall: number, loan?: Loan): void;
  /** Ends a partial frame; see Decoder. */
  flush(reason: FlushReason): void;
  settle(): void;
  /** What the owner's timer goes by; see Decoder. A Worker has its own timers: 0, undefined, undefined, false. */
  readonly held: number;
  readonly gapMs: number | undefined;
  readonly settleMs: number | undefined;
  readonly hasUnsettled: boolean;
  /** As far as decoded. */
  readonly stats: DecoderStats;
  /** The driver has to be made anew with every link: a session does not outlive its wire. */
  readonly endsWithLink?: boolean;
  /** The command whose `answer` is awaited is given up (timeout, link lost): what still comes is no answer to the next. */
  cancelAnswer?(): void;
  /** An answer to that command would come too late: it is a reading then, and `answer` resolves all the same. Absent: none is mixed up. */
  takeAnswerAsReading?(): void;
  /** Throws or rejects with the crash if the driver crashes on it. */
  encodeCommand(command: DriverCommand): EncodedCommand | Promise<EncodedCommand>;
  /** Why it decodes nothing any more, if it has crashed. An inline decoder has thrown that. */
  readonly crash?: Error | undefined;
  /** Bytes pushed and not decoded yet. */
  readonly backlog?: number;
  /** Resolves when there is room for more bytes; until then the owner leaves them where they are. */
  whenRoom?(signal?: AbortSignal): Promise<WorkerWait>;
  /** Resolves when all that was pushed so far is decoded and handed out. */
  whenIdle?(signal?: AbortSignal): Promise<WorkerWait>;
  /** Lets go of what is not decoded, and ends the Worker. */
  close?(): Promise<void>;
}

/** ms after the last bytes at which a decoder wants to be told of silence; undefined: it does not wait. */
export function quietDueMs(
  decoder: Pick<DecodeHost, 'held' | 'gapMs' | 'settleMs' | 'hasUnsettled'>,
): number | undefined {
  const gap = decoder.held > 0 ? decoder.gapMs : undefined;
  const settle = decoder.hasUnsettled ? decoder.settleMs : undefined;
  if (gap === undefined) return settle;
  return settle === undefined ? gap : Math.min(gap, settle);
}
