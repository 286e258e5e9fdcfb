// GNSS receivers that speak NMEA 0183 (IEC 61162-1), any talker (GP, GL, GA, GB, GN, ...). A receiver spreads what it knows of one
// moment over several sentences; they are merged into one reading per epoch:
//
//   $GPRMC,123519,... $GPGGA,123519,... $GPGSA $GPGSV   $GPRMC,123520 ...
//   '-------------- one reading ---------------------'  '- the next: a sentence with another time begins it
//
// A quiet line ends an epoch too (`settle`), so that a 1 Hz receiver's reading is not a second late. Field numbers below are those
// of the standard's sentence tables, versions 2.0 to 4.11. Empty, malformed or void (status V) fields are left out of the reading.
// AIS (`!`), proprietary (`$P`) and other sentence types are ignored once their checksum is right.

import {
  type Decoded,
  type DriverCommand,
  defineDriver,
  type Encoded,
  type Reading,
  type Rejected,
  reject,
  z,
} from 'ferrule/driver';

const options = z.strictObject({
  /** Rejects sentences without `*hh`. The standard makes it optional in some sentences; receivers of this century send it. */
  require_checksum: z.boolean().default(true),
});

const SETTLE_MS = 150; // a burst has gaps of a few ms; epochs are 100 ms (and then told by their time) to 1 s apart

export default defineDriver({
  kind: 'framed',
  summary: 'GNSS receivers (NMEA 0183): position, fix, speed, course, satellites, time',
  options,
  // 82 characters by the standard; some receivers send longer ones. The "\r" before "\n" is dropped here.
  defaults: { baud_rate: 4800, framing: { type: 'line', delimiter: '\n', max_length: 256 } },
  channels: {
    time: { type: 'string', deviceClass: 'timestamp', summary: 'UTC, ISO 8601' },
    position: {
      type: 'object',
      summary: 'lat and lon in ° (WGS 84, north and east positive), altitude in m above sea level',
    },
    fix: { type: 'object', summary: 'quality (none, gps, dgps, pps, rtk, rtk-float, ...) and mode (none, 2d, 3d)' },
    speed: { type: 'number', unit: 'm/s', deviceClass: 'speed', summary: 'over ground' },
    course: { type: 'number', unit: '°', summary: 'over ground, against true north' },
    satellites: { type: 'object', summary: 'used, in_view, hdop' },
  },
  create: ({ require_checksum: requireChecksum }) => {
    let epoch = new Epoch();
    const settle = (): Decoded => {
      const reading = epoch.reading();
      epoch = new Epoch();
      return reading;
    };
    const decode = (frame: Buffer): Decoded => {
      const sentence = readSentence(frame.toString('latin1'), requireChecksum);
      if (sentence === undefined || 'rejected' in sentence) return sentence;
      const finished = epoch.isOver(sentence) ? settle() : undefined;
      epoch.add(sentence);
      return finished;
    };
    return { decode, encode, settle, settleMs: SETTLE_MS };
  },
});

// --- Sentences ---------------------------------------------------------------------------------------------------------

interface Sentence {
  readonly talker: string;
  readonly type: SentenceType;
  /** Field n of the standard's table at index n; index 0 is the address. */
  readonly fields: readonly string[];
}

/** One sentence out of a line; undefined if it is none of ours. What stands before the last `$` is a torn sentence. */
function readSentence(line: string, requireChecksum: boolean): Sentence | Rejected | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('!')) return undefined;
  const start = text.lastIndexOf('$');
  if (start < 0) return reject(`not an NMEA sentence: ${JSON.stringify(text.slice(0, 40))}`);
  const star = text.indexOf('*', start);
  const body = text.slice(start + 1, star < 0 ? undefined : star);
  const fault = checksumFault(body, star < 0 ? undefined : text.slice(star + 1), requireChecksum);
  return fault ? reject(`${body.slice(0, 5)}: ${fault}`) : split(body);
}

