// Turns what device groups send up into outbox entries: the topic, the payload, QoS and retain of each kind of message, as
// users see them. Routes are kept per device, because a route remembers its packed header.

import type {
  BridgeResponseUp,
  DeadLetterUp,
  EventUp,
  LogUp,
  RawTapEntry,
  RawTapUp,
  ReadingsUp,
  ReplyTo,
  ResponseUp,
  TapUp,
  UpMessage,
} from '../device/message.js';
import type { SpoolRecord } from '../spool/record.js';
import type { OutboxEntry } from './outbox-entry.js';
import { printable } from './printable.js';
import type { PublishRoute } from './publish-packet.js';
import type { RetainedState } from './retained-states.js';
import type { Topics } from './topics.js';

/** To whom messages of the gateway itself are counted. */
export const BRIDGE = 'bridge';

const HISTORICAL = ['historical', 'true'] as const;

/** Messages that wait for the broker; availability is a state, not a message. */
export type QueuedMessage = Exclude<UpMessage, { kind: 'availability' }>;

/** What the route of readings depends on. */
type ReadingsRoute = Pick<ReadingsUp, 'device' | 'qos' | 'retain'>;

export class Outgoing {
  readonly #topics: Topics;
  readonly #readings = new Map<string, PublishRoute>();
  /** Of the last answer: those to one command follow each other, and anybody may send commands to any number of connections. */
  #lastResponse: { readonly device: string; readonly route: PublishRoute } | undefined;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** The entry for a message. Availability is not among them: see `state`. */
  entry(message: QueuedMessage): OutboxEntry {
    switch (message.kind) {
      case 'readings':
        return this.#readingsEntry(message);
      case 'response':
        return this.#response(message);
      case 'dead-letter':
        return this.#deadLetter(message);
      case 'event':
        return this.#event(message);
      case 'log':
        return this.#log(message);
      case 'bridge-response':
        return this.#bridgeResponse(message);
      case 'tap':
        return this.#tap(message);
      case 'raw-tap':
        return this.#rawTap(message);
    }
  }

  /** The entry for a retained state, QoS 1. */
  state({ topic, payload }: RetainedState, onDone: () => void): OutboxEntry {
    return { ...single(BRIDGE, { topic, qos: 1, retain: true }, payload), urgent: 'news', onDone };
  }

  /** The entry for a message that the spool has kept, with what tells it from a live one (MQTT 5). */
  kept({ what, device, qos, retain, at, batch }: SpoolRecord, index: number, seq: number): OutboxEntry {
    const topic = what === 'readings' ? this.#topics.readings(device) : this.#topics.deadLetter(device);
    const user = [['ts', String(at)], ['seq', String(seq)], HISTORICAL] as const;
    const bytes = batch.bytes.subarray(batch.bounds[2 * index], batch.bounds[2 * index + 1]);
    return { device, route: { topic, qos, retain, properties: { user } }, batch: { bytes, bounds: [0, bytes.length] } };
  }

  /** Forgets a device that will not come back, such as an ended connection. */
  forget(device: string): void {
    this.#readings.delete(device);
  }

  /**
   * The entry for something that the spool has and that is sent at once all the same. Its device may have gone while it was written:
   * then no route is kept for it, since nobody would forget that again.
   */
  live(record: SpoolRecord): OutboxEntry {
    const { what, device, qos, retain, at, batch } = record;
    if (what === 'readings')
      return { device, route: this.#keptRoute(record) ?? this.#routeOf(record), batch, keep: { what, at } };
    return { device, route: { topic: this.#topics.deadLetter(device), qos, retain }, batch };
  }

  #readingsEntry(message: ReadingsUp): OutboxEntry {
    const { device, batch, at } = message;
    let route = this.#keptRoute(message);
    if (route === undefined) {
      route = this.#routeOf(message);
      this.#readings.set(device, route);
    }
    return { device, route, batch, keep: { what: 'readings', at } };
  }

  /** The one that was made for the device before, if it is still right. */
  #keptRoute({ device, qos, retain }: ReadingsRoute): PublishRoute | undefined {
    const route = this.#readings.get(device);
    return route?.qos === qos && route.retain === retain ? route : undefined;
  }

  #routeOf({ device, qos, retain }: ReadingsRoute): PublishRoute {
    return { topic: this.#topics.readings(device), qos, retain };
  }

  #response({ device, status, transaction, error, data, replyTo }: ResponseUp): OutboxEntry {
    const body = JSON.stringify({ status, transaction, error, data });
    const route = replyTo === undefined ? this.#responseRoute(device) : replyRoute(replyTo);
    return { ...single(device, route, body), urgent: 'answer' };
  }

