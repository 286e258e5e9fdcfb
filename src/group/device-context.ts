// What the three threads of one device share: who they are, the queues between them, the atomic flag, the counters. Made
// once by CommsThreadGroup; every thread gets this and nothing of the others.

import type { Clock } from '../core/clock.js';
import type { ConnectionFlag } from '../core/connection-flag.js';
import type { Lease } from '../core/lease.js';
import type { Log } from '../core/log.js';
import type { MessageQueue } from '../core/queue.js';
import type { Link, LinkLoss } from '../device/link.js';
import type { Command, DeadLetterUp, Qos, ReadingsUp, Relay } from '../device/message.js';
import type { BoundedOutcome } from './bounded-write.js';
import type { DecodeHost } from './decode-host.js';
import { countJunk, type JunkCounts, type JunkKind } from './junk-kind.js';

/** What the receive thread finds in its inbox: bytes, and in their place among them silence and the end of the link. */
export type ReceiveItem =
  /** `at`: monotonic ms of its arrival, `wall`: the same for people. */
  | { readonly kind: 'chunk'; readonly bytes: Buffer; readonly at: number; readonly wall: number }
  /** A link is up: a session begins. Put for drivers of sessions only. */
  | { readonly kind: 'opened'; readonly lease: Lease<Link> }
  /** Nothing has come for as long as the decoder waits. */
  | { readonly kind: 'quiet'; readonly at: number }
  /** No more bytes of this link. `isFresh`: those of the next one get a new framer and a new driver. */
  | { readonly kind: 'ended'; readonly isFresh: boolean }
  /** The Worker of that decoder is gone. */
  | { readonly kind: 'crashed'; readonly host: DecodeHost; readonly error: unknown }
  /** A Worker has handed out more than there was room for. */
  | { readonly kind: 'wake' };

/** What the send thread finds in its two lanes. */
export type UpItem = ReadingsUp | DeadLetterUp;
export type DownItem = Command | Payload;

/** Bytes that nobody has sent a command for. */
export interface Payload {
  readonly kind: 'payload';
  readonly bytes: Buffer;
  readonly why: 'hello' | 'poll' | 'on_uplink_lost';
  /** True from being queued to being taken: a poll is not queued twice. */
  isWaiting: boolean;
  /** Asked when its turn has come: false drops it. Default: wanted. */
  isWanted?(): boolean;
  /** Told what became of it, `lost` also where the link ended before its turn. */
  onOutcome?(outcome: BoundedOutcome): void;
}

/** What an item in the inbox of the receive thread counts for: bytes. */
export function weighReceived(item: ReceiveItem): number {
  return item.kind === 'chunk' ? item.bytes.length : 1;
}

/** Memory that an item on its way up holds on to: its buffer, and about 64 bytes for the objects around it. */
export function weighUp(item: UpItem): number {
  return 64 + (item.kind === 'readings' ? item.batch.bytes.length + item.batch.bounds.length * 4 : item.bytes.length);
}

/** What the manager thread is told. */
export type ManagerItem =
  | { readonly kind: 'lost'; readonly lease: Lease<Link>; readonly loss: LinkLoss }
  | { readonly kind: 'crash'; readonly thread: string; readonly error: unknown }
  /** The session on that link takes commands. */
  | { readonly kind: 'ready'; readonly lease: Lease<Link> }
  /** Nothing received for `silent_after`; and after that: something received. */
  | { readonly kind: 'quiet' }
  | { readonly kind: 'heard' }
  | { readonly kind: 'restart'; readonly reason: string };

/** Which way bytes went: `in` from the device, `out` to it. */
export type Direction = 'in' | 'out';

/** Somebody who watches the line live. */
export interface Tap {
  /** Copies bytes that have gone over the line, with the wall-clock ms at which they did; drops them where it is behind. */
  take(direction: Direction, bytes: Buffer, at: number): void;
}

