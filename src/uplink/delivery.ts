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
import { endOfTurn, TurnEnd } from '../core/turn-end.js';
import { countOf } from '../device/message.js';
import type { Spool } from '../spool/spool.js';
import { AckRest, NAP_MS } from './ack-rest.js';
import { AckTimer } from './ack-timer.js';
import type { DropLog } from './drop-log.js';
import { Intake } from './intake.js';
import { IntakeRoom } from './intake-room.js';
import { LastWait } from './last-wait.js';
import { NarrowWindow } from './narrow-window.js';
import { Outbox } from './outbox.js';
import type { OutboxEntry } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';
import { Replay } from './replay.js';
import type { RetainedStates } from './retained-states.js';
import { SendOrder } from './send-order.js';
import type { Session } from './session.js';
import { Spill } from './spill.js';
import type { SpoolSettings } from './spool-settings.js';
import { WriteAhead } from './write-ahead.js';

/** Less than this waits for the end of the turn: a write costs as much as 50 lines, and serial lines come in one at a time. */
const SMALL_BYTES = 32 * 1024;
/** The broker may be back within this, before anything has to be written; then nothing is overtaken. Devices can wait so long. */
const BRIEF_MS = 1000;

export interface DeliveryOptions {
  readonly clock: Clock;
  readonly inbox: MessageQueue<OutboxEntry>;
  readonly states: RetainedStates;
  readonly outgoing: Pick<Outgoing, 'state' | 'kept' | 'live'>;
  readonly drops: Pick<DropLog, 'note' | 'noteAll'>;
  readonly settings: SpoolSettings;
  /** Absent with `mode: off`. */
  readonly spool: Spool | undefined;
  /** Devices wait for a broker that takes only so many messages at a time; told once. */
  readonly onNarrow: (receiveMaximum: number) => void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  /** Samples how long the broker takes to acknowledge. */
  readonly ackTimer: AckTimer;
  readonly #ackRest: AckRest;
  readonly #outbox: Outbox;
  readonly #replay: Replay | undefined;
  readonly #spill: Spill | undefined;
  /** Without a spool there is nothing to choose from. */
  readonly #order: SendOrder | undefined;
  readonly #writeAhead: WriteAhead | undefined;
  readonly #intake: Intake;
  #session: Session | undefined;
  readonly #room: IntakeRoom;
  #resent = 0;
  #dropsTold = 0;
  readonly #lastWait: LastWait;
  readonly #narrow: NarrowWindow;
  readonly #turnEnd = new TurnEnd(() => this.pump());
  #isEnding = false;
  /** Monotonic ms; meaningful without a session. */
  #awaySince: number;

