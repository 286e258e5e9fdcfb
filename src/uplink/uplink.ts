// The uplink: MQTT as one more thread group with the same three roles.
//
//   offer -> [inbox] -> send (delivery.ts): outbox -> session -> broker          the relay of all device groups
//     '- states, answers and events, which are few, go straight to the outbox (answers.ts: in a moment)
//   onMessage <- receive <- [incoming] <- session <- broker                      commands
//                manager (broker-connection.ts): connect, subscribe, watch, back off

import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { Presence } from '../core/presence.js';
import type { MessageQueue } from '../core/queue.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { AvailabilityUp, DownMessage, Relay, UpMessage } from '../device/message.js';
import { CAUSES } from '../spool/drops.js';
import { Spool, type SpoolOptions } from '../spool/spool.js';
import { Answers } from './answers.js';
import { BrokerConnection, type ConnectionHooks } from './broker-connection.js';
import { Delivery } from './delivery.js';
import { DropLog } from './drop-log.js';
import { Incoming, MAX_INCOMING } from './incoming.js';
import type { IncomingMessage } from './incoming-message.js';
import { openSession } from './open-session.js';
import { costOf, type OutboxEntry } from './outbox-entry.js';
import { Outgoing, type QueuedMessage } from './outgoing.js';
import { RetainedStates } from './retained-states.js';
import type { Session, SessionOptions } from './session.js';
import type { SpoolSettings } from './spool-settings.js';
import type { Topics } from './topics.js';

export const UPLINK_ID = 'bridge/mqtt';
/** The uplink closes after the devices that feed it. */
const UPLINK_RANK = 0;
/** Weight of messages on their way from the groups to the outbox. */
const INBOX_BYTES = 256 * 1024;
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
  readonly spool: SpoolSettings & Omit<SpoolOptions, 'clock' | 'log' | 'onDrop'>;
  /** Told of every session that begins or ends. */
  readonly presence?: Presence;
  /** Takes a message on one of the subscribed topics. Must not throw. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** Messages are being dropped, or no longer: `dropped` has news. */
  readonly onDrops?: () => void;
  /** The devices have ended, the session is about to: what is published now is the last word. */
  readonly onFarewell?: () => void;
  /** For tests. */
  readonly open?: typeof openSession;
}

/** What the uplink counts. `dropped`: messages since the start. */
export interface UplinkFigures {
  readonly queuedBytes: number;
  readonly unacknowledged: number;
  /** Messages written once more, since a session was lost before the broker acknowledged them; since the start. */
  readonly resent: number;
  readonly dropped: number;
  readonly isOnline: boolean;
  readonly spoolState: 'off' | Spool['state'];
  readonly spoolMessages: number;
  readonly spoolBytes: number;
  /** It drops messages for want of room, or makes devices wait. */
  readonly spoolIsFull: boolean;
}

const FULL_CAUSES: readonly string[] = [CAUSES.fullOldest, CAUSES.fullNewest];

export class Uplink {
  readonly group: ThreadGroup;
  readonly relay: Relay;
  readonly #options: UplinkOptions;
  readonly #log: Log;
  readonly #inbox: MessageQueue<OutboxEntry>;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #spool: Spool | undefined;
  readonly #delivery: Delivery;
  readonly #answers: Answers;
  readonly #connection: BrokerConnection;
  readonly #states = new RetainedStates();
  readonly #drops: DropLog;
  readonly #filters = new Set<string>();
  #isOnline = false;
  /** Messages that the spool had no room for, or kept for too long. */
  #spoolDrops = 0;
  /** The same while the gateway ends, per device: neither broker nor disk has taken them. */
  readonly #lostAtEnd = new Map<string, number>();

