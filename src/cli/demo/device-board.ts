// What an observer learns of the devices from MQTT alone: `bridge/devices` (retained) tells who there is and how they are,
// `bridge/event` tells each change, the rest are readings, availability of connections, and answers to commands.

import { parseCommand } from '../../control/command-payload.js';
import type { Clock } from '../../core/clock.js';
import type { CommandTopic, Topics } from '../../uplink/topics.js';
import { ArrivalRate } from './arrival-rate.js';

/** One line of the table. */
export interface DeviceRow {
  readonly name: string;
  /** Its address, for people: `/dev/pts/3`. */
  link: string;
  state: string;
  reason: string;
  /** Wall-clock ms since when the state holds; 0 = not told yet. */
  since: number;
  /** Wall-clock ms since when it is away, having been online; undefined while it is not. */
  awaySince: number | undefined;
  /** What it was told last, by whomever: `set/led {"blink":500}`. */
  command: string;
  /** Payload of the last reading, as text. */
  last: string;
  readonly rate: ArrivalRate;
}

/** What a message meant. */
export type Happening =
  | { readonly kind: 'reading'; readonly topic: string; readonly text: string }
  | {
      readonly kind: 'state';
      readonly device: string;
      readonly state: string;
      readonly reason: string;
      /** It is back: how long it was away, ms. */
      readonly awayMs?: number;
    }
  | { readonly kind: 'note'; readonly device: string; readonly text: string };

/** Connections come and go, and a stranger may open many: more rows than this are not shown. */
const MAX_ROWS = 64;
const MAX_TEXT = 1024;
/** An event beats a list of the same millisecond: the list was made before it, or says the same. */
const EVENT_WINS_MS = 0.5;

export class DeviceBoard {
  readonly #rows = new Map<string, DeviceRow>();
  readonly #topics: Topics;
  readonly #clock: Clock;

  constructor(topics: Topics, clock: Clock) {
    this.#topics = topics;
    this.#clock = clock;
  }