  constructor(options: DeliveryOptions) {
    const { settings, spool, outgoing, clock, inbox, drops } = options;
    this.#options = options;
    this.ackTimer = new AckTimer(clock);
    this.#outbox = new Outbox();
    this.#awaySince = clock.now();
    this.#lastWait = new LastWait(clock, spool !== undefined, (signal) => this.whenIdle(signal));
    this.#ackRest = new AckRest(clock);
    this.#narrow = new NarrowWindow(clock, options.onNarrow);
    this.#room = new IntakeRoom({
      clock,
      outbox: this.#outbox,
      spool,
      isWrittenFirst: settings.mode === 'always',
      isOnline: () => this.#session !== undefined,
    });
    if (spool !== undefined) {
      const shared = { spool, outbox: this.#outbox, outgoing, clock };
      this.#replay = new Replay({ ...shared, rate: settings.replay_rate, onFed: () => this.pump() });
      this.#spill = new Spill({
        ...shared,
        intervalMs: settings.write_interval,
        isWanted: () => this.#session === undefined || this.#order?.isSpillWanted === true,
        onProgress: () => this.pump(),
      });
      const sources = { replay: this.#replay, spill: this.#spill };
      this.#order = new SendOrder({ ...shared, ...sources, settings, onFreed: () => this.pump() });
      const isOpen = (): boolean => this.#session !== undefined && !this.#isLiveHeld;
      if (settings.mode === 'always') this.#writeAhead = new WriteAhead({ ...shared, isOpen });
    }
    this.#intake = new Intake({
      inbox,
      outbox: this.#outbox,
      writeAhead: this.#writeAhead,
      drops,
      room: this.#room,
      isKept: () => this.#session !== undefined || spool !== undefined,
    });
  }

  /** Bytes waiting in memory for the broker or for its acknowledgement. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  get unacknowledged(): number {
    return this.#outbox.unacknowledged;
  }

  /** Messages that were unacknowledged at the loss of a session: each may arrive twice. */
  get resent(): number {
    return this.#resent;
  }

  /** Messages that will never arrive: too large, refused by the broker, or not kept (`spool.mode: off`). */
  get dropped(): number {
    return this.#outbox.dropped + this.#intake.notKept;
  }

  /** Messages that neither the broker nor the disk has, per device. */
  leftovers(): ReadonlyMap<string, number> {
    const left = this.#outbox.leftovers();
    for (const { device, batch } of [...this.#intake.held, ...(this.#spill?.writing ?? [])]) {
      left.set(device, (left.get(device) ?? 0) + countOf(batch));
    }
    return left;
  }

  /** The thread's body. Ends when everything is acknowledged or on the disk, or on abort. */
  async run(thread: Thread): Promise<void> {
    const { inbox } = this.#options;
    // Without its signal, which costs more than the rest of the wait: a thread that is aborted has its inbox closed.
    while ((await inbox.ready()) === 'ready' && !thread.abortSignal.aborted) {
      // What other devices hand up in this turn of the event loop goes with it, in one write.
      if (inbox.weight < SMALL_BYTES) await endOfTurn();
      thread.idle(); // waiting for a broker that takes nothing may last, and is no sign of a stuck thread
      // What is in the inbox at the end is not much, and the disk will take it: no more waiting then.
      if (!this.#room.isThere) await this.#waitForRoom(thread.finishSignal);
      if (thread.state === 'aborting') return;
      thread.busy('handing messages to the broker');
      const written = this.#intake.takeIn(thread.isStopping);
      if (written !== undefined) await written;
      this.pump();
      thread.idle();
    }
    await this.#finish(thread);
  }

  /** An ending gateway has until then (monotonic ms); what is not at the broker by then is left to the disk. */
  finishBy(at: number): void {
    this.#lastWait.endBy(at, () => {
      this.#room.hurry();
      this.pump();
    });
  }

  /** For the report, after the thread was told to abort: what it will not take in any more. */
  giveUp(): void {
    this.#spill?.cancel();
    this.#lastWait.calm();
    this.#order?.end();
    this.#intake.giveUp();
  }

  /** Takes on a message that does not go through the inbox; sent when this turn is over. */
  add(entry: OutboxEntry): void {
    this.#intake.take(entry);
    if (this.#outbox.bytes >= SMALL_BYTES) this.pump();
    else this.#turnEnd.soon();
  }

  /** There are states to be said: when this turn is over, those of thousands of connections that end at once in a few writes. */
  statesChanged(): void {
    this.#turnEnd.soon();
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
    this.#narrow.opened(session.limits.receiveMaximum);
    this.#session = session;
    this.#options.states.allChanged();
    this.#order?.begin();
    this.pump();
  }

  /** The spool has been opened: only now is it known how much there is to be sent. */
  spoolOpened(): void {
    this.#order?.spoolOpened();
    if (this.#session !== undefined) this.#order?.begin();
    this.pump();
  }

  /** The session is gone: what it has not acknowledged waits again, first in line. Answers how many messages that are. */
  lost(): number {
    const { unacknowledged } = this.#outbox;
    this.#resent += unacknowledged;
    this.#session = undefined;
    this.#awaySince = this.#options.clock.now();
    this.ackTimer.lost();
    this.#giveBack();
    this.#lastWait.brokerGone();
    this.pump();
    return unacknowledged;
  }

  ack(packetId: number, reasonCode: number): void {
    this.#outbox.ack(packetId, reasonCode);
    this.ackTimer.acked(packetId);
    this.#ackRest.acked();
  }

  /** All acknowledgements that came together have been reported. */
  acksRead(): void {
    const owed = this.#outbox.unacknowledged;
    this.pump();
    const next = this.#ackRest.next(owed, this.#outbox.fullWindow);
    if (next === 'rest') this.#session?.rest();
    if (next === 'nap') this.#options.clock.block(NAP_MS);
  }

  /** Everything that may make the outbox move comes through here: new messages, acknowledgements, drain, connect, loss. */
  pump(): void {
    if (this.#session !== undefined) this.#send(this.#session);
    if (this.#session === undefined || this.#isLiveHeld) this.#spillSoon();
    this.#tellDrops();
    this.#room.look();
  }

  /** What is not acknowledged waits again, and what the spool has of it is the spool's again. */
  #giveBack(): void {
    this.#order?.lost();
    this.#outbox.onLoss({ keepsNews: this.#session !== undefined });
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

  get #isLiveHeld(): boolean {
    return this.#order?.isLiveHeld === true;
  }

  /** Live readings have to wait: they gather until they are worth a write. Much of them is at once, but for a brief absence. */
  #spillSoon(): void {
    if (this.#spill === undefined || this.#writeAhead !== undefined || this.#isEnding) return;
    if (this.#room.isThere) this.#spill.soon();
    else if (this.#briefMsLeft > 0) this.#spill.soon(this.#briefMsLeft);
    else if (this.#session === undefined || !this.#order?.preferLive()) this.#spill.now();
  }

  /** As many of the states as the urgent lane takes. */
  #sayStates(): void {
    const { states, outgoing } = this.#options;
    states.say((state) => {
      const entry = outgoing.state(state, () => states.arrived(state));
      return this.#outbox.add(entry, 'reject') !== 'full';
    });
  }

  /** Of the absence of the broker, while it is brief. */
  get #briefMsLeft(): number {
    const { clock, settings } = this.#options;
    if (this.#session !== undefined) return 0;
    return this.#awaySince + Math.min(BRIEF_MS, settings.write_interval) - clock.now();
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    this.pump();
    if (this.#room.isThere || signal.aborted) return;
    if (this.#session !== undefined) this.#narrow.waits(this.#outbox.unacknowledged);
    await this.#room.wait(signal);
  }

  /** The end: the broker gets what it takes in the time there is, the disk the rest. */
  async #finish(thread: Thread): Promise<void> {
    this.#isEnding = true;
    this.#spill?.cancel();
    this.#lastWait.calm();
    this.#order?.end();
    thread.busy('waiting for the acknowledgements of the broker');
    if (!this.#isLiveHeld) await this.#lastWait.run(this.#session !== undefined, thread.abortSignal);
    const { spool } = this.#options;
    if (spool === undefined || this.#spill === undefined) return;
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