  constructor(options: UplinkOptions) {
    const { registry, topics, spool, clock, onDrops } = options;
    this.#options = options;
    this.#log = options.log.child({ group: UPLINK_ID });
    this.#filters.add(topics.bridge.requests);
    this.#inbox = registry.allocate<OutboxEntry>({ capacity: INBOX_BYTES, whenFull: 'reject', weigh: costOf });
    const queue = registry.allocate<IncomingMessage>({ capacity: MAX_INCOMING, whenFull: 'drop-newest' });
    this.#incoming = new Incoming({ log: this.#log, queue, onMessage: options.onMessage });
    this.#outgoing = new Outgoing(topics);
    this.#drops = new DropLog({
      clock,
      log: this.#log,
      mayEnd: () => this.#isOnline,
      ...(onDrops && { onChange: onDrops }),
    });
    const onDrop: SpoolOptions['onDrop'] = (device, messages, cause) => this.#onSpoolDrop(device, messages, cause);
    this.#spool = spool.mode === 'off' ? undefined : new Spool({ ...spool, clock, log: this.#log, onDrop });
    this.#delivery = new Delivery({
      clock,
      inbox: this.#inbox,
      states: this.#states,
      outgoing: this.#outgoing,
      drops: this.#drops,
      settings: spool,
      spool: this.#spool,
      onNarrow: (receiveMaximum) => this.#tellNarrow(receiveMaximum),
    });
    this.#answers = new Answers({
      clock,
      entryOf: (message) => this.#outgoing.entry(message),
      onDue: (entry) => this.#delivery.add(entry),
    });
    this.relay = { offer: (message) => this.#offer(message), room: (signal) => this.#inbox.room(signal) };
    this.group = this.#makeGroup();
    this.#connection = this.#makeConnection();
    this.group.add({ label: 'manager', body: (thread) => this.#connection.run(thread) });
    this.group.add(this.#incoming);
    this.group.add({ label: 'send', inboxes: [this.#inbox], body: (thread) => this.#delivery.run(thread) });
    this.group.onCleanup(() => {
      this.#delivery.giveUp();
      this.#drops.close();
      this.#tellKept();
    });
  }

  /** Registers and starts the group. */
  start(): boolean {
    if (!this.#options.registry.add(this.group, () => 'closed', UPLINK_RANK)) return false;
    this.group.start();
    void this.#spool?.openIfThere().then(() => this.#delivery.spoolOpened());
    return true;
  }

  /**
   * An ending gateway has until `at` (monotonic ms): what the broker has not taken by then is left to the disk. The goodbye after
   * that has `farewellMs`.
   */
  finishBy(at: number, farewellMs: number): void {
    this.#delivery.finishBy(at);
    this.#connection.limitFarewell(farewellMs);
  }

  /** True while there is a session with the broker. */
  get isOnline(): boolean {
    return this.#isOnline;
  }

  /** Listens for the commands of a device; `name/+` for the connections of a listener. */
  addDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    this.#drops.addDevice(device);
    for (const filter of filters) this.#filters.add(filter);
    void this.#connection.session?.subscribe(filters).then((result) => this.#connection.report(result));
  }

  removeDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    this.#drops.removeDevice(device);
    for (const filter of filters) this.#filters.delete(filter);
    void this.#connection.session?.unsubscribe(filters);
  }

  /** Publishes a retained state of the gateway itself (`bridge/info`, `bridge/devices`), now and with every new session. */
  publishState(topic: string, payload: string): void {
    this.#states.set(topic, payload);
    this.#delivery.statesChanged();
  }

  /** Messages of a device and of its connections that were dropped: no room, refused by the broker, too large for it. */
  dropped(device: string): number {
    return this.#drops.of(device);
  }

  get figures(): UplinkFigures {
    return {
      queuedBytes: this.#delivery.bytes,
      unacknowledged: this.#delivery.unacknowledged,
      resent: this.#delivery.resent,
      dropped: this.#delivery.dropped + this.#spoolDrops,
      isOnline: this.#isOnline,
      spoolState: this.#spool?.state ?? 'off',
      spoolMessages: this.#spool?.messages ?? 0,
      spoolBytes: this.#spool?.bytes ?? 0,
      spoolIsFull: this.#spool?.isFull === true || this.#drops.isDroppingFor(FULL_CAUSES),
    };
  }

  /** Tells `watcher` from now on how long acknowledgements take, in samples; ms. It must not throw. */
  watchLatency(watcher: (ms: number) => void): void {
    this.#delivery.ackTimer.watch(watcher);
  }

  /** Messages that neither the broker has acknowledged nor the disk has, per device. */
  leftovers(): ReadonlyMap<string, number> {
    const left = new Map(this.#delivery.leftovers());
    for (const [device, messages] of this.#lostAtEnd) left.set(device, (left.get(device) ?? 0) + messages);
    return left;
  }

  #makeGroup(): ThreadGroup {
    const { registry, clock } = this.#options;
    return new ThreadGroup({
      id: UPLINK_ID,
      clock,
      onTransition: (transition) => {
        if (transition.to === 'closing') this.#answers.handOn();
        // What waits has only as long as the shutdown takes: no time to sit out a long backoff.
        if (transition.to === 'closing' && this.#delivery.bytes > 0) this.#connection.hurry();
        registry.emit({ kind: 'transition', group: UPLINK_ID, transition });
      },
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => registry.remove(this.group),
      figures: () => ({ ...this.figures }),
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
        this.#setOnline(false);
        return delivery.lost();
      },
      farewell: (session, signal) => {
        this.#options.onFarewell?.();
        this.#states.set(this.#options.topics.bridge.state, OFFLINE);
        if (!this.#isOnline) delivery.connected(session);
        return delivery.whenIdle(signal);
      },
      onMessage: (message) => this.#incoming.put(message),
      onAck: (packetId, reasonCode) => delivery.ack(packetId, reasonCode),
      onAcksRead: () => delivery.acksRead(),
      onDrain: () => delivery.pump(),
    };
  }

  #onOpen(session: Session): void {
    this.#setOnline(true);
    this.#states.set(this.#options.topics.bridge.state, ONLINE);
    this.#delivery.connected(session);
  }

  #tellNarrow(receiveMaximum: number): void {
    this.#log.warn(
      { thread: 'send', receive_maximum: receiveMaximum },
      `devices wait: the broker takes ${receiveMaximum} messages at a time (its MQTT 5 Receive Maximum); for more a second set max_inflight_messages 1000 in mosquitto.conf, or mqtt.version: 4 here`,
    );
  }

  #onSpoolDrop(device: string, messages: number, cause: string): void {
    this.#spoolDrops += messages;
    if (this.group.isClosing) this.#lostAtEnd.set(device, (this.#lostAtEnd.get(device) ?? 0) + messages);
    this.#drops.note(device, messages, cause);
  }

  #setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    this.#options.presence?.set(isOnline);
  }

  #offer(message: UpMessage): 'taken' | 'full' {
    if (message.kind === 'availability') this.#noteAvailability(message);
    else if (message.kind === 'response' && !this.group.isClosing) this.#answers.add(message);
    else if (message.kind === 'readings' || message.kind === 'dead-letter') return this.#queue(message);
    // Taps, events and log lines are worth telling while they are fresh: none is kept for a broker that is away.
    else if (message.kind === 'tap' || message.kind === 'raw-tap')
      return this.#isOnline ? this.#queue(message) : 'taken';
    else if ((message.kind !== 'event' && message.kind !== 'log') || this.#isOnline)
      this.#delivery.add(this.#outgoing.entry(message));
    return 'taken';
  }

  #queue(message: QueuedMessage): 'taken' | 'full' {
    const entry = this.#outgoing.entry(message);
    const result = this.#inbox.put(entry);
    if (result === 'rejected') return 'full';
    if (result === 'closed') this.#delivery.add(entry); // the very last: past the queue rather than lost
    return 'taken';
  }

  #noteAvailability({ device, state }: AvailabilityUp): void {
    const topic = this.#options.topics.availability(device);
    if (state === 'gone') {
      this.#outgoing.forget(device);
      this.#states.clear(topic);
    } else {
      this.#states.set(topic, state === 'online' ? ONLINE : OFFLINE);
    }
    this.#delivery.statesChanged();
  }

  /** What is on the disk is not lost, but neither is it at the broker. */
  #tellKept(): void {
    const messages = this.#spool?.messages ?? 0;
    if (messages === 0) return;
    const dir = this.#options.spool.dir;
    this.#log.info({ thread: 'send', messages, dir }, `${messages} messages are kept on the disk for the next start`);
  }

  #onCrash(label: string, error: unknown): void {
    const { registry, clock } = this.#options;
    registry.emit({ kind: 'crash', group: UPLINK_ID, thread: label, error });
    const what = `${label} thread crashed: ${messageOf(error)}; this is a bug in ferrule`;
    this.#log.error({ thread: label, err: error }, this.group.isClosing ? what : `${what}; restarting it in a second`);
    clock.after(RESTART_MS, () => this.group.restart(label));
  }
}
