// The uplink: MQTT as one more thread group with the same three roles.
//
//   offer -> [inbox] -> send (delivery.ts): outbox -> session -> broker          the relay of all device groups
//   onMessage <- receive <- [incoming] <- session <- broker                      commands
//                manager (broker-connection.ts): connect, subscribe, watch, back off

import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { AvailabilityUp, DownMessage, Relay, UpMessage } from '../device/message.js';
import { BrokerConnection, type ConnectionHooks } from './broker-connection.js';
import { Delivery, type QueuedMessage, type SpoolSettings } from './delivery.js';
import type { IncomingMessage } from './incoming-message.js';
import { openSession } from './open-session.js';
import { Outgoing } from './outgoing.js';
import { RetainedStates } from './retained-states.js';
import type { Session, SessionOptions } from './session.js';
import type { Topics } from './topics.js';

export const UPLINK_ID = 'bridge/mqtt';
/** The uplink closes after the devices that feed it. */
const UPLINK_RANK = 0;
/** Weight of messages on their way from the groups to the outbox. */
const INBOX_BYTES = 256 * 1024;
/** Commands that may wait to be read. */
const MAX_INCOMING = 1000;
const RESTART_MS = 1000;

const ONLINE = JSON.stringify({ state: 'online' });
const OFFLINE = JSON.stringify({ state: 'offline' });

export interface UplinkOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly topics: Topics;
  readonly session: Omit<SessionOptions, 'clock' | 'will'>;
  /** ms */
  readonly reconnect: { readonly first: number; readonly max: number };
  readonly spool: SpoolSettings;
  /** Takes a message on one of the subscribed topics. Must not throw. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** For tests. */
  readonly open?: typeof openSession;
}

export class Uplink {
  readonly group: ThreadGroup;
  readonly relay: Relay;
  readonly #options: UplinkOptions;
  readonly #log: Log;
  readonly #inbox: MessageQueue<QueuedMessage>;
  readonly #incoming: MessageQueue<IncomingMessage>;
  readonly #outgoing: Outgoing;
  readonly #delivery: Delivery;
  readonly #connection: BrokerConnection;
  readonly #states = new RetainedStates();
  readonly #filters = new Set<string>();
  #isOnline = false;

