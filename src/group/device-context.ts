// What the three threads of one device share: who they are, the queues between them, the atomic flag, the counters. Made
// once by CommsThreadGroup; every thread gets this and nothing of the others.

import type { Clock } from '../core/clock.js';
import { ConnectionFlag } from '../core/connection-flag.js';
import type { Lease } from '../core/lease.js';
import type { Loan } from '../core/loan.js';
import { GroupLog, type Log } from '../core/log.js';
import type { MessageQueue, QueueOptions } from '../core/queue.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { Link, LinkLoss } from '../device/link.js';
import type { Command, DeadLetterUp, Qos, ReadingsUp, Relay } from '../device/message.js';
import type { BoundedOutcome } from './bounded-write.js';
import type { DecodeHost } from './decode-host.js';
import { countJunk, type JunkCounts, type JunkKind } from './junk-kind.js';

/** What the receive thread finds in its inbox: bytes, and in their place among them silence and the end of the link. */
export type ReceiveItem =
  /** `at`: monotonic ms of its arrival, `wall`: the same for people. */
  | {
      readonly kind: 'chunk';
      readonly bytes: Buffer;
      readonly loan: Loan | undefined;
      readonly at: number;
      readonly wall: number;
    }
  /** A link is up: a session begins. Put for drivers of sessions only. */
  | { readonly kind: 'opened'; readonly lease: Lease<Link> }
  /** Nothing has come for as long as the decoder waits. */
  | { readonly kind: 'quiet'; readonly at: number }
  /** No more bytes of this link. `isFresh`: those of the next one get a new framer and a new driver. */
  | { readonly kind: 'ended'; readonly isFresh: boolean }
  /** Bytes are missing between those before and those behind. */
  | { readonly kind: 'hole' }
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

/** Memory that an item on its way down holds on to, in bytes. */
function weighDown(item: DownItem): number {
  return 256 + (item.kind === 'command' ? item.payload.length : item.bytes.length);
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

type Summed = Exclude<keyof DeviceCounters, 'junkByReason' | 'lastHeardAt'>;

/** Listed once and not with each call: the figures of a listener add up those of thousands of connections. */
const SUMMED = Object.keys(newCounters()).filter(
  (key): key is Summed => key !== 'junkByReason' && key !== 'lastHeardAt',
);

/** Adds what a connection has counted to the sum of its listener. */
export function addCounters(sum: DeviceCounters, counters: Readonly<DeviceCounters>): void {
  for (const key of SUMMED) sum[key] += counters[key];
  for (const [kind, count] of Object.entries(counters.junkByReason) as [JunkKind, number][]) {
    countJunk(sum.junkByReason, kind, count);
  }
  sum.lastHeardAt = Math.max(sum.lastHeardAt, counters.lastHeardAt);
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

/** What a context is made of: of the settings and surroundings, all connections of a listener have the same ones. */
export interface ContextParts {
  readonly id: string;
  readonly address: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<Command>;
  readonly relay: Relay;
  readonly settings: DeviceSettings;
  readonly whileCritical: WhileCritical | undefined;
  readonly counters: DeviceCounters;
}

/** A class and not an object literal: one with so many keys becomes a dictionary, 1.6 KiB instead of 0.25. */
export class DeviceContext {
  readonly id: string;
  /** The device's place in the topic tree: its id, but for connections that share the topics of their listener. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly relay: Relay;
  readonly settings: DeviceSettings;
  readonly whileCritical: WhileCritical;
  readonly flag = new ConnectionFlag();
  readonly counters: DeviceCounters;
  readonly received: MessageQueue<ReceiveItem>;
  readonly up: MessageQueue<UpItem>;
  readonly down: MessageQueue<DownItem>;
  readonly managing: MessageQueue<ManagerItem>;
  /** The open link, while there is one. */
  lease: Lease<Link> | undefined = undefined;
  /** Framer and driver; undefined until first needed, and where a fresh one is wanted. */
  decoder: DecodeHost | undefined = undefined;
  /** What a session's driver knows of its device, as JSON of an object; the last that was said. */
  details: string | undefined = undefined;
  /** Set while the line is watched. */
  tap: Tap | undefined = undefined;
  /** The link that has a write in it which does not end. */
  stuckOn: Lease<Link> | undefined = undefined;
  /** The device has been begun with on this link: a session is open, of others the link is enough. */
  hasBegun = false;
  /** True while the device is in state `silent`: the receive thread then reports the first bytes to the manager. */
  isSilent = false;
  /** True while the receive thread has paused the link: who is not listened to is not silent. */
  isPaused = false;
  /** Monotonic ms of the last bytes, or of the moment from which on they are waited for. */
  heardAt = 0;
  readonly #registry: ThreadRegistry<Command>;

  constructor({ id, address, clock, log, registry, relay, settings, whileCritical, counters }: ContextParts) {
    this.id = id;
    this.address = address ?? id;
    this.clock = clock;
    this.log = new GroupLog(log, id);
    this.relay = relay;
    this.settings = settings;
    this.whileCritical = whileCritical ?? justRun;
    this.counters = counters;
    this.received = registry.allocate(RECEIVED);
    this.up = registry.allocate({ capacity: settings.queue_size, whenFull: 'reject', weigh: weighUp });
    this.down = registry.allocate(DOWN);
    this.managing = registry.allocate(MANAGING);
    this.#registry = registry;
  }

  /** The device is there: it takes commands. The flag says that of its link only, and falls first. */
  get isReady(): boolean {
    return this.hasBegun && this.flag.isUp;
  }

  /** Its counters have news that somebody should see soon. */
  tellChange(): void {
    this.#registry.emit({ kind: 'changed', group: this.id });
  }
}

/** Commands that may wait for one device that is online, and their bytes; a single one may have more. */
export const MAX_COMMANDS = 64;
export const MAX_COMMAND_BYTES = 32 * 1024 * 1024;
/** What fits into the lane beside them, bytes: those that were held, and what the gateway sends by itself. */
const LANE_RESERVE = 4 * 1024 * 1024;

const UNBOUNDED = { capacity: Number.MAX_SAFE_INTEGER, whenFull: 'reject' } as const;
/** Bounded by who puts: the receive thread bounds the bytes itself, and the markers between them must always fit. */
const RECEIVED: QueueOptions<ReceiveItem> = { ...UNBOUNDED, weigh: weighReceived };
const DOWN: QueueOptions<DownItem> = {
  capacity: MAX_COMMAND_BYTES + LANE_RESERVE,
  whenFull: 'reject',
  weigh: weighDown,
};
/** As `received`: a loss or a crash must not get lost. There are few of each per link. */
const MANAGING: QueueOptions<ManagerItem> = UNBOUNDED;

function justRun<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
