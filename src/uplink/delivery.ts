// The send thread of the uplink: what the device groups hand up goes through the outbox to the broker, or to the disk.
//
//   [inbox] ----> run --> outbox --> pump --> session      pump again on every acknowledgement and drain
//   states, answers, events ---^  |     ^  (urgent: before all readings)
//                                 v     |
//                       spill -> spool -> replay           while the broker is away, and after it has come back
//
// While the broker is there, the outbox is kept short and back-pressure reaches the devices. While it is away, readings
// gather in the outbox for `write_interval` and are then written to the spool together, which drops by its policy. With
// `mode: always` each reading is in the spool before it is sent.

import type { Clock } from '../core/clock.js';
import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import { countOf } from '../device/message.js';
import type { Spool } from '../spool/spool.js';
import { AckTimer } from './ack-timer.js';
import type { DropLog } from './drop-log.js';
import type { ReplayOrder } from './lanes.js';
import { LastWait } from './last-wait.js';
import { Outbox } from './outbox.js';
import type { OutboxEntry } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';
import { Replay } from './replay.js';
import type { RetainedStates } from './retained-states.js';
import type { Session } from './session.js';
import { Spill } from './spill.js';
import { WriteAhead } from './write-ahead.js';

/** What the outbox may hold of live readings: enough to keep the wire busy, short enough to stay fair. */
const LIVE_BYTES = 512 * 1024;
/** A backlog that takes no longer than this at the replay rate goes before live readings, whatever the replay order, s. */
const CATCH_UP_S = 2;

export interface SpoolSettings {
  /** `off` keeps no readings while the broker is away; `always` writes each before it is sent. */
  readonly mode: 'offline' | 'off' | 'always';
  /** ms that readings gather in memory before they are written. */
  readonly write_interval: number;
  /** Kept messages sent per second beside live ones. */
  readonly replay_rate: number;
  readonly replay_order: ReplayOrder;
}

export interface DeliveryOptions {
  readonly clock: Clock;
  readonly inbox: MessageQueue<OutboxEntry>;
  readonly states: RetainedStates;
  readonly outgoing: Pick<Outgoing, 'state' | 'kept' | 'live'>;
  readonly drops: Pick<DropLog, 'note' | 'noteAll'>;
  readonly settings: SpoolSettings;
  /** Absent with `mode: off`. */
  readonly spool: Spool | undefined;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  /** Samples how long the broker takes to acknowledge. */
  readonly ackTimer: AckTimer;
  readonly #outbox: Outbox;
  readonly #replay: Replay | undefined;
  readonly #spill: Spill | undefined;
  readonly #writeAhead: WriteAhead | undefined;
  #session: Session | undefined;
  #roomWanted: (() => void) | undefined;
  #notKept = 0;
  #dropsTold = 0;
  /** What is being written before it is sent. */
  #writing: readonly OutboxEntry[] = [];
  /** What was in the inbox when the thread had to end. */
  #left: readonly OutboxEntry[] = [];
  readonly #lastWait: LastWait;
  #isEnding = false;
  /** The gateway is ending, and the broker is slow: devices get rid of what they have, since the disk will take it. */
  #isHurried = false;
  /** It has been looked what the spool has from before. */
  #isSpoolKnown = false;
  /** Of this session. */
  #order: ReplayOrder = 'live-first';
  /** Monotonic ms; meaningful without a session. */
  #awaySince: number;

