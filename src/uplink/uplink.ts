// The uplink: MQTT as one more thread group with the same three roles.
//
//   offer -> [inbox] -> send: outbox -> pump -> session -> broker      relay of all device groups
//   onMessage <- receive <- [incoming] <- session <- broker            commands
//                           manager: connect, subscribe, birth, watch, back off
//
// While the broker is there, the outbox is kept short and back-pressure reaches the devices; while it is away, readings are
// kept up to the spool's size, then the full policy of the spool decides, counted per device.

import { type Clock, sleep } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { GroupState } from '../core/lifecycle.js';
import type { MessageQueue } from '../core/queue.js';
import { type Backoff, backoffDelay } from '../core/restart-policy.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, Relay, UpMessage } from '../device/message.js';
import type { IncomingMessage } from './incoming-message.js';
import { openSession } from './open-session.js';
import { Outbox, type WhenFull } from './outbox.js';
import { Outgoing } from './outgoing.js';
import { RetainedStates } from './retained-states.js';
import type { Session, SessionHooks, SessionLoss, SessionOptions } from './session.js';
import { SessionError } from './session-error.js';
import type { Topics } from './topics.js';

export const UPLINK_ID = 'bridge/mqtt';
/** The uplink closes after the devices that feed it. */
const UPLINK_RANK = 0;

/** Weight of messages on their way from the groups to the outbox. */
const INBOX_BYTES = 256 * 1024;
/** What the outbox may hold while the broker takes it: enough to keep the wire busy, short enough to stay fair. */
const CONNECTED_BYTES = 512 * 1024;
const MAX_INCOMING = 1000;
/** Longest wait for the broker's last acknowledgements at a shutdown, once everything else has been delivered, ms. */
const FAREWELL_MS = 1000;
/** Wrong credentials do not mend themselves: knocking slowly keeps the broker's log readable. */
const SLOW: Backoff = { firstMs: 15_000, maxMs: 300_000 };
const SLOW_TROUBLES = new Set(['credentials', 'client-id', 'version', 'taken-over']);

export interface UplinkOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly topics: Topics;
  readonly session: Omit<SessionOptions, 'clock' | 'will'>;
  readonly reconnect: { readonly first: number; readonly max: number };
  readonly spool: { readonly mode: 'offline' | 'off' | 'always'; readonly max_size: number; readonly when_full: Exclude<WhenFull, 'reject'> };
  /** Takes a message on one of the subscribed topics. Must not throw. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** For tests. */
  readonly open?: typeof openSession;
}

type Ending = SessionError | SessionLoss;

export class Uplink {
  readonly group: ThreadGroup;
  readonly relay: Relay;
  readonly #options: UplinkOptions;
  readonly #log: Log;
  readonly #inbox: MessageQueue<UpMessage>;
  readonly #incoming: MessageQueue<IncomingMessage>;
  readonly #outbox: Outbox;
  readonly #outgoing: Outgoing;
  readonly #states: RetainedStates;
  readonly #filters = new Set<string>();
  #session: Session | undefined;
  /** Set while the outbox holds more than it should while connected: what has gathered is let out first. */
  #isCatchingUp = false;
  #roomWanted: (() => void) | undefined;
  #lost: ((loss: SessionLoss) => void) | undefined;
  #attempt = 0;
  #lastComplaint = '';
  #awaySince: number | undefined;

