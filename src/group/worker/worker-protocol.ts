// What main thread and decode Worker say to each other. Buffers are transferred, never shared: each side makes an ArrayBuffer for
// a message and lets go of it. One batch is out at a time; its entries are what was pushed while the one before was decoded.
//
//   main -> Worker   batch, encode, late, cancel
//   Worker -> main   ready, decoded (one or more per batch), encoded, answered (where the driver reads answers), crashed

import type { FramingConfig } from '../../config/framing-schema.js';
import type { CommandAnswer, DecoderStats } from '../../device/decoder.js';

/** `workerData`: all that the Worker gets to know. */
export interface WorkerSetup {
  /** The driver's name and the folders to look in, as for `loadDriver`. */
  readonly driver: { readonly name: string; readonly dirs: readonly string[] };
  /** Checked and completed; made portable, as is `framing`: see worker-values.ts. */
  readonly options: unknown;
  readonly framing: FramingConfig;
  /** Memory of a WorkerPulse. */
  readonly pulse: SharedArrayBuffer;
  /** Memory of the device's ConnectionFlag. */
  readonly flag: SharedArrayBuffer;
}

/** What is done with an entry; an index into this list travels. All but `push` have no bytes. */
export const ACTS = ['push', 'gap', 'end', 'hole', 'settle'] as const;
export type Act = (typeof ACTS)[number];

/** Entry i is `acts[i]` with `bytes[ends[i - 1], ends[i])`, that came at `ats[i]` by the main thread's monotonic clock. */
export interface BatchMessage {
  readonly kind: 'batch';
  readonly bytes: ArrayBuffer;
  readonly acts: Uint8Array;
  readonly ends: Uint32Array;
  readonly ats: Float64Array;
  /** By the main thread's monotonic clock. */
  readonly sentAt: number;
}

export interface EncodeMessage {
  readonly kind: 'encode';
  readonly id: number;
  readonly verb: 'set' | 'get';
  readonly channel: string | undefined;
  readonly payload: Uint8Array;
}

/** The answer of the device to that command is not waited for any more. */
export interface CancelMessage {
  readonly kind: 'cancel';
}

/** What the device answers to the command that waits is a reading. */
export interface LateMessage {
  readonly kind: 'late';
}

export type ToWorker = BatchMessage | EncodeMessage | LateMessage | CancelMessage;

/** Readings or junk, as slices of the `bytes` of their message. `entry`: of the batch, or -1 if silence has brought it about. */
export type Result =
  | { readonly kind: 'readings'; readonly entry: number; readonly bounds: Uint32Array }
  | {
      readonly kind: 'junk';
      readonly reason: string;
      readonly start: number;
      readonly end: number;
      readonly droppedBytes: number;
    };

export interface DecodedMessage {
  readonly kind: 'decoded';
  /** Entries of the batch that are through; -1 outside of a batch. */
  readonly upTo: number;
  readonly bytes: ArrayBuffer;
  readonly results: readonly Result[];
  /** Since the Worker began. */
  readonly stats: DecoderStats;
  /** The bytes of those entries end inside a frame. */
  readonly isInFrame: boolean;
}

export interface EncodedMessage {
  readonly kind: 'encoded';
  readonly id: number;
  readonly result: /** `isAnswered`: a message `answered` will follow. */
    | { readonly ok: true; readonly payloads: readonly Uint8Array[]; readonly isAnswered: boolean }
    | { readonly ok: false; readonly reason: string };
}

/** The device has answered the command of that id, or the command was given up. */
export interface AnsweredMessage {
  readonly kind: 'answered';
  readonly id: number;
  readonly answer: CommandAnswer;
}

export interface CrashedMessage {
  readonly kind: 'crashed';
  readonly message: string;
  /** Stack of what was thrown, in the driver's file. */
  readonly stack: string | undefined;
}

export type FromWorker =
  | { readonly kind: 'ready' }
  | DecodedMessage
  | EncodedMessage
  | AnsweredMessage
  | CrashedMessage;