function split(body: string): Sentence | undefined {
  const fields = body.split(',');
  const address = /^([A-Z0-9]{2})([A-Z]{3})$/.exec(fields[0] ?? '');
  const [, talker = '', type = ''] = address ?? [];
  return isKnown(type) && !talker.startsWith('P') ? { talker, type, fields } : undefined;
}

function checksumFault(body: string, given: string | undefined, isRequired: boolean): string | undefined {
  if (given === undefined) return isRequired ? 'no checksum' : undefined;
  const computed = checksum(body);
  return given.toUpperCase() === computed ? undefined : `checksum ${given.slice(0, 8)}, computed ${computed}`;
}

/** XOR of the characters between `$` and `*`, two hexadecimal digits. */
function checksum(body: string): string {
  let xor = 0;
  for (let i = 0; i < body.length; i++) xor ^= body.charCodeAt(i);
  return xor.toString(16).toUpperCase().padStart(2, '0');
}

// --- Epochs ------------------------------------------------------------------------------------------------------------

/** What has been said about one moment. Sentences of all talkers go in, one reading comes out. */
class Epoch {
  /** ms since midnight, UTC. */
  time: number | undefined;
  date: DateFields | undefined;
  position: { lat: number; lon: number } | undefined;
  altitude: number | undefined;
  quality: string | undefined;
  /** Of the FAA mode indicator (RMC, VTG, GLL), for receivers without GGA. */
  modeQuality: string | undefined;
  mode: string | undefined;
  speed: number | undefined;
  course: number | undefined;
  used: number | undefined;
  hdop: number | undefined;
  /** Satellites in the solution, by system, from GSA: counted where GGA does not say. */
  readonly usedIds = new Set<string>();
  /** By talker: several sentences (pages, signals) tell the same number. */
  readonly inView = new Map<string, number>();
  readonly #seen = new Set<string>();

  /** True if `sentence` is about a later moment: it has another time, or has no time and was here before. */
  isOver(sentence: Sentence): boolean {
    const time = timeOf(sentence);
    if (time !== undefined && this.time !== undefined) return time !== this.time;
    return sentence.type !== 'GSA' && this.#seen.has(identityOf(sentence));
  }

  add(sentence: Sentence): void {
    this.time = timeOf(sentence) ?? this.time;
    this.#seen.add(identityOf(sentence));
    HANDLERS[sentence.type](sentence.fields, this, sentence.talker);
  }

  /** Undefined if nothing was said. */
  reading(): Reading | undefined {
    const values = {
      time: isoTime(this.date, this.time),
      position: this.position && present({ ...this.position, altitude: this.altitude }),
      fix: present({ quality: this.quality ?? this.modeQuality, mode: this.mode }),
      speed: this.speed,
      course: this.course,
      satellites: present({
        used: this.used ?? (this.usedIds.size || undefined),
        in_view: this.#inView(),
        hdop: this.hdop,
      }),
    };
    return present(values);
  }

  #inView(): number | undefined {
    return this.inView.size > 0 ? [...this.inView.values()].reduce((sum, count) => sum + count, 0) : undefined;
  }
}

/** The values that are there; undefined if none is. */
function present(values: Readonly<Record<string, Reading[string] | undefined>>): Reading | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as Reading) : undefined; // undefined was filtered out
}

const TIME_FIELD: Partial<Record<SentenceType, number>> = { GGA: 1, RMC: 1, ZDA: 1, GLL: 5 };

/** hhmmss.sss as ms since midnight; 60 seconds: a leap second, counted as the next second. */
function timeOf({ type, fields }: Sentence): number | undefined {
  const match = /^(\d\d)(\d\d)(\d\d(?:\.\d*)?)$/.exec(fields[TIME_FIELD[type] ?? -1] ?? '');
  if (!match) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return hour < 24 && minute < 60 && second < 61 ? Math.round(((hour * 60 + minute) * 60 + second) * 1000) : undefined;
}

/** Names a sentence that comes once per epoch; GSV: once per page and signal. (GSA may come twice alike, so it tells nothing.) */
function identityOf({ talker, type, fields }: Sentence): string {
  return type === 'GSV' ? `${talker}GSV,${fields[2]},${signalOf(fields)}` : talker + type;
}

