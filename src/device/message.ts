// What travels between device groups and the uplink. The group knows devices and frames, the uplink knows topics and
// packets; both know these messages, and nothing else of each other.
//
//   up:   device group -> relay(UpMessage)   -> uplink's send thread
//   down: uplink -> control -> route(device, DownMessage) -> device group's send thread

import type { Bounds } from '../core/bounds-pool.js';
import type { Loan } from '../core/loan.js';

/**
 * Readings of one device that came in together, as slices of one buffer: reading i is `bytes[bounds[2i], bounds[2i+1])`.
 * Packed this way so that a chunk of a thousand lines is one object in every queue it crosses.
 */
export interface ReadingBatch {
  readonly bytes: Buffer;
  readonly bounds: Bounds;
  /** `bytes` and `bounds` are on loan: whoever has this batch as the last says when it is done. A batch made from this one has none. */
  readonly loan?: Loan | undefined;
}

/** Number of readings in a batch. */
export function countOf(batch: ReadingBatch): number {
  return batch.bounds.length >>> 1;
}

export type Qos = 0 | 1;

export interface ReadingsUp {
  readonly kind: 'readings';
  /** The device's name: its place in the topic tree. */
  readonly device: string;
  readonly batch: ReadingBatch;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Wall-clock ms at which the bytes were read. */
  readonly at: number;
}

export interface AvailabilityUp {
  readonly kind: 'availability';
  readonly device: string;
  readonly state: 'online' | 'offline' | 'gone'; // gone: the retained message is to be cleared
}

/** Where a command came from, if the answer has to go to a place of its own (MQTT 5 Response Topic). */
export interface ReplyTo {
  readonly topic: string;
  readonly correlation?: Buffer;
}

export type CommandStatus = 'accepted' | 'sent' | 'ok' | 'error' | 'expired';

export interface ResponseUp {
  readonly kind: 'response';
  readonly device: string;
  readonly status: CommandStatus;
  /** The id that the sender gave, or one made here. */
  readonly transaction: string;
  /** Present with `error` and `expired`: what happened and what to do. */
  readonly error?: string;
  readonly data?: unknown;
  readonly replyTo?: ReplyTo;
}

export interface DeadLetterUp {
  readonly kind: 'dead-letter';
  readonly device: string;
  readonly reason: string;
  readonly bytes: Buffer;
  /** Bytes beyond those in `bytes`, and dead letters held back by the rate limit since the last one. */
  readonly droppedBytes: number;
  readonly suppressed: number;
  /** Wall-clock ms. */
  readonly at: number;
}

/** Bytes that have gone over the line of a tapped device: a line, or as much of it as one message takes. */
export interface TapUp {
  readonly kind: 'tap';
  /** The group whose line it is: a device, or one connection of a listener. */
  readonly device: string;
  readonly direction: 'in' | 'out';
  readonly bytes: Buffer;
  /** Wall-clock ms. */
  readonly at: number;
  /** Bytes not told since the last of these messages, because there were too many. */
  readonly dropped: number;
}

/** How a line is watched: `lines` for people (TapUp), `raw` for a recording (RawTapUp). */
export type TapMode = 'lines' | 'raw';

/** One thing that happened on the line of a tapped device, with its time: monotonic microseconds, zero point unknown. */
export type RawTapEntry =
  /** A chunk exactly as it came, or as it was written. */
  | { readonly t: number; readonly direction: 'in' | 'out'; readonly bytes: Buffer }
  /** The link is there, or not. */
  | { readonly t: number; readonly note: 'online' | 'lost'; readonly reason: string }
  /** So many bytes of chunks that belong here were too much for the tap. */
  | { readonly t: number; readonly note: 'dropped'; readonly dropped: number };

/** What has gone over the line of a device that is being recorded, chunk by chunk. */
export interface RawTapUp {
  readonly kind: 'raw-tap';
  /** As in TapUp. */
  readonly device: string;
  /** Names this run of the tap: the wall-clock ms at which it began. */
  readonly tap: number;
  /** Counts the messages of this run from 0, so that a lost one is noticed. */
  readonly seq: number;
  readonly entries: readonly RawTapEntry[];
  /** Nothing more of this run follows. */
  readonly isLast: boolean;
}

/** Something worth telling on `bridge/event`: a state change, a parked device. */
export interface EventUp {
  readonly kind: 'event';
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A line of the gateway's log, for `bridge/logging`. */
export interface LogUp {
  readonly kind: 'log';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  /** Wall-clock ms. */
  readonly at: number;
  /** Whom it is about. */
  readonly group?: string;
  readonly thread?: string;
  /** Lines before this one that are not told, because there were too many. */
  readonly suppressed?: number;
}

/** The answer to a request to the gateway itself. */
export interface BridgeResponseUp {
  readonly kind: 'bridge-response';
  /** Of the request, e.g. `device/restart`. */
  readonly path: string;
  /** JSON. */
  readonly body: string;
  readonly replyTo?: ReplyTo;
}

export type UpMessage =
  | BridgeResponseUp
  | LogUp
  | ReadingsUp
  | AvailabilityUp
  | ResponseUp
  | DeadLetterUp
  | EventUp
  | TapUp
  | RawTapUp;

/** A command on its way down to a device. */
export interface Command {
  readonly kind: 'command';
  readonly verb: 'set' | 'get' | 'write';
  /** `set/<channel>`: the channel's name. */
  readonly channel?: string;
  /** The payload as it came, or for a JSON envelope its `value`/`payload` part. */
  readonly payload: Buffer;
  readonly transaction: string;
  /** Wall-clock ms after which the command must not be sent any more: the sender's `not_after`. */
  readonly notAfter?: number;
  /** The same in monotonic ms, for a time to live (message expiry of MQTT 5): a clock that is set meanwhile ends no command. */
  readonly expiresAt?: number;
  readonly replyTo?: ReplyTo;
  /** Told of each answer, besides the sender. Must not throw. */
  readonly onAnswer?: (response: ResponseUp) => void;
}

export type DownMessage = Command;

/** The way up out of a group, given to it by the composition root. */
export interface Relay {
  /**
   * Hands a message to the uplink, without waiting. `full` leaves it with the caller, who waits for `room` and offers it
   * again; only readings, dead letters and taps are ever refused.
   */
  offer(message: UpMessage): 'taken' | 'full';
  /** Resolves when offering again may succeed, or `signal` aborts. */
  room(signal?: AbortSignal): Promise<unknown>;
}
