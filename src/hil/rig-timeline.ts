// What happened on the wires, on the topics and in the gateway's log, in one list: the first thing that one wants to see when
// an expectation fails.
//
//    +812.4  scale       => 53 54 2c 47 53 0d 0a           "ST,GS\r\n"       the device sent
//    +813.9  mqtt        -> scale "ST,GS"                                    the gateway published
//    +901.0  mqtt        <- scale/set "tare"                                 the test published
//    +902.2  scale       <= 74 61 72 65 0a                 "tare\n"          the gateway wrote
//   +1010.7  scale       !! unplugged                                        a fault
//   +1012.3  log warn    scale/manager: hang-up; trying again until it works

import type { Clock } from '../core/clock.js';

/** Who did what. */
export type TimelineKind = 'sent' | 'heard' | 'published' | 'commanded' | 'fault' | 'log';

interface Event {
  readonly at: number;
  readonly kind: TimelineKind;
  /** A device, `mqtt`, or `log` with its level. */
  readonly who: string;
  /** Of a topic or a log line. */
  readonly text: string;
  /** The first bytes of a wire or a payload ... */
  bytes: Buffer;
  /** ... and how many there were. */
  length: number;
}

const MAX_EVENTS = 500;
/** Faults and log lines are few and tell most: kept, and shown, for longer than what a talkative device says. */
const MAX_RARE = 200;
const SHOWN_RARE = 12;
/** More of one event is not shown, so not kept. */
const KEPT_BYTES = 64;
/** Bytes of one device that come within this time are one event, ms. */
const GATHER_MS = 3;
const SHOWN_EVENTS = 40;
const WIDTH = 118;
const WHO_WIDTH = 11;
const HEX_BYTES = 12;

const ARROWS: Readonly<Record<TimelineKind, string>> = {
  sent: '=>',
  heard: '<=',
  published: '->',
  commanded: '<-',
  fault: '!!',
  log: '  ',
};

export class Timeline {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #startedWall: number;
  readonly #events: Event[] = [];
  readonly #rare: Event[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#startedWall = clock.wall();
  }

  /** Bytes on the wire of a device: it sent them, or heard them from the gateway. */
  wire(device: string, kind: 'sent' | 'heard', bytes: Buffer): void {
    const last = this.#events.at(-1);
    const at = this.#now();
    if (last?.who === device && last.kind === kind && at - last.at <= GATHER_MS) {
      last.bytes = Buffer.concat([last.bytes, bytes.subarray(0, KEPT_BYTES - last.bytes.length)]);
      last.length += bytes.length;
    } else {
      this.#add({ at, kind, who: device, text: '', ...firstOf(bytes) });
    }
  }

  /** A message that the gateway or the test published. */
  message(kind: 'published' | 'commanded', topic: string, payload: Buffer): void {
    this.#add({ at: this.#now(), kind, who: 'mqtt', text: topic, ...firstOf(payload) });
  }

  /** Something that a test did to a device. */
  fault(device: string, text: string): void {
    this.#add({ at: this.#now(), kind: 'fault', who: device, text, ...firstOf(Buffer.alloc(0)) });
  }

  /** A line of the gateway's log; `wall`: its own time, ms since the epoch. */
  log(level: string, text: string, wall: number): void {
    const at = Number.isNaN(wall) ? this.#now() : wall - this.#startedWall;
    this.#add({ at, kind: 'log', who: `log ${level}`, text, ...firstOf(Buffer.alloc(0)) });
  }

  /** The last events, and the last faults and log lines before them, oldest first, each on a line of at most `width` characters. */
  lines(count: number = SHOWN_EVENTS, width: number = WIDTH): string[] {
    const all = [...this.#events, ...this.#rare].sort((one, other) => one.at - other.at);
    const shown = new Set([...all.slice(-count), ...this.#rare.slice(-SHOWN_RARE)]);
    const lines: string[] = [];
    let hidden = 0;
    for (const event of all) {
      if (!shown.has(event)) {
        hidden += 1;
        continue;
      }
      if (hidden > 0) lines.push(`           (${hidden} events that are not shown)`);
      hidden = 0;
      lines.push(cut(lineOf(event), width));
    }
    return lines;
  }

  #now(): number {
    return this.#clock.now() - this.#startedAt;
  }

  #add(event: Event): void {
    const isRare = event.kind === 'fault' || event.kind === 'log';
    const list = isRare ? this.#rare : this.#events;
    if (list.push(event) > (isRare ? MAX_RARE : MAX_EVENTS)) list.shift();
  }
}

function firstOf(bytes: Buffer): { bytes: Buffer; length: number } {
  return { bytes: Buffer.from(bytes.subarray(0, KEPT_BYTES)), length: bytes.length };
}

function lineOf(event: Event): string {
  const at = `+${event.at.toFixed(1)}`.padStart(9);
  return `${at}  ${cut(event.who, WHO_WIDTH).padEnd(WHO_WIDTH)} ${ARROWS[event.kind]} ${detailOf(event)}`;
}

function detailOf({ kind, text, bytes, length }: Event): string {
  if (kind === 'fault' || kind === 'log') return text.replaceAll(/\s+/g, ' ');
  const more = length > bytes.length ? ` (${length} bytes)` : '';
  if (kind === 'published' || kind === 'commanded') return `${text} ${quoted(bytes)}${more}`;
  return `${hexOf(bytes, length)} ${quoted(bytes)}${more}`;
}

/** `53 54 2c ...`, padded so that the texts stand below one another. */
function hexOf(bytes: Buffer, length: number): string {
  const pairs = [...bytes.subarray(0, HEX_BYTES)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `${pairs.join(' ')}${length > HEX_BYTES ? ' ..' : ''}`.padEnd(HEX_BYTES * 3 + 2);
}

/** Text that stays on its line: `"ST,GS\r\n"`, other bytes as `\x02`. JSON keeps its quotes unescaped: it is for people. */
function quoted(bytes: Buffer): string {
  const names: Readonly<Record<string, string>> = { '\r': '\\r', '\n': '\\n', '\t': '\\t' };
  const escaped = (char: string): string => names[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return `"${bytes.toString('latin1').replaceAll(/[\x00-\x1f\x7f-\xff]/g, escaped)}"`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