  #responseRoute(device: string): PublishRoute {
    if (this.#lastResponse?.device !== device) {
      this.#lastResponse = { device, route: answerRoute(this.#topics.response(device)) };
    }
    return this.#lastResponse.route;
  }

  #bridgeResponse({ path, body, replyTo }: BridgeResponseUp): OutboxEntry {
    const route = replyTo === undefined ? answerRoute(this.#topics.bridge.response(path)) : replyRoute(replyTo);
    return { ...single(BRIDGE, route, body), urgent: 'answer' };
  }

  #deadLetter({ device, reason, bytes, droppedBytes, suppressed, at }: DeadLetterUp): OutboxEntry {
    const body = JSON.stringify({
      reason,
      hex: bytes.toString('hex'),
      ...(droppedBytes > 0 && { dropped_bytes: droppedBytes }),
      ...(suppressed > 0 && { suppressed }),
    });
    const route: PublishRoute = { topic: this.#topics.deadLetter(device), qos: 0, retain: false };
    return { ...single(device, route, body), keep: { what: 'dead-letter', at } };
  }

  #event({ event, data }: EventUp): OutboxEntry {
    const route: PublishRoute = { topic: this.#topics.bridge.event, qos: 0, retain: false };
    return { ...single(BRIDGE, route, JSON.stringify({ event, ...data })), urgent: 'news' };
  }

  #log({ kind: _kind, ...line }: LogUp): OutboxEntry {
    const route: PublishRoute = { topic: this.#topics.bridge.logging, qos: 0, retain: false };
    return { ...single(BRIDGE, route, JSON.stringify(line)), urgent: 'news' };
  }

  #tap({ device, direction, bytes, at, dropped }: TapUp): OutboxEntry {
    const body = JSON.stringify({ at, direction, hex: bytes.toString('hex'), text: printable(bytes), dropped });
    const route: PublishRoute = { topic: this.#topics.tap(device), qos: 0, retain: false };
    return { ...single(device, route, body), urgent: 'news' };
  }

  #rawTap({ device, tap, seq, entries, isLast }: RawTapUp): OutboxEntry {
    const body = JSON.stringify({ tap, seq, entries: entries.map(rawEntry), ...(isLast && { end: true }) });
    const route: PublishRoute = { topic: this.#topics.rawTap(device), qos: 0, retain: false };
    return { ...single(device, route, body), urgent: 'news' };
  }
}

function answerRoute(topic: string): PublishRoute {
  return { topic, qos: 1, retain: false };
}

function replyRoute({ topic, correlation }: ReplyTo): PublishRoute {
  return { ...answerRoute(topic), ...(correlation && { properties: { correlation } }) };
}

/** As in a recording: see hil/recording.ts. */
function rawEntry(entry: RawTapEntry): object {
  if ('note' in entry) return entry;
  return { t: entry.t, d: entry.direction, hex: entry.bytes.toString('hex') };
}

function single(device: string, route: PublishRoute, payload: string): OutboxEntry {
  const bytes = Buffer.from(payload);
  return { device, route, batch: { bytes, bounds: [0, bytes.length] } };
}