/** GSV, NMEA 4.10: after three header fields and four per satellite, a last field names the signal. */
function signalOf(fields: readonly string[]): string {
  return fields.length % 4 === 1 ? (fields.at(-1) ?? '') : '';
}

// --- Sentence tables ---------------------------------------------------------------------------------------------------

type SentenceType = 'GGA' | 'RMC' | 'GLL' | 'VTG' | 'GSA' | 'GSV' | 'ZDA';
type Handler = (fields: readonly string[], epoch: Epoch, talker: string) => void;

const HANDLERS: Readonly<Record<SentenceType, Handler>> = {
  /** Fix data: 1 time, 2-5 position, 6 quality, 7 satellites used, 8 HDOP, 9 altitude above mean sea level, 10 M. */
  GGA(f, epoch) {
    epoch.quality = GGA_QUALITY[integer(f[6]) ?? -1] ?? epoch.quality;
    epoch.used = integer(f[7]) ?? epoch.used;
    epoch.hdop = dilution(f[8]) ?? epoch.hdop;
    if (epoch.quality === 'none') return;
    epoch.position = position(f, 2) ?? epoch.position;
    epoch.altitude = (f[10] === 'M' ? decimal(f[9]) : undefined) ?? epoch.altitude;
  },

  /** Recommended minimum: 1 time, 2 status, 3-6 position, 7 knots, 8 course, 9 date ddmmyy, 12 mode. */
  RMC(f, epoch) {
    const [, day, month, year] = /^(\d\d)(\d\d)(\d\d)$/.exec(f[9] ?? '') ?? [];
    // Two digits of a year: GPS time began in 1980.
    if (day && month && year) epoch.date = { day, month, year: `${Number(year) < 80 ? 20 : 19}${year}` };
    epoch.modeQuality = f[2] === 'V' ? 'none' : (MODE_QUALITY[f[12] ?? ''] ?? epoch.modeQuality);
    if (f[2] === 'V') return;
    epoch.position = position(f, 3) ?? epoch.position;
    epoch.speed = metresPerSecond(f[7], KNOT) ?? epoch.speed;
    epoch.course = angle(f[8]) ?? epoch.course;
  },

  /** Geographic position: 1-4 position, 5 time, 6 status, 7 mode. */
  GLL(f, epoch) {
    epoch.modeQuality = f[6] === 'V' ? 'none' : (MODE_QUALITY[f[7] ?? ''] ?? epoch.modeQuality);
    if (f[6] !== 'V') epoch.position = position(f, 1) ?? epoch.position;
  },

  /** Course and speed: 1 course, 2 T, 5 knots, 6 N, 7 km/h, 8 K, 9 mode (N: not valid). */
  VTG(f, epoch) {
    if (f[2] !== 'T' || f[9] === 'N') return;
    epoch.course = angle(f[1]) ?? epoch.course;
    epoch.speed = metresPerSecond(f[7], KM_PER_HOUR) ?? metresPerSecond(f[5], KNOT) ?? epoch.speed;
  },

  /** Satellites used: 2 mode, 3-14 their numbers, 15 PDOP, 16 HDOP, 17 VDOP, 18 system. */
  GSA(f, epoch, talker) {
    epoch.mode = GSA_MODE[f[2] ?? ''] ?? epoch.mode;
    epoch.hdop = dilution(f[16]) ?? epoch.hdop;
    for (const id of f.slice(3, 15)) if (integer(id) !== undefined) epoch.usedIds.add(`${talker},${f[18] ?? ''},${id}`);
  },

  /** Satellites in view: 1 pages, 2 page, 3 satellites in view of this talker. */
  GSV(f, epoch, talker) {
    const count = integer(f[3]);
    if (count !== undefined) epoch.inView.set(talker, Math.max(count, epoch.inView.get(talker) ?? 0));
  },

  /** Time and date: 1 time, 2 day, 3 month, 4 year (four digits). */
  ZDA(f, epoch) {
    const [, , day = '', month = '', year = ''] = f;
    if (/^\d\d,\d\d,\d{4}$/.test(`${day},${month},${year}`)) epoch.date = { day, month, year };
  },
};