  constructor(options: UplinkOptions) {
    const { registry, topics, spool } = options;
    this.#options = options;
    this.#log = options.log.child({ group: UPLINK_ID });
    this.#inbox = registry.allocate({ capacity: INBOX_BYTES, whenFull: 'reject', weigh: weighUp });
    this.#incoming = registry.allocate({ capacity: MAX_INCOMING, whenFull: 'drop-newest' });
    this.#outgoing = new Outgoing(topics);
    this.#delivery = new Delivery({ log: this.#log, inbox: this.#inbox, outgoing: this.#outgoing, spool });
    this.relay = { offer: (message) => this.#offer(message), room: (signal) => this.#inbox.room(signal) };
    this.group = this.#makeGroup();
    this.#connection = this.#makeConnection();
    this.group.add({ label: 'manager', body: (thread) => this.#connection.run(thread) });
    this.group.add({ label: 'receive', inboxes: [this.#incoming], body: (thread) => this.#receive(thread) });
    this.group.add({ label: 'send', inboxes: [this.#inbox], body: (thread) => this.#delivery.run(thread) });
  }

  /** Registers and starts the group. */
  start(): boolean {
    if (!this.#options.registry.add(this.group, () => 'closed', UPLINK_RANK)) return false;
    this.group.start();
    return true;
  }

  /** True while there is a session with the broker. */
  get isOnline(): boolean {
    return this.#isOnline;
  }

  /** Listens for the commands of a device; `name/+` for the connections of a listener. */
  addDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    for (const filter of filters) this.#filters.add(filter);
    void this.#connection.session?.subscribe(filters).then((result) => this.#connection.report(result));
  }

  removeDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    for (const filter of filters) this.#filters.delete(filter);
    void this.#connection.session?.unsubscribe(filters);
  }

  /** Publishes a retained state of the gateway itself (`bridge/info`, `bridge/devices`), now and with every new connection. */
  publishState(topic: string, payload: string): void {
    if (this.#states.set(topic, payload)) this.#flushStates();
  }

  /** Messages that the broker has not acknowledged, per device. */
  leftovers(): ReadonlyMap<string, number> {
    return this.#delivery.leftovers();
  }

  #makeGroup(): ThreadGroup {
    const { registry, clock } = this.#options;
    return new ThreadGroup({
      id: UPLINK_ID,
      clock,
      onTransition: (transition) => registry.emit({ kind: 'transition', group: UPLINK_ID, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => registry.remove(this.group),
      counters: () => ({
        queuedBytes: this.#delivery.bytes,
        unacknowledged: this.#delivery.unacknowledged,
        dropped: this.#delivery.dropped,
        isOnline: this.#isOnline,
      }),
    });
  }

  #makeConnection(): BrokerConnection {
    const { clock, session, reconnect, topics, open = openSession } = this.#options;
    const will = { topic: topics.bridge.state, payload: Buffer.from(OFFLINE), retain: true };
    return new BrokerConnection({
      clock,
      log: this.#log,
      state: this.group.state,
      session: { ...session, will },
      reconnect: { firstMs: reconnect.first, maxMs: reconnect.max },
      open,
      hooks: this.#connectionHooks(),
    });
  }

  #connectionHooks(): ConnectionHooks {
    const delivery = this.#delivery;
    return {
      filters: () => [...this.#filters],
      onOpen: (session) => this.#onOpen(session),
      onLost: () => {
        this.#isOnline = false;
        delivery.lost();
      },
      farewell: (signal) => {
        this.publishState(this.#options.topics.bridge.state, OFFLINE);
        return delivery.whenIdle(signal);
      },
      onMessage: (message) => this.#onIncoming(message),
      onAck: (packetId, reasonCode) => delivery.ack(packetId, reasonCode),
      onAcksRead: () => delivery.pump(),
      onDrain: () => delivery.pump(),
    };
  }

  #onOpen(session: Session): void {
    this.#isOnline = true;
    this.#delivery.connected(session);
    this.#states.set(this.#options.topics.bridge.state, ONLINE);
    this.#states.allChanged();
    this.#flushStates();
  }

  #offer(message: UpMessage): 'taken' | 'full' {
    if (message.kind === 'availability') {
      this.#noteAvailability(message);
      return 'taken';
    }
    const result = this.#inbox.put(message);
    if (result === 'queued') return 'taken';
    if (result === 'rejected' && isBulk(message)) return 'full';
    // Small and rare, or the very last: past the queue rather than lost.
    this.#delivery.add(message);
    return 'taken';
  }

  #noteAvailability({ device, state }: AvailabilityUp): void {
    const payload = { online: ONLINE, offline: OFFLINE, gone: '' }[state];
    if (state === 'gone') this.#outgoing.forget(device);
    this.publishState(this.#options.topics.availability(device), payload);
  }

  #flushStates(): void {
    if (this.#isOnline) this.#delivery.addStates(this.#states.takeChanged());
  }

  async #receive(thread: Thread): Promise<void> {
    for (;;) {
      thread.idle();
      const taken = await this.#incoming.take(thread.abortSignal);
      if (!taken.ok) return;
      thread.busy(`taking ${taken.item.topic}`);
      this.#options.onMessage(taken.item);
    }
  }

  #onIncoming(message: IncomingMessage): void {
    if (this.#incoming.put(message) === 'queued') return;
    this.#log.warn({ thread: 'receive', topic: message.topic }, `a command was dropped: ${MAX_INCOMING} wait already`);
  }

  #onCrash(label: string, error: unknown): void {
    const { registry, clock } = this.#options;
    registry.emit({ kind: 'crash', group: UPLINK_ID, thread: label, error });
    const what = `${label} thread crashed: ${messageOf(error)}`;
    this.#log.error({ thread: label, err: error }, `${what}; restarting it in a second; this is a bug in ferrule`);
    clock.after(RESTART_MS, () => this.group.restart(label));
  }
}

function isBulk(message: QueuedMessage): boolean {
  return message.kind === 'readings' || message.kind === 'dead-letter';
}

function weighUp(message: QueuedMessage): number {
  if (message.kind === 'readings') return 64 + message.batch.bytes.length + message.batch.bounds.length * 4;
  return message.kind === 'dead-letter' ? 64 + message.bytes.length : 64;
}