  constructor(options: UplinkOptions) {
    const { registry, clock, topics, spool } = options;
    this.#options = options;
    this.#log = options.log.child({ group: UPLINK_ID });
    this.#inbox = registry.allocate({ capacity: INBOX_BYTES, whenFull: 'reject', weigh: weighUp });
    this.#incoming = registry.allocate({ capacity: MAX_INCOMING, whenFull: 'drop-newest' });
    this.#outbox = new Outbox({ maxBytes: spool.max_size });
    this.#outgoing = new Outgoing(topics);
    this.#states = new RetainedStates();
    this.relay = { offer: (message) => this.#offer(message), room: (signal) => this.#inbox.room(signal) };
    this.group = new ThreadGroup({
      id: UPLINK_ID,
      clock,
      onTransition: (transition) => registry.emit({ kind: 'transition', group: UPLINK_ID, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => registry.remove(this.group),
      counters: () => this.#counters(),
    });
    this.group.add({ label: 'manager', body: (thread) => this.#manage(thread) });
    this.group.add({ label: 'receive', inboxes: [this.#incoming], body: (thread) => this.#receive(thread) });
    this.group.add({ label: 'send', inboxes: [this.#inbox], body: (thread) => this.#send(thread) });
  }

  /** Registers and starts the group. */
  start(): boolean {
    if (!this.#options.registry.add(this.group, () => 'closed', UPLINK_RANK)) return false;
    this.group.start();
    return true;
  }

  get isOnline(): boolean {
    return this.#session !== undefined;
  }

  /** Listens for the commands of a device; `name/+` for the connections of a listener. */
  addDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    for (const filter of filters) this.#filters.add(filter);
    void this.#session?.subscribe(filters).then((result) => this.#reportRefused(result));
  }

  removeDevice(device: string): void {
    const filters = this.#options.topics.commandFilters(device);
    for (const filter of filters) this.#filters.delete(filter);
    void this.#session?.unsubscribe(filters);
  }

  /** Publishes a retained state of the gateway itself (`bridge/info`, `bridge/devices`), now and with every new connection. */
  publishState(topic: string, payload: string): void {
    if (this.#states.set(topic, payload)) this.#flushStates();
  }

  /** Messages that the broker has not acknowledged, per device. */
  leftovers(): ReadonlyMap<string, number> {
    return this.#outbox.leftovers();
  }

  #counters(): Record<string, unknown> {
    return {
      queued_bytes: this.#outbox.bytes,
      unacknowledged: this.#outbox.unacknowledged,
      dropped: this.#outbox.dropped,
      connected: this.isOnline,
    };
  }

  // ---- relay and send thread

  #offer(message: UpMessage): 'taken' | 'full' {
    if (message.kind === 'availability') {
      this.#noteAvailability(message.device, message.state);
      return 'taken';
    }
    const isBulk = message.kind === 'readings' || message.kind === 'dead-letter';
    if (this.#inbox.put(message) === 'rejected') {
      if (isBulk) return 'full';
      this.#add(message); // small and rare: past the queue rather than lost
    }
    return 'taken';
  }

  #noteAvailability(device: string, state: 'online' | 'offline' | 'gone'): void {
    const topic = this.#options.topics.availability(device);
    this.#states.set(topic, state === 'gone' ? '' : JSON.stringify({ state }));
    if (state === 'gone') this.#outgoing.forget(device);
    this.#flushStates();
  }

  async #send(thread: Thread): Promise<void> {
    while ((await this.#inbox.ready()) === 'ready') {
      thread.busy('handing messages to the broker');
      while (this.#inbox.length > 0 && thread.state !== 'aborting') {
        if (!this.#hasRoom()) {
          this.#pump();
          if (!this.#hasRoom()) await this.#room(thread);
        }
        const taken = this.#inbox.poll();
        if (taken?.ok && taken.item.kind !== 'availability') this.#add(taken.item);
      }
      this.#pump();
      thread.idle();
    }
    thread.busy('waiting for the acknowledgements of the broker');
    await this.#outbox.whenIdle(thread.abortSignal);
  }

  #add(message: Exclude<UpMessage, { kind: 'availability' }>): void {
    const { spool } = this.#options;
    if (this.#session === undefined && spool.mode === 'off' && message.kind === 'readings') return;
    const before = this.#outbox.dropped;
    this.#outbox.add(this.#outgoing.entry(message), spool.when_full);
    if (before === 0 && this.#outbox.dropped > 0) {
      this.#log.error(
        { thread: 'send', max_size: spool.max_size },
        `readings are being dropped (${spool.when_full}): the broker is away and spool.max_size is reached; they are counted in bridge/devices`,
      );
    }
  }

  /** While the broker takes what it is given, the outbox is kept short; else the spool's own bound holds. */
  #hasRoom(): boolean {
    const limit = this.#session === undefined || this.#isCatchingUp ? Number.POSITIVE_INFINITY : CONNECTED_BYTES;
    return this.#outbox.bytes < Math.min(limit, this.#session === undefined ? limit : this.#options.spool.max_size);
  }

  #room(thread: Thread): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#roomWanted = undefined;
        thread.abortSignal.removeEventListener('abort', done);
        resolve();
      };
      this.#roomWanted = done;
      thread.abortSignal.addEventListener('abort', done, { once: true });
    });
  }

  /** Everything that may make the outbox move comes through here: new messages, acknowledgements, drain, connect, loss. */
  #pump(): void {
    if (this.#session !== undefined) this.#outbox.pump(this.#session);
    if (this.#isCatchingUp && this.#outbox.bytes < CONNECTED_BYTES / 2) this.#isCatchingUp = false;
    if (this.#roomWanted !== undefined && this.#hasRoom()) this.#roomWanted();
  }

  #flushStates(): void {
    if (this.#session === undefined) return;
    for (const state of this.#states.takeChanged()) this.#outbox.add(this.#outgoing.state(state), 'drop-oldest');
    this.#pump();
  }

  // ---- receive thread

  async #receive(thread: Thread): Promise<void> {
    for (;;) {
      thread.idle();
      const taken = await this.#incoming.take();
      if (!taken.ok || thread.state === 'aborting') return;
      thread.busy(`taking ${taken.item.topic}`);
      this.#options.onMessage(taken.item);
    }
  }

  // ---- manager thread

  async #manage(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    while (!stop.aborted) {
      this.#go('connecting', 'connecting');
      thread.busy(`connecting to ${this.#options.session.url}`);
      const opened = await this.#open(stop);
      thread.idle();
      const ending = opened instanceof Error ? opened : await this.#serve(opened, stop);
      if (stop.aborted) return;
      await this.#backOff(ending, stop);
    }
  }

  async #open(stop: AbortSignal): Promise<Session | SessionError> {
    const { session, clock, topics, open = openSession } = this.#options;
    const will = { topic: topics.bridge.state, payload: Buffer.from(JSON.stringify({ state: 'offline' })), retain: true };
    try {
      return await open({ ...session, clock, will }, this.#hooks(), stop);
    } catch (error) {
      if (error instanceof SessionError) return error;
      throw error;
    }
  }

  #hooks(): SessionHooks {
    return {
      onMessage: (message) => this.#onIncoming(message),
      onAck: (packetId, reasonCode) => this.#outbox.ack(packetId, reasonCode),
      onAcksRead: () => this.#pump(),
      onDrain: () => this.#pump(),
      onLost: (loss) => this.#onLost(loss),
    };
  }

  async #serve(session: Session, stop: AbortSignal): Promise<Ending> {
    const lost = new Promise<SessionLoss>((resolve) => {
      this.#lost = resolve;
    });
    const subscribed = await session.subscribe([...this.#filters]);
    if (!session.isLost) this.#begin(session);
    this.#reportRefused(subscribed);
    const ended = await Promise.race([lost, aborted(stop).then(() => undefined)]);
    if (ended !== undefined) return ended;
    await this.#farewell(session);
    return { trouble: 'closed', detail: 'closed by us' };
  }

  #begin(session: Session): void {
    const { clock, topics } = this.#options;
    const awayMs = this.#awaySince === undefined ? undefined : Math.round(clock.now() - this.#awaySince);
    this.#attempt = 0;
    this.#lastComplaint = '';
    this.#awaySince = undefined;
    this.#outbox.connected(session.limits.receiveMaximum);
    this.#isCatchingUp = this.#outbox.bytes > CONNECTED_BYTES;
    this.#session = session;
    this.#go('online', 'connected');
    const fields = { thread: 'manager', broker: this.#options.session.url, away_ms: awayMs, waiting: this.#outbox.bytes };
    this.#log.info(fields, awayMs === undefined ? 'connected to the broker' : `connected to the broker again after ${awayMs} ms`);
    this.#states.set(topics.bridge.state, JSON.stringify({ state: 'online' }));
    this.#states.allChanged();
    this.#flushStates();
  }

  #onLost(loss: SessionLoss): void {
    this.#session = undefined;
    this.#outbox.onLoss();
    this.#pump(); // whoever waited for room finds the bound of the spool now
    this.#lost?.(loss);
  }

  /** Says goodbye: states to offline, the last acknowledgements, DISCONNECT. Bounded. */
  async #farewell(session: Session): Promise<void> {
    const { clock, topics } = this.#options;
    this.#states.set(topics.bridge.state, JSON.stringify({ state: 'offline' }));
    this.#flushStates();
    const over = new AbortController();
    await Promise.race([this.#outbox.whenIdle(over.signal), sleep(clock, FAREWELL_MS, over.signal)]);
    over.abort();
    await session.end();
  }

  async #backOff(ending: Ending, stop: AbortSignal): Promise<void> {
    const { clock, reconnect } = this.#options;
    const detail = ending instanceof Error ? ending.message : ending.detail;
    this.#awaySince ??= clock.now();
    const isSlow = SLOW_TROUBLES.has(ending.trouble);
    const backoff = isSlow ? SLOW : { firstMs: reconnect.first, maxMs: reconnect.max };
    const delayMs = backoffDelay(backoff, this.#attempt, clock.random());
    this.#attempt += 1;
    this.#go('backing-off', detail);
    const fields = { thread: 'manager', retry_in_ms: Math.round(delayMs) };
    if (detail === this.#lastComplaint) this.#log.debug(fields, detail);
    else this.#log.warn(fields, `${detail}; devices go on, readings are kept, trying again until it works`);
    this.#lastComplaint = detail;
    await sleep(clock, delayMs, stop);
  }

  #onIncoming(message: IncomingMessage): void {
    if (this.#incoming.put(message) === 'queued') return;
    this.#log.warn({ thread: 'receive', topic: message.topic }, `a command was dropped: ${MAX_INCOMING} wait already`);
  }

  #reportRefused(result: Awaited<ReturnType<Session['subscribe']>>): void {
    if (result === 'lost') return;
    for (const { filter, reason } of result) {
      this.#log.error({ thread: 'manager', filter }, `the broker refuses the subscription to ${filter} (${reason}): commands there will not arrive; check its access rules`);
    }
  }

  #onCrash(label: string, error: unknown): void {
    const { registry, clock } = this.#options;
    registry.emit({ kind: 'crash', group: UPLINK_ID, thread: label, error });
    this.#log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}; restarting it in a second; this is a bug in ferrule`);
    if (label === 'manager') this.#session?.destroy();
    clock.after(1000, () => this.group.restart(label));
  }

  #go(to: GroupState, reason: string): void {
    const { state } = this.group;
    if (state.state !== to && state.can(to)) state.go(to, reason);
  }
}

function weighUp(message: UpMessage): number {
  if (message.kind === 'readings') return 64 + message.batch.bytes.length + message.batch.bounds.length * 4;
  return message.kind === 'dead-letter' ? 64 + message.bytes.length : 64;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
