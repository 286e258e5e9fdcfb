// Turns what device groups send up into outbox entries: the topic, the payload, QoS and retain of each kind of message, as
// users see them. Routes are kept per device, because a route remembers its packed header.

import type { DeadLetterUp, EventUp, ReadingBatch, ReadingsUp, ResponseUp, UpMessage } from '../device/message.js';
import type { OutboxEntry } from './outbox.js';
import type { PublishRoute } from './publish-packet.js';
import type { Topics } from './topics.js';

/** To whom messages of the gateway itself are counted. */
export const BRIDGE = 'bridge';

/** A message of which only the last one counts; published again with every new connection. */
export interface RetainedState {
  readonly topic: string;
  /** Empty: the broker forgets the topic. */
  readonly payload: string;
}

export class Outgoing {
  readonly #topics: Topics;
  readonly #readings = new Map<string, PublishRoute>();

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** The entry for a message. Availability is not among them: see `state`. */
  entry(message: Exclude<UpMessage, { kind: 'availability' }>): OutboxEntry {
    switch (message.kind) {
      case 'readings':
        return { device: message.device, route: this.#readingsRoute(message), batch: message.batch };
      case 'response':
        return this.#response(message);
      case 'dead-letter':
        return this.#deadLetter(message);
      case 'event':
        return single(BRIDGE, { topic: this.#topics.bridge.event, qos: 0, retain: false }, eventBody(message));
    }
  }

  /** The entry for a retained state, QoS 1. */
  state({ topic, payload }: RetainedState): OutboxEntry {
    return single(BRIDGE, { topic, qos: 1, retain: true }, payload);
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
    return single(device, { topic, qos: 1, retain: false, ...properties }, body);
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
}

function eventBody({ event, data }: EventUp): string {
  return JSON.stringify({ event, ...data });
}

function single(device: string, route: PublishRoute, payload: string): OutboxEntry {
  const bytes = Buffer.from(payload);
  const batch: ReadingBatch = { bytes, bounds: [0, bytes.length] };
  return { device, route, batch };
}
