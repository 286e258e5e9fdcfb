// The send thread of the uplink: what the device groups hand up goes through the outbox to the broker.
//
//   [inbox] ----> run --> outbox --> pump --> session      pump again on every acknowledgement and drain
//   states, answers, events ---^  (before all readings)
//
// While the broker is there, the outbox is kept short and back-pressure reaches the devices; while it is away, readings are
// kept up to the spool's size, then the spool's full policy decides, counted per device. After it has come back, what has
// gathered may stay that large until it has been let out, so that devices are not held up by the backlog.

import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import { countOf } from '../device/message.js';
import type { DropCounts } from './drop-counter.js';
import type { DropLog } from './drop-log.js';
import { Outbox, type WhenFull } from './outbox.js';
import type { OutboxEntry } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';
import type { RetainedStates } from './retained-states.js';
import type { Session } from './session.js';

/** What the outbox may hold while the broker takes it: enough to keep the wire busy, short enough to stay fair. */
const CONNECTED_BYTES = 512 * 1024;

export interface SpoolSettings {
  /** `off` keeps no readings while the broker is away. */
  readonly mode: 'offline' | 'off' | 'always';
  /** Bytes. */
  readonly max_size: number;
  readonly when_full: Exclude<WhenFull, 'reject'>;
}

export interface DeliveryOptions {
  readonly inbox: MessageQueue<OutboxEntry>;
  readonly states: RetainedStates;
  readonly outgoing: Pick<Outgoing, 'state'>;
  readonly drops: Pick<DropLog, 'note'>;
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
  #dropsTold = 0;
  /** What was in the inbox when the thread had to end. */
  #left: readonly OutboxEntry[] = [];

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
    const left = this.#outbox.leftovers();
    for (const { device, batch } of this.#left) left.set(device, (left.get(device) ?? 0) + countOf(batch));
    return left;
  }

  /** The thread's body. Ends when the inbox is closed and everything is acknowledged, or on abort. */
  async run(thread: Thread): Promise<void> {
    const { inbox } = this.#options;
    while ((await inbox.ready(thread.abortSignal)) === 'ready') {
      thread.busy('waiting for the broker to take what is queued');
      await this.#room(thread.abortSignal);
      if (thread.abortSignal.aborted) return;
      thread.busy('handing messages to the broker');
      this.#takeIn();
      thread.idle();
    }
    thread.busy('waiting for the acknowledgements of the broker');
    await this.whenIdle(thread.abortSignal);
  }

  /** For the report, after the thread was told to abort: what it will not take in any more. */
  giveUp(): void {
    this.#left = this.#options.inbox.drain();
  }

  /** Takes on a message; without room, the spool's policy decides what is dropped. */
  add(entry: OutboxEntry): void {
    this.#take(entry);
    this.pump();
  }

  /** Resolves when nothing waits and everything is acknowledged, or `signal` aborts. */
  async whenIdle(signal: AbortSignal): Promise<'idle' | 'aborted'> {
    for (;;) {
      this.pump();
      if ((await this.#outbox.whenIdle(signal)) === 'aborted') return 'aborted';
      if (this.#session === undefined || !this.#options.states.hasChanged) return 'idle';
    }
  }

  /** A session is open: from now on everything goes there, beginning with the state of everything. */
  connected(session: Session): void {
    this.#outbox.connected(session.limits.receiveMaximum);
    // Back-pressure bounds it now, to one entry more than `#hasRoom` permits: nothing is dropped for want of room.
    this.#outbox.limitTo(Number.POSITIVE_INFINITY);
    this.#isCatchingUp = this.#outbox.bytes > CONNECTED_BYTES;
    this.#session = session;
    this.#options.states.allChanged();
    this.pump();
  }

  /** The session is gone: what it has not acknowledged waits again, first in line. */
  lost(): void {
    this.#session = undefined;
    this.#outbox.limitTo(this.#options.spool.max_size);
    this.#outbox.onLoss();
    this.pump(); // whoever waited for room finds the bound of the spool now
  }

  ack(packetId: number, reasonCode: number): void {
    this.#outbox.ack(packetId, reasonCode);
  }

  /** Everything that may make the outbox move comes through here: new messages, acknowledgements, drain, connect, loss. */
  pump(): void {
    if (this.#session !== undefined) {
      this.#sayStates();
      this.#outbox.pump(this.#session);
    }
    this.#tellDrops();
    if (this.#isCatchingUp && this.#outbox.bytes < CONNECTED_BYTES / 2) this.#isCatchingUp = false;
    if (this.#roomWanted !== undefined && this.#hasRoom()) this.#roomWanted();
  }

  /** Moves what waits in the inbox to the outbox, while there is room. */
  #takeIn(): void {
    while (this.#hasRoom()) {
      const taken = this.#options.inbox.poll();
      if (!taken?.ok) break;
      this.#take(taken.item);
    }
    this.pump();
  }

  #take(entry: OutboxEntry): void {
    const { mode, when_full } = this.#options.spool;
    if (this.#session === undefined && mode === 'off' && entry.urgent === undefined) this.#dropUnkept(entry);
    else this.#outbox.add(entry, when_full);
  }

  #dropUnkept({ device, batch }: OutboxEntry): void {
    this.#notKept += countOf(batch);
    this.#options.drops.note(device, countOf(batch), 'the broker is away and spool.mode is off');
  }

  /** As many of the states as the urgent lane takes; the others stay where they are, and may change meanwhile. */
  #sayStates(): void {
    const { states, outgoing } = this.#options;
    for (let state = states.next(); state !== undefined; state = states.next()) {
      const said = state;
      const entry = outgoing.state(said, () => states.arrived(said));
      if (this.#outbox.add(entry, 'reject') === 'full') return;
      states.said(said.topic);
    }
  }

  /** Without a broker there is always room: then the outbox itself drops by its policy. */
  #hasRoom(): boolean {
    if (this.#session === undefined) return true;
    const { max_size } = this.#options.spool;
    return this.#outbox.bytes < (this.#isCatchingUp ? Math.max(max_size, CONNECTED_BYTES) : CONNECTED_BYTES);
  }

  #room(signal: AbortSignal): Promise<void> {
    this.pump();
    if (this.#hasRoom() || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#roomWanted = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#roomWanted = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #tellDrops(): void {
    if (this.#outbox.dropped === this.#dropsTold) return;
    this.#dropsTold = this.#outbox.dropped;
    for (const [device, counts] of this.#outbox.takeDrops()) {
      for (const [reason, cause] of Object.entries(this.#causes())) {
        const messages = counts[reason as keyof DropCounts]; // `causes` has the same keys
        if (messages > 0) this.#options.drops.note(device, messages, cause);
      }
    }
  }

  #causes(): Record<keyof DropCounts, string> {
    const { max_size, when_full } = this.#options.spool;
    return {
      full:
        this.#session === undefined
          ? `the broker is away and spool.max_size (${max_size} bytes) is reached, ${when_full}`
          : 'too many answers to commands wait for the broker',
      'too-large': 'larger than the broker takes (its Maximum Packet Size)',
      refused: 'the broker refuses them; look in its log, check its access rules',
    };
  }
}
