// The send thread of the uplink: what the device groups hand up goes through the outbox to the broker.
//
//   [inbox] -> run -> outbox -> pump -> session        pump again on every acknowledgement and drain
//
// While the broker is there, the outbox is kept short and back-pressure reaches the devices; while it is away, readings are
// kept up to the spool's size, then the spool's full policy decides, counted per device.

import type { Log } from '../core/log.js';
import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import type { UpMessage } from '../device/message.js';
import { Outbox, type WhenFull } from './outbox.js';
import type { Outgoing, RetainedState } from './outgoing.js';
import type { Session } from './session.js';

/** What the outbox may hold while the broker takes it: enough to keep the wire busy, short enough to stay fair. */
const CONNECTED_BYTES = 512 * 1024;

/** Messages that wait for the broker; availability is a state, not a message. */
export type QueuedMessage = Exclude<UpMessage, { kind: 'availability' }>;

export interface SpoolSettings {
  /** `off` keeps no readings while the broker is away. */
  readonly mode: 'offline' | 'off' | 'always';
  /** Bytes. */
  readonly max_size: number;
  readonly when_full: Exclude<WhenFull, 'reject'>;
}

export interface DeliveryOptions {
  readonly log: Log;
  readonly inbox: MessageQueue<QueuedMessage>;
  readonly outgoing: Outgoing;
  readonly spool: SpoolSettings;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #outbox: Outbox;
  #session: Session | undefined;
  /** Set while the outbox holds more than it should while connected: what has gathered is let out first. */
  #isCatchingUp = false;
  #roomWanted: (() => void) | undefined;
  #notKept = 0;
  #hasComplained = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#outbox = new Outbox({ maxBytes: options.spool.max_size });
  }

  /** Bytes waiting for the broker or for its acknowledgement. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  get unacknowledged(): number {
    return this.#outbox.unacknowledged;
  }

  /** Messages that will never arrive: no room, too large, refused by the broker, or not kept (`spool.mode: off`). */
  get dropped(): number {
    return this.#outbox.dropped + this.#notKept;
  }

  /** Messages that the broker has not acknowledged, per device. */
  leftovers(): ReadonlyMap<string, number> {
    return this.#outbox.leftovers();
  }

  /** The thread's body. Ends when the inbox is closed and everything is acknowledged, or on abort. */
  async run(thread: Thread): Promise<void> {
    const { inbox } = this.#options;
    while ((await inbox.ready(thread.abortSignal)) === 'ready') {
      thread.busy('handing messages to the broker');
      while (inbox.length > 0 && !thread.abortSignal.aborted) {
        if (!this.#hasRoom()) await this.#room(thread);
        const taken = inbox.poll();
        if (taken?.ok) this.add(taken.item);
      }
      this.pump();
      thread.idle();
    }
    thread.busy('waiting for the acknowledgements of the broker');
    await this.whenIdle(thread.abortSignal);
  }

  /** Resolves when nothing waits and everything is acknowledged, or `signal` aborts. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    await this.#outbox.whenIdle(signal);
  }

  /** Takes on a message; without room, the spool's policy decides what is dropped. */
  add(message: QueuedMessage): void {
    const { spool, outgoing } = this.#options;
    // An event is news of the moment: kept, it would hold up a shutdown. bridge/devices tells the outcome later.
    if (this.#session === undefined && message.kind === 'event') return;
    if (this.#session === undefined && spool.mode === 'off' && message.kind === 'readings') {
      this.#notKept += message.batch.bounds.length / 2;
      return;
    }
    this.#outbox.add(outgoing.entry(message), spool.when_full);
    if (!this.#hasComplained && this.#outbox.dropped > 0) this.#complain();
  }

  addStates(states: readonly RetainedState[]): void {
    for (const state of states) this.#outbox.add(this.#options.outgoing.state(state), 'drop-oldest');
    this.pump();
  }

  /** A session is open: from now on everything goes there. */
  connected(session: Session): void {
    this.#outbox.connected(session.limits.receiveMaximum);
    this.#isCatchingUp = this.#outbox.bytes > CONNECTED_BYTES;
    this.#session = session;
  }

  /** The session is gone: what it has not acknowledged waits again, first in line. */
  lost(): void {
    this.#session = undefined;
    this.#outbox.onLoss();
    this.pump(); // whoever waited for room finds the bound of the spool now
  }

  ack(packetId: number, reasonCode: number): void {
    this.#outbox.ack(packetId, reasonCode);
  }

  /** Everything that may make the outbox move comes through here: new messages, acknowledgements, drain, connect, loss. */
  pump(): void {
    if (this.#session !== undefined) this.#outbox.pump(this.#session);
    if (this.#isCatchingUp && this.#outbox.bytes < CONNECTED_BYTES / 2) this.#isCatchingUp = false;
    if (this.#roomWanted !== undefined && this.#hasRoom()) this.#roomWanted();
  }

  /** Without a broker there is always room: then the outbox itself drops by its policy. */
  #hasRoom(): boolean {
    if (this.#session === undefined) return true;
    const { max_size } = this.#options.spool;
    return this.#outbox.bytes < (this.#isCatchingUp ? max_size : Math.min(CONNECTED_BYTES, max_size));
  }

  #room(thread: Thread): Promise<void> {
    this.pump();
    if (this.#hasRoom() || thread.abortSignal.aborted) return Promise.resolve();
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

  #complain(): void {
    const { log, spool } = this.#options;
    this.#hasComplained = true;
    const why = this.#session === undefined ? 'the broker is away and spool.max_size is reached' : 'see bridge/devices';
    log.error(
      { thread: 'send', max_size: spool.max_size, when_full: spool.when_full },
      `messages are being dropped: ${why}; they are counted`,
    );
  }
}
