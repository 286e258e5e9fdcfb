// Turns what device groups send up into outbox entries: the topic, the payload, QoS and retain of each kind of message, as
// users see them. Routes are kept per device, because a route remembers its packed header.

import type {
  BridgeResponseUp,
  DeadLetterUp,
  EventUp,
  ReadingsUp,
  ResponseUp,
  TapUp,
  UpMessage,
} from '../device/message.js';
import type { OutboxEntry } from './outbox-entry.js';
import { printable } from './printable.js';
import type { PublishRoute } from './publish-packet.js';
import type { RetainedState } from './retained-states.js';
import type { Topics } from './topics.js';

/** To whom messages of the gateway itself are counted. */
export const BRIDGE = 'bridge';

/** Messages that wait for the broker; availability is a state, not a message. */
export type QueuedMessage = Exclude<UpMessage, { kind: 'availability' }>;

export class Outgoing {
  readonly #topics: Topics;
  readonly #readings = new Map<string, PublishRoute>();

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** The entry for a message. Availability is not among them: see `state`. */
  entry(message: QueuedMessage): OutboxEntry {
    switch (message.kind) {
      case 'readings':
        return { device: message.device, route: this.#readingsRoute(message), batch: message.batch };
      case 'response':
        return this.#response(message);
      case 'dead-letter':
        return this.#deadLetter(message);
      case 'event':
        return this.#event(message);
      case 'bridge-response':
        return this.#bridgeResponse(message);
      case 'tap':
        return this.#tap(message);
    }
  }

  /** The entry for a retained state, QoS 1. */
  state({ topic, payload }: RetainedState, onDone: () => void): OutboxEntry {
    return { ...single(BRIDGE, { topic, qos: 1, retain: true }, payload), urgent: 'news', onDone };
  }

  /** Forgets a device that will not come back, such as an ended connection. */
  forget(device: string): void {
    this.#readings.delete(device);
  }

  #readingsRoute({ device, qos, retain }: ReadingsUp): PublishRoute {
    let route = this.#readings.get(device);
    if (route === undefined || route.qos !== qos || route.retain !== retain) {
      route = { topic: this.#topics.readings(device), qos, retain };
      this.#readings.set(device, route);
    }
    return route;
  }

  #response({ device, status, transaction, error, data, replyTo }: ResponseUp): OutboxEntry {
    const body = JSON.stringify({ status, transaction, error, data });
    const topic = replyTo?.topic ?? this.#topics.response(device);
    const properties = replyTo?.correlation && { properties: { correlation: replyTo.correlation } };
    return { ...single(device, { topic, qos: 1, retain: false, ...properties }, body), urgent: 'answer' };
  }

  #bridgeResponse({ path, body, replyTo }: BridgeResponseUp): OutboxEntry {
    const topic = replyTo?.topic ?? this.#topics.bridge.response(path);
    const properties = replyTo?.correlation && { properties: { correlation: replyTo.correlation } };
    return { ...single(BRIDGE, { topic, qos: 1, retain: false, ...properties }, body), urgent: 'answer' };
  }

  #deadLetter({ device, reason, bytes, droppedBytes, suppressed }: DeadLetterUp): OutboxEntry {
    const body = JSON.stringify({
      reason,
      hex: bytes.toString('hex'),
      ...(droppedBytes > 0 && { dropped_bytes: droppedBytes }),
      ...(suppressed > 0 && { suppressed }),
    });
    return single(device, { topic: this.#topics.deadLetter(device), qos: 0, retain: false }, body);
  }

  #event({ event, data }: EventUp): OutboxEntry {
    const route: PublishRoute = { topic: this.#topics.bridge.event, qos: 0, retain: false };
    return { ...single(BRIDGE, route, JSON.stringify({ event, ...data })), urgent: 'news' };
  }

  #tap({ device, direction, bytes, at, dropped }: TapUp): OutboxEntry {
    const body = JSON.stringify({ at, direction, hex: bytes.toString('hex'), text: printable(bytes), dropped });
    const route: PublishRoute = { topic: this.#topics.tap(device), qos: 0, retain: false };
    return { ...single(device, route, body), urgent: 'news' };
  }
}

function single(device: string, route: PublishRoute, payload: string): OutboxEntry {
  const bytes = Buffer.from(payload);
  return { device, route, batch: { bytes, bounds: [0, bytes.length] } };
}
