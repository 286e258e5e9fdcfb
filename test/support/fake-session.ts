// A Session without a broker: keeps what was said in it as parsed packets, acknowledges by itself or when told to, and is
// lost when told to. What it reports comes in a microtask, as from a socket: never from within a call of ours.

import type { IPublishPacket } from 'mqtt';
import type { Clock } from '../../src/core/clock.js';
import type {
  RefusedFilter,
  Session,
  SessionHooks,
  SessionLimits,
  SessionLoss,
  SubscribeResult,
} from '../../src/uplink/session.js';
import { parsePublishes, payloadText } from './mqtt-parse.js';

/** How the broker behaves; may be changed while the session lives. */
export interface FakeSessionOptions {
  /** Acknowledgements wait for `ackAll`. */
  holdsAcks?: boolean;
  /** The socket takes no bytes until `drain`. */
  isStalled?: boolean;
  /** It is lost before anyone could use it. */
  dropsAtOnce?: boolean;
  /** Subscriptions are never answered. */
  ignoresSubscribe?: boolean;
  /** The packets of a subscription go out with `takeSubscriptions` only, as those of a large one that wait for others. */
  holdsSubscribe?: boolean;
  refusedFilters?: readonly string[];
  /** Topics that the broker refuses, reason code 135. */
  refusedTopics?: readonly string[];
  receiveMaximum?: number;
  /** After `rest` acknowledgements are reported a millisecond later, as in life. */
  rests?: boolean;
  notes?: readonly string[];
}

export class FakeSession implements Session {
  readonly protocolVersion = 5;
  readonly notes: readonly string[];
  readonly maximumPacketSize = Number.POSITIVE_INFINITY;
  readonly limits: SessionLimits;
  readonly behaviour: FakeSessionOptions;
  /** Everything published, in order. */
  readonly published: IPublishPacket[] = [];
  /** How often packets were written. */
  writes = 0;
  /** Most messages that were unacknowledged at a time. */
  mostUnacknowledged = 0;
  /** How often it was told to read nothing for a while. */
  rests = 0;
  /** Filters subscribed now. */
  readonly filters = new Set<string>();
  /** How it ended, once it has. */
  ended: 'disconnect' | 'destroyed' | 'lost' | undefined;
  isLost = false;
  readonly #hooks: SessionHooks;
  readonly #clock: Clock;
  /** Acknowledgements that wait for the end of a rest. */
  #unread: number | undefined;
  readonly #whenLost: (() => void)[] = [];
  readonly #subscriptions: (() => void)[] = [];
  #unacknowledged: IPublishPacket[] = [];
  #stalledBytes = 0;
  #dones: (() => void)[] = [];

  constructor(hooks: SessionHooks, behaviour: FakeSessionOptions, clock: Clock) {
    this.#hooks = hooks;
    this.#clock = clock;
    this.behaviour = behaviour;
    this.notes = behaviour.notes ?? [];
    const { receiveMaximum = 65_535 } = behaviour;
    this.limits = {
      receiveMaximum,
      maximumPacketSize: this.maximumPacketSize,
      topicAliasMaximum: 0,
      sessionPresent: false,
    };
    if (behaviour.dropsAtOnce) this.lose();
  }

  get buffered(): number {
    return this.isLost ? Number.POSITIVE_INFINITY : this.#stalledBytes;
  }

  /** Everything published, as `topic payload`. */
  get said(): string[] {
    return this.published.map((packet) => `${packet.topic} ${payloadText(packet)}`);
  }

  /** Payloads on one topic. */
  on(topic: string): string[] {
    return this.published.filter((packet) => packet.topic === topic).map(payloadText);
  }

  writePackets(packets: Buffer, done: () => void): void {
    const publishes = parsePublishes(Buffer.from(packets), this.protocolVersion);
    this.published.push(...publishes);
    this.writes += 1;
    this.#unacknowledged.push(...publishes.filter(({ qos }) => qos > 0));
    this.mostUnacknowledged = Math.max(this.mostUnacknowledged, this.#unacknowledged.length);
    this.#dones.push(done);
    if (this.behaviour.isStalled) this.#stalledBytes += packets.length;
    else queueMicrotask(() => this.#taken());
  }

  /** The system takes all bytes that were written. */
  drain(): void {
    this.#taken();
    this.#hooks.onDrain();
  }

  /** Acknowledges the oldest `count` messages. */
  ack(count: number): void {
    if (this.isLost) return;
    if (this.#unread !== undefined) {
      this.#unread += count;
      return;
    }
    for (const { messageId = 0, topic } of this.#unacknowledged.splice(0, count)) {
      this.#hooks.onAck(messageId, this.behaviour.refusedTopics?.includes(topic) ? 135 : 0);
    }
    this.#hooks.onAcksRead();
  }

  ackAll(): void {
    this.ack(this.#unacknowledged.length);
  }

  /** A message from the broker. */
  receive(topic: string, payload: string, more: { retain?: boolean } = {}): void {
    this.#hooks.onMessage({ topic, payload: Buffer.from(payload), retain: false, qos: 1, dup: false, ...more });
  }

  async subscribe(filters: readonly string[]): Promise<SubscribeResult> {
    if (this.behaviour.holdsSubscribe) await new Promise<void>((resolve) => this.#subscriptions.push(resolve));
    if (this.isLost) return 'lost';
    const refused = filters.filter((filter) => this.behaviour.refusedFilters?.includes(filter));
    for (const filter of filters) if (!refused.includes(filter)) this.filters.add(filter);
    if (this.behaviour.ignoresSubscribe) return this.#neverAnswered();
    return refused.map((filter): RefusedFilter => ({ filter, reason: 'Not authorized (code 135)' }));
  }

  /** Subscriptions that were held go out, and are answered. */
  takeSubscriptions(): void {
    for (const take of this.#subscriptions.splice(0)) take();
  }

  async unsubscribe(filters: readonly string[]): Promise<'done' | 'lost'> {
    for (const filter of filters) this.filters.delete(filter);
    return this.isLost ? 'lost' : 'done';
  }

  rest(): void {
    this.rests += 1;
    if (!this.behaviour.rests || this.#unread !== undefined) return;
    this.#unread = 0;
    this.#clock.after(1, () => {
      const count = this.#unread ?? 0;
      this.#unread = undefined;
      if (count > 0) this.ack(count);
    });
  }

  async end(): Promise<void> {
    this.#close('disconnect', { trouble: 'closed', detail: 'closed by us' });
  }

  destroy(): void {
    this.#close('destroyed', { trouble: 'closed', detail: 'closed by us' });
  }

  /** The connection breaks. */
  lose(loss: SessionLoss = { trouble: 'connection-lost', detail: 'the connection broke' }): void {
    this.#close('lost', loss);
  }

  #taken(): void {
    this.#stalledBytes = 0;
    for (const done of this.#dones.splice(0)) done();
    if (!this.behaviour.holdsAcks && !this.isLost && this.#unacknowledged.length > 0) this.ackAll();
  }

  #neverAnswered(): Promise<'lost'> {
    return new Promise((resolve) => this.#whenLost.push(() => resolve('lost')));
  }

  #close(how: 'disconnect' | 'destroyed' | 'lost', loss: SessionLoss): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.isLost = true;
    queueMicrotask(() => {
      for (const tell of this.#whenLost) tell();
      this.#hooks.onLost(loss);
    });
  }
}
