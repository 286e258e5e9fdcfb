// What main thread and session Worker say to each other. Buffers are transferred, never shared. Of bytes, of writes and of readings
// one batch each is under way at a time, and what comes meanwhile gathers behind it: that bounds all three, both ways.
//
//   main -> Worker   bytes, written or cut, heard, command, end
//   Worker -> main   loaded, open, unanswered | taken, write, readings, log, details, answer | closed, crashed

import type { CommandAnswer } from '../../device/decoder.js';
import type { CrashedMessage } from '../worker/worker-protocol.js';

/** `workerData`: all that the Worker gets to know. */
export interface SessionSetup {
  /** The driver's name and the folders to look in, as for `loadDriver`. */
  readonly driver: { readonly name: string; readonly dirs: readonly string[] };
  /** Checked and completed; made portable: see worker/worker-values.ts. */
  readonly options: unknown;
  /** Memory of a WorkerPulse. */
  readonly pulse: SharedArrayBuffer;
}

export interface SessionCommandMessage {
  readonly kind: 'command';
  readonly id: number;
  readonly verb: 'set' | 'get';
  readonly channel: string | undefined;
  readonly payload: Uint8Array;
}

export type ToSession =
  /** From the device. The next ones follow the answer `taken`. */
  | { readonly kind: 'bytes'; readonly bytes: ArrayBuffer }
  /** What `write` carried has left; the next one may come. Or it has not, and no other will. */
  | { readonly kind: 'written' | 'cut' }
  /** What `readings` carried is taken; the next ones may come. */
  | { readonly kind: 'heard' }
  | SessionCommandMessage
  /** No more bytes: the link is lost, or the device is being closed. */
  | { readonly kind: 'end' };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type FromSession =
  /** The driver's file is there; the session is being opened. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'open' }
  /** The device does not answer, or the driver has given up the wire. */
  | { readonly kind: 'unanswered'; readonly reason: string }
  | { readonly kind: 'taken' }
  | { readonly kind: 'write'; readonly bytes: ArrayBuffer }
  /** JSON texts as slices of `bytes`; `faults`: what was no reading, in words. */
  | {
      readonly kind: 'readings';
      readonly bytes: ArrayBuffer;
      readonly bounds: Uint32Array;
      readonly faults: readonly string[];
    }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly text: string; readonly withheld: number }
  /** JSON of an object. */
  | { readonly kind: 'details'; readonly json: string }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: CommandAnswer }
  /** The session has been let go of after `end`. */
  | { readonly kind: 'closed' }
  | CrashedMessage;