/** What has gone through a device since the group was made. Bytes and counts, never reset. */
export interface DeviceCounters {
  bytesIn: number;
  bytesOut: number;
  frames: number;
  readings: number;
  junk: number;
  readonly junkByReason: JunkCounts;
  /** Readings dropped because the way up was full and the line cannot wait. */
  droppedReadings: number;
  /** Bytes dropped before framing, because even the receive thread was behind. */
  droppedBytes: number;
  commands: number;
  /** Times that the `on_uplink_lost` bytes were written. */
  uplinkLostWrites: number;
  reconnects: number;
  crashes: number;
  /** Wall-clock ms of the last bytes; 0 = none yet. */
  lastHeardAt: number;
}

export function newCounters(): DeviceCounters {
  return {
    bytesIn: 0,
    bytesOut: 0,
    frames: 0,
    readings: 0,
    junk: 0,
    junkByReason: {},
    droppedReadings: 0,
    droppedBytes: 0,
    commands: 0,
    uplinkLostWrites: 0,
    reconnects: 0,
    crashes: 0,
    lastHeardAt: 0,
  };
}

/** Adds what a connection has counted to the sum of its listener. */
export function addCounters(
  sum: DeviceCounters,
  { junkByReason, lastHeardAt, ...counts }: Readonly<DeviceCounters>,
): void {
  for (const [key, count] of Object.entries(counts) as [keyof typeof counts, number][]) sum[key] += count;
  for (const [kind, count] of Object.entries(junkByReason) as [JunkKind, number][]) {
    countJunk(sum.junkByReason, kind, count);
  }
  sum.lastHeardAt = Math.max(sum.lastHeardAt, lastHeardAt);
}

/** The device's settings that its threads need. Times in ms, sizes in bytes. */
export interface DeviceSettings {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly queue_size: number;
  readonly silent_after: number;
  readonly reconnect: { readonly first: number; readonly max: number };
  readonly on_shutdown?: Buffer;
  readonly on_uplink_lost?: { readonly after: number; readonly write: Buffer };
  readonly commands: {
    readonly when_offline: 'refuse' | 'hold';
    readonly max_hold: number;
    /** For the answer of a device whose driver reads answers. */
    readonly timeout: number;
    /** Nothing from outside may cut a command short: see WhileCritical. */
    readonly critical?: boolean;
  };
  /** Where framer and driver run; default inline. */
  readonly isolation?: 'inline' | 'worker';
}

/** Runs work that must not be cut short by an update of the software around us. */
export type WhileCritical = <T>(work: () => Promise<T>) => Promise<T>;

export interface DeviceContext {
  readonly id: string;
  /** The device's place in the topic tree: its id, but for connections that share the topics of their listener. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly relay: Relay;
  readonly settings: DeviceSettings;
  readonly whileCritical: WhileCritical;
  /** Its counters have news that somebody should see soon. */
  readonly tellChange: () => void;
  readonly flag: ConnectionFlag;
  readonly counters: DeviceCounters;
  readonly received: MessageQueue<ReceiveItem>;
  readonly up: MessageQueue<UpItem>;
  readonly down: MessageQueue<DownItem>;
  readonly managing: MessageQueue<ManagerItem>;
  /** The open link, while there is one. */
  lease: Lease<Link> | undefined;
  /** Framer and driver; undefined until first needed, and where a fresh one is wanted. */
  decoder: DecodeHost | undefined;
  /** What a session's driver knows of its device, as JSON of an object; the last that was said. */
  details: string | undefined;
  /** Set while the line is watched. */
  tap: Tap | undefined;
  /** The link that has a write in it which does not end. */
  stuckOn: Lease<Link> | undefined;
  /** True while the device is in state `silent`: the receive thread then reports the first bytes to the manager. */
  isSilent: boolean;
  /** True while the receive thread has paused the link: who is not listened to is not silent. */
  isPaused: boolean;
  /** Monotonic ms of the last bytes, or of the moment from which on they are waited for. */
  heardAt: number;
}