  constructor(options: DeliveryOptions) {
    const { settings, spool, outgoing, clock } = options;
    this.#options = options;
    this.ackTimer = new AckTimer(clock);
    this.#outbox = new Outbox();
    this.#awaySince = clock.now();
    this.#lastWait = new LastWait(clock, (signal) => this.whenIdle(signal));
    if (spool === undefined) return;
    const shared = { spool, outbox: this.#outbox, outgoing, clock };
    this.#replay = new Replay({ ...shared, rate: settings.replay_rate, onFed: () => this.pump() });
    this.#spill = new Spill({
      ...shared,
      intervalMs: settings.write_interval,
      isWanted: () => this.#session === undefined || this.#isLiveHeld,
      onProgress: () => this.pump(),
    });
    if (settings.mode !== 'always') return;
    const isOpen = (): boolean => this.#session !== undefined && !this.#isLiveHeld;
    this.#writeAhead = new WriteAhead({ ...shared, isOpen });
  }

  /** Bytes waiting in memory for the broker or for its acknowledgement. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  get unacknowledged(): number {
    return this.#outbox.unacknowledged;
  }

  /** Messages that will never arrive: too large, refused by the broker, or not kept (`spool.mode: off`). */
  get dropped(): number {
    return this.#outbox.dropped + this.#notKept;
  }

  /** Messages that neither the broker nor the disk has, per device. */
  leftovers(): ReadonlyMap<string, number> {
    const left = this.#outbox.leftovers();
    for (const { device, batch } of [...this.#left, ...this.#writing, ...(this.#spill?.writing ?? [])]) {
      left.set(device, (left.get(device) ?? 0) + countOf(batch));
    }
    return left;
  }

  /** The thread's body. Ends when everything is acknowledged or on the disk, or on abort. */
  async run(thread: Thread): Promise<void> {
    const { inbox } = this.#options;
    while ((await inbox.ready(thread.abortSignal)) === 'ready') {
      thread.idle(); // waiting for a broker that takes nothing may last, and is no sign of a stuck thread
      // What is in the inbox at the end is not much, and the disk will take it: no more waiting then.
      await this.#room(thread.finishSignal);
      if (thread.state === 'aborting') return;
      thread.busy('handing messages to the broker');
      await this.#takeIn(thread.isStopping);
      thread.idle();
    }
    await this.#finish(thread);
  }

  /** An ending gateway has until then (monotonic ms); what is not at the broker by then is left to the disk. */
  finishBy(at: number): void {
    this.#lastWait.endBy(at, () => {
      this.#isHurried = this.#options.spool !== undefined;
      this.pump();
    });
  }

  /** For the report, after the thread was told to abort: what it will not take in any more. */
  giveUp(): void {
    this.#spill?.cancel();
    this.#lastWait.calm();
    this.#replay?.stop();
    this.#left = this.#options.inbox.drain();
  }

  /** Takes on a message that does not go through the inbox. */
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
    this.#spill?.cancel();
    this.#outbox.connected(session.limits.receiveMaximum);
    this.#session = session;
    this.#options.states.allChanged();
    this.#chooseOrder();
    this.pump();
  }

  /** The spool has been opened: only now is it known how much there is to be sent. */
  spoolOpened(): void {
    this.#isSpoolKnown = true;
    if (this.#session !== undefined) this.#chooseOrder();
    this.pump();
  }

  /** The session is gone: what it has not acknowledged waits again, first in line. */
  lost(): void {
    this.#session = undefined;
    this.#awaySince = this.#options.clock.now();
    this.ackTimer.lost();
    this.#giveBack();
    this.#lastWait.brokerGone();
    this.pump();
  }

  ack(packetId: number, reasonCode: number): void {
    this.#outbox.ack(packetId, reasonCode);
    this.ackTimer.acked(packetId);
  }

  /** Everything that may make the outbox move comes through here: new messages, acknowledgements, drain, connect, loss. */
  pump(): void {
    if (this.#session !== undefined) this.#send(this.#session);
    if (this.#session === undefined || this.#isLiveHeld) this.#spillSoon();
    this.#tellDrops();
    if (this.#roomWanted !== undefined && this.#hasRoom()) this.#roomWanted();
  }

  /** A small backlog goes first, so that nothing overtakes after a short absence; a large one goes by the settings. */
  #chooseOrder(): void {
    const { settings, spool } = this.#options;
    const isSmall = (spool?.messages ?? 0) <= settings.replay_rate * CATCH_UP_S;
    this.#begin(isSmall ? 'in-order' : settings.replay_order);
  }

  #begin(order: ReplayOrder): void {
    this.#order = order;
    this.#outbox.order = order;
    if (!this.#isEnding) this.#replay?.start(order);
  }

  /** What is not acknowledged waits again, and what the spool has of it is the spool's again. */
  #giveBack(): void {
    this.#replay?.stop();
    this.#outbox.onLoss();
    this.#replay?.giveBack();
    this.#writeAhead?.giveBack();
    this.#outbox.forgetStored();
    this.#options.spool?.rewind();
  }

  #send(session: Session): void {
    this.#sayStates();
    this.#replay?.pump();
    this.#outbox.holdLive(this.#isLiveHeld);
    const { nextId } = this.#outbox;
    this.#outbox.pump(session);
    if (this.#outbox.nextId !== nextId) this.ackTimer.sent(nextId);
  }

  /** Live readings have to wait: others that came before them are on the disk, may be there, or are on their way there. */
  get #isLiveHeld(): boolean {
    if (this.#order === 'live-first' || this.#options.spool === undefined) return false;
    return !this.#isSpoolKnown || this.#spill?.writing.length !== 0 || this.#replay?.isPending === true;
  }

  /** Moves what waits in the inbox to the outbox, while there is room or `isForced`. */
  async #takeIn(isForced: boolean): Promise<void> {
    if (this.#writeAhead !== undefined) await this.#takeInWritten(this.#writeAhead);
    else for (let entry = this.#next(isForced); entry !== undefined; entry = this.#next(isForced)) this.#take(entry);
    this.pump();
  }

  /** The same, by way of the disk: all of it, since the inbox holds less than the outbox may. */
  async #takeInWritten(writeAhead: WriteAhead): Promise<void> {
    this.#writing = this.#options.inbox.drain();
    await writeAhead.take(this.#writing);
    this.#writing = [];
  }

  #next(isForced: boolean): OutboxEntry | undefined {
    const taken = isForced || this.#hasRoom() ? this.#options.inbox.poll() : undefined;
    return taken?.ok ? taken.item : undefined;
  }

  #take(entry: OutboxEntry): void {
    const isKept = entry.urgent !== undefined || this.#session !== undefined || this.#options.spool !== undefined;
    if (isKept) this.#outbox.add(entry);
    else this.#dropUnkept(entry);
  }

  #dropUnkept({ device, batch }: OutboxEntry): void {
    this.#notKept += countOf(batch);
    this.#options.drops.note(device, countOf(batch), 'the broker is away and spool.mode is off');
  }

  /** Live readings have to wait: they gather until they are worth a write. Much of them is at once, but for a brief absence. */
  #spillSoon(): void {
    const { mode, replay_order } = this.#options.settings;
    if (this.#spill === undefined || mode === 'always' || this.#isEnding) return;
    if (this.#hasRoom() || this.#isBrieflyAway) this.#spill.soon();
    else if (this.#session !== undefined && replay_order === 'live-first') this.#begin('live-first');
    else this.#spill.now();
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

  /** The broker may be back before anything has to be written; then nothing is overtaken by anything. Devices can wait so long. */
  get #isBrieflyAway(): boolean {
    const { clock, settings } = this.#options;
    return this.#session === undefined && clock.now() - this.#awaySince < settings.write_interval;
  }

  #hasRoom(): boolean {
    if (this.#isHurried) return true;
    if (this.#session === undefined && this.#options.spool === undefined) return true; // it is dropped
    return this.#outbox.liveBytes < LIVE_BYTES;
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

  /** The end: the broker gets what it takes in the time there is, the disk the rest. */
  async #finish(thread: Thread): Promise<void> {
    this.#isEnding = true;
    this.#spill?.cancel();
    this.#lastWait.calm();
    this.#replay?.stop(); // what is on the disk is safe there
    thread.busy('waiting for the acknowledgements of the broker');
    const { spool } = this.#options;
    if (spool === undefined || this.#spill === undefined) {
      await this.whenIdle(thread.abortSignal);
      return;
    }
    if (!this.#isLiveHeld) await this.#lastWait.run(this.#session !== undefined, thread.abortSignal);
    thread.busy('writing what is left to the disk');
    await this.#spill.settled();
    this.#giveBack(); // what is unacknowledged counts as not sent
    await this.#spill.rest();
    await spool.close();
  }

  #tellDrops(): void {
    if (this.#outbox.dropped === this.#dropsTold) return;
    this.#dropsTold = this.#outbox.dropped;
    this.#options.drops.noteAll(this.#outbox.takeDrops());
  }
}
