// All that a driver imports (`ferrule/driver`). A driver is data plus two functions: `decode` turns a frame into readings,
// `encode` turns a command into payloads for the wire. One file in `devices/` = one driver; `load.ts` finds it by its name.
//
//   export default defineDriver({ kind: 'framed', summary: '...', options: z.strictObject({...}), create: (options) => ({ decode }) })
//
// `create` is called once per device and again after every crash of the driver, so state lives in its closure and a
// fresh instance is as new.

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

export type Driver = FramedDriver;

/** Gives a driver its types; returns it unchanged. */
export function defineDriver<Options extends z.ZodType>(driver: FramedDriver<Options>): FramedDriver<Options> {
  return driver;
}