  /** In the order of the config, each connection behind its listener. */
  rows(): readonly DeviceRow[] {
    const parents = [...this.#rows.keys()];
    const rank = (name: string): number => parents.indexOf(name.split('/', 1)[0] ?? name);
    return [...this.#rows.values()].sort((a, b) => rank(a.name) - rank(b.name));
  }

  /** Takes a message; answers what happened, in order. */
  take(topic: string, payload: Buffer): Happening[] {
    const { bridge } = this.#topics;
    if (topic === bridge.devices) return this.#takeDevices(payload);
    if (topic === bridge.event) return this.#takeEvent(payload);
    if (this.#isOfBridge(topic)) return [];
    const command = this.#topics.parseCommand(topic);
    if (command) return this.#takeCommand(command, topic, payload);
    const cut = topic.lastIndexOf('/');
    const parent = topic.slice(this.#topics.base.length + 1, cut);
    if (topic === this.#topics.availability(parent)) return this.#takeAvailability(parent, payload);
    if (topic === this.#topics.response(parent)) return this.#takeResponse(parent, payload);
    if (this.#isTap(topic)) return [];
    if (topic === this.#topics.deadLetter(parent)) return this.#takeDeadLetter(parent, payload);
    return this.#takeReading(topic, payload);
  }

  /** `bridge` is no device, so this is the prefix of everything that the gateway says of itself. */
  #isOfBridge(topic: string): boolean {
    return topic.startsWith(`${this.#topics.readings('bridge')}/`);
  }

  /** What goes over a line while somebody watches it: not for us. */
  #isTap(topic: string): boolean {
    const ofDevice = (name: string): boolean => topic === this.#topics.tap(name) || topic === this.#topics.rawTap(name);
    return [...this.#rows.keys()].some(ofDevice);
  }

  #takeReading(topic: string, payload: Buffer): Happening[] {
    const text = payload.toString('utf8', 0, MAX_TEXT);
    const name = topic.slice(this.#topics.base.length + 1);
    const isKnown = this.#rows.has(name) || this.#rows.has(name.slice(0, name.lastIndexOf('/')));
    const row = isKnown ? this.#row(name) : undefined; // else somebody else's message below our base
    if (row) {
      row.last = text;
      row.rate.count(this.#clock.now());
    }
    return [{ kind: 'reading', topic, text }];
  }

  #takeDevices(payload: Buffer): Happening[] {
    const list = parse(payload);
    if (!Array.isArray(list)) return [];
    return list.map(recordOf).flatMap((entry) => {
      const row = this.#row(textOf(entry.name));
      if (!row) return [];
      row.link = shownLink(textOf(entry.link), entry.counters);
      return this.#change(row, textOf(entry.state), textOf(entry.reason), Date.parse(textOf(entry.since)));
    });
  }

  #takeEvent(payload: Buffer): Happening[] {
    const { event, device, to, reason, at } = recordOf(parse(payload));
    const row = event === 'state' ? this.#row(textOf(device)) : undefined;
    return row ? this.#change(row, textOf(to), textOf(reason), Number(at) + EVENT_WINS_MS) : [];
  }

  /** Only connections are told of by their availability alone; of the others the bridge says more. */
  #takeAvailability(name: string, payload: Buffer): Happening[] {
    if (!name.includes('/')) return [];
    if (payload.length === 0) {
      const known = this.#rows.delete(name);
      return known ? [{ kind: 'state', device: name, state: 'gone', reason: 'the connection has ended' }] : [];
    }
    const row = this.#row(name);
    if (!row) return [];
    row.link = 'dialled in';
    return this.#change(row, textOf(recordOf(parse(payload)).state), '', this.#clock.wall());
  }

  /** A subscriber sees what others tell a device; the answer follows. */
  #takeCommand(to: CommandTopic, topic: string, payload: Buffer): Happening[] {
    const { device, verb, channel } = to;
    const row = this.#rows.get(device);
    const message = { topic, payload, retain: false, qos: 0, dup: false } as const;
    const parsed = parseCommand(to, message, { receivedAt: this.#clock.now(), makeTransaction: () => '' });
    const value = parsed.ok ? parsed.command.payload : payload;
    const what = channel === undefined ? verb : `${verb}/${channel}`;
    if (row) row.command = `${what} ${value.toString('utf8', 0, MAX_TEXT)}`.trim();
    return [];
  }

  /** How it ended; the steps before are left out. */
  #takeResponse(device: string, payload: Buffer): Happening[] {
    const { status, error } = recordOf(parse(payload));
    if (status === 'accepted' || status === 'sent') return [];
    const command = this.#rows.get(device)?.command || 'command';
    return [{ kind: 'note', device, text: `${command}: ${error === undefined ? textOf(status) : textOf(error)}` }];
  }

  #takeDeadLetter(device: string, payload: Buffer): Happening[] {
    return [{ kind: 'note', device, text: `unreadable: ${textOf(recordOf(parse(payload)).reason)}` }];
  }

  /** What is older than what is known changes nothing: the retained list may come after the events that outdate it. */
  #change(row: DeviceRow, state: string, reason: string, since: number): Happening[] {
    if (!(since >= row.since)) return [];
    row.since = since;
    if (row.state === state && row.reason === reason) return [];
    const awayMs = isUp(state) && row.awaySince !== undefined ? Math.max(0, since - row.awaySince) : undefined;
    if (isUp(state)) row.awaySince = undefined;
    else if (isUp(row.state)) row.awaySince = since;
    row.state = state;
    row.reason = reason;
    return [{ kind: 'state', device: row.name, state, reason, ...(awayMs !== undefined && { awayMs }) }];
  }

  /** The row of that name, made if there is room for it. */
  #row(name: string): DeviceRow | undefined {
    let row = this.#rows.get(name);
    if (row === undefined && this.#rows.size < MAX_ROWS && name !== '') {
      row = {
        name,
        link: '',
        state: '',
        reason: '',
        since: 0,
        awaySince: undefined,
        command: '',
        last: '',
        rate: new ArrivalRate(),
      };
      this.#rows.set(name, row);
    }
    return row;
  }
}

/** There is a link: it is only quiet where it is silent. */
export function isUp(state: string): boolean {
  return state === 'online' || state === 'silent';
}

/** `serial:/dev/pts/3?baud_rate=4800` -> `/dev/pts/3`. A listener says in its counters which port it got. */
function shownLink(link: string, counters: unknown): string {
  if (link.startsWith('tcp-listen:')) return `listen :${textOf(recordOf(counters).port)}`;
  return link.replace(/\?.*$/, '').replace(/^[\w-]+:(?:\/\/)?/, '');
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined; // anybody may publish here
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}