function isKnown(type: string): type is SentenceType {
  return Object.hasOwn(HANDLERS, type);
}

const GGA_QUALITY = ['none', 'gps', 'dgps', 'pps', 'rtk', 'rtk-float', 'estimated', 'manual', 'simulated'] as const;

/** FAA mode indicator, NMEA 2.3 and later. */
const MODE_QUALITY: Readonly<Record<string, string>> = {
  N: 'none',
  A: 'gps',
  D: 'dgps',
  P: 'pps',
  R: 'rtk',
  F: 'rtk-float',
  E: 'estimated',
  M: 'manual',
  S: 'simulated',
};

const GSA_MODE: Readonly<Record<string, string>> = { 1: 'none', 2: '2d', 3: '3d' };

// --- Fields ------------------------------------------------------------------------------------------------------------

const KNOT = 1852 / 3600; // m/s
const KM_PER_HOUR = 1 / 3.6;

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^[-+]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}

/** HDOP; receivers without a fix send 99.99. */
function dilution(text: string | undefined): number | undefined {
  const value = decimal(text);
  return value !== undefined && value < 99 ? value : undefined;
}

function angle(text: string | undefined): number | undefined {
  const degrees = decimal(text);
  return degrees !== undefined && degrees >= 0 && degrees <= 360 ? degrees : undefined;
}

function metresPerSecond(text: string | undefined, unit: number): number | undefined {
  const value = decimal(text);
  return value === undefined ? undefined : round(value * unit, 3);
}

/** Latitude ddmm.mmm, N or S, longitude dddmm.mmm, E or W, in four fields from `first`. */
function position(fields: readonly string[], first: number): { lat: number; lon: number } | undefined {
  const lat = coordinate(fields.slice(first, first + 2), 'NS', 90);
  const lon = coordinate(fields.slice(first + 2, first + 4), 'EW', 180);
  return lat === undefined || lon === undefined ? undefined : { lat, lon };
}

/** Decimal degrees; negative on the second of `sides`. */
function coordinate([text = '', side = '']: readonly string[], sides: string, max: number): number | undefined {
  const match = /^(\d{1,3})(\d\d(?:\.\d*)?)$/.exec(text);
  const sign = [1, -1][sides.indexOf(side || '?')];
  if (!match || sign === undefined) return undefined;
  const minutes = Number(match[2]);
  const degrees = Number(match[1]) + minutes / 60;
  return minutes < 60 && degrees <= max ? round(sign * degrees, 7) : undefined; // 7 decimals: about 1 cm
}

function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale + 0; // + 0: no -0
}

interface DateFields {
  readonly day: string;
  readonly month: string;
  readonly year: string;
}

function isoTime(date: DateFields | undefined, time: number | undefined): string | undefined {
  if (!date || time === undefined) return undefined;
  const midnight = new Date(`${date.year}-${date.month}-${date.day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.getUTCDate() !== Number(date.day)) return undefined;
  return new Date(midnight.getTime() + time).toISOString();
}

// --- Commands ----------------------------------------------------------------------------------------------------------

/** `PMTK220,200` -> `$PMTK220,200*2C\r`; the line framer adds "\n". A `$` or checksum that is already there is checked. */
function encode({ verb, channel, payload }: DriverCommand): Encoded {
  if (verb === 'get' || channel !== undefined) return reject('the nmea0183 driver takes: set, with a sentence');
  const text = payload.toString('latin1').trim();
  const match = /^\$?([A-Z][A-Z0-9]+(?:,[ -~]*)?)$/.exec(text.replace(/\*([0-9A-Fa-f]{2})$/, ''));
  const body = match?.[1];
  if (body === undefined || /[$*!]/.test(body)) {
    return reject(`expected a sentence such as PMTK220,200, got ${JSON.stringify(text.slice(0, 40))}`);
  }
  const fault = checksumFault(body, /\*(..)$/.exec(text)?.[1], false);
  return fault ? reject(fault) : Buffer.from(`$${body}*${checksum(body)}\r`, 'latin1');
}
