// All that a driver imports (`ferrule/driver`). A driver is data plus two functions: `decode` turns a frame into readings,
// `encode` turns a command into payloads for the wire. One file in `devices/` = one driver; `load.ts` finds it by its name.
//
//   export default defineDriver({ kind: 'framed', summary: '...', options: z.strictObject({...}), create: (options) => ({ decode }) })
//
// `create` is called once per device and again after every crash of the driver, so state lives in its closure and a
// fresh instance is as new.

import type { Duplex } from 'node:stream';
import { z } from 'zod';

export { z };

/** A reading: one flat JSON object, channel name -> value. Published on `<base>/<device>`. */
export type Reading = Readonly<Record<string, ReadingValue>>;
export type ReadingValue =
  | string
  | number
  | boolean
  | null
  | readonly ReadingValue[]
  | { readonly [key: string]: ReadingValue };

/** A frame that the driver cannot read: goes to `<device>/dead_letter` with this reason, and is counted. Not a crash. */
export interface Rejected {
  readonly rejected: string;
}

/** Says why a frame is no reading: `return reject('checksum 3F, computed 41')`. */
export function reject(reason: string): Rejected {
  return { rejected: reason };
}

/** What decode may answer: a reading, several, none yet (`undefined`), or a rejection. */
export type Decoded = Reading | readonly Reading[] | Rejected | undefined;

/** A command as a driver sees it. */
export interface DriverCommand {
  readonly verb: 'set' | 'get';
  /** From `set/<channel>`; absent for a plain `set` or `get`. */
  readonly channel?: string;
  readonly payload: Buffer;
}

/** What a frame says about the command that waits for its answer. */
export type Confirmation =
  /** Done; `data` goes into the response. `isReading`: the frame is also decoded as usual. */
  | { readonly ok: true; readonly data?: unknown; readonly isReading?: boolean }
  /** The device says no: a sentence for the sender. */
  | { readonly ok: false; readonly reason: string };

/** Payloads for the line, framed by the device's framer in order; or a rejection whose reason is answered to the sender. */
export type Encoded = Uint8Array | readonly Uint8Array[] | Rejected;

/** One live driver: made by `create`, dropped when the device restarts. */
export interface DriverInstance {
  /**
   * Turns one frame into readings. The buffer is a view: copy what you keep. Absent: the frame's bytes are the reading,
   * as they are, without a copy.
   */
  decode?(frame: Buffer): Decoded;
  /** Turns a command into payloads. Absent: the device takes no `set` or `get`. */
  encode?(command: DriverCommand): Encoded;
  /**
   * For devices that answer commands: looks at a frame that came while `command` waits. `undefined`: no answer, decode it as
   * usual. With this method one command is in flight at a time, and one without an answer in time is an error.
   */
  confirm?(frame: Buffer, command: DriverCommand): Confirmation | undefined;
  /**
   * For drivers that merge several frames into one reading: called once the line has been quiet for `settleMs` after a
   * frame, and when the link is lost, to hand out what has been gathered.
   */
  settle?(): Decoded;
  /** ms of quiet after which `settle` is called; 10 to 10,000. */
  readonly settleMs?: number;
}

/** Describes one value of a driver's readings, for people and for discovery. */
export interface Channel {
  readonly type: 'number' | 'string' | 'boolean' | 'object';
  /** UCUM-like unit as shown to people: `m/s`, `°C`, `V`. */
  readonly unit?: string;
  /** Home Assistant device class where one fits: `speed`, `temperature`, `voltage`. */
  readonly deviceClass?: string;
  readonly summary?: string;
}

/** Defaults of a driver for its link and framing; a device's own config wins. Same keys as in the config file. */
export interface DriverDefaults {
  readonly baud_rate?: number;
  readonly framing?: Readonly<Record<string, unknown>>;
}

/** Poll: payload sent every `everyMs` while online. */
export interface Poll {
  readonly payload: Uint8Array;
  readonly everyMs: number;
}

/** A driver of kind `framed`: pure functions over frames. */
export interface FramedDriver<Options extends z.ZodType = z.ZodType> {
  readonly kind: 'framed';
  /** One line for `ferrule init` and the README. */
  readonly summary: string;
  /** Schema of the device's `options`; the errors it gives are shown with the place in the config file. */
  readonly options: Options;
  readonly defaults?: DriverDefaults;
  readonly channels?: Readonly<Record<string, Channel>>;
  /** Channels that take `set/<channel>`; `*` alone = any. Absent: whatever `encode` makes of it. */
  readonly commands?: Readonly<Record<string, { readonly summary: string }>>;
  create(options: z.output<Options>): DriverInstance;
  /** Payloads sent when the link has come up. */
  hello?(options: z.output<Options>): readonly Uint8Array[];
  /** Payloads sent on a schedule while the device is online. */
  poll?(options: z.output<Options>): readonly Poll[];
}

/** What the gateway gives to a session. */
export interface SessionHost {
  /** The wire: bytes from the device are read, bytes written go to the device. It ends when the link is lost. */
  readonly wire: Duplex;
  /** Publishes a reading on `<base>/<device>`. */
  reading(reading: Reading): void;
  /** A line for the log of this device. */
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** Facts about the device behind the wire, such as its firmware: shown as `details` on `bridge/devices`. Replaces the last. */
  details(details: Readonly<Record<string, unknown>>): void;
}

/** What a session makes of a command: data for the sender, or a rejection whose reason is answered. */
export type SessionAnswer = { readonly data?: unknown } | Rejected | undefined;

/** One live session: made when the link is up, gone with it. */
export interface Session {
  /** Carries out a command; resolves once the device has it. A rejected promise or exception is a bug and ends the session. */
  command?(command: DriverCommand): SessionAnswer | Promise<SessionAnswer>;
  /** The link is lost or the gateway ends: let go of timers. The Worker ends after it, whatever it does. */
  close?(): void | Promise<void>;
}

/**
 * A driver of kind `session`: takes the wire for itself, as libraries with a protocol of their own want it (Firmata, Modbus).
 * Runs in a Worker that ends with the link; each link gets a fresh one.
 */
export interface SessionDriver<Options extends z.ZodType = z.ZodType> {
  readonly kind: 'session';
  /** One line for `ferrule init` and the README. */
  readonly summary: string;
  /** Schema of the device's `options`; the errors it gives are shown with the place in the config file. */
  readonly options: Options;
  /** A session frames for itself: only the link's defaults count. */
  readonly defaults?: Omit<DriverDefaults, 'framing'>;
  readonly channels?: Readonly<Record<string, Channel>>;
  /** Channels that take `set/<channel>`; `*` alone = any. Absent: whatever `command` makes of it. */
  readonly commands?: Readonly<Record<string, { readonly summary: string }>>;
  /** Begins a session on an open wire. Resolves when the device is ready for commands; rejects where it does not answer. */
  open(host: SessionHost, options: z.output<Options>): Promise<Session>;
}

export type Driver = FramedDriver | SessionDriver;

/** Gives a driver its types; returns it unchanged. */
export function defineDriver<Options extends z.ZodType>(driver: FramedDriver<Options>): FramedDriver<Options>;
export function defineDriver<Options extends z.ZodType>(driver: SessionDriver<Options>): SessionDriver<Options>;
export function defineDriver(driver: Driver): Driver {
  return driver;
}
