// The send thread of a device: everything that leaves it, in two lanes that do not block each other.
//
//   [up]   -> relay -> uplink        waits for room up there; the queue behind it fills, and the receive thread sees that
//   [down] -> encode -> link.write   one command at a time, each with its answer on <device>/response;
//                                    where the driver reads answers, the next one waits for the device's

import { messageOf } from '../core/errors.js';
import type { Lease } from '../core/lease.js';
import type { Taken } from '../core/queue.js';
import type { Inbox, Thread, ThreadParts, ThreadSteps } from '../core/thread.js';
import type { EncodedCommand } from '../device/decoder.js';
import type { Link } from '../device/link.js';
import { type Command, countOf } from '../device/message.js';
import { answer } from './answer.js';
import { AnswerWait, LINK_LOST } from './answer-wait.js';
import type { BoundedOutcome } from './bounded-write.js';
import type { DecodeHost } from './decode-host.js';
import type { DeviceContext, DownItem, Payload, UpItem } from './device-context.js';
import { writeToDevice } from './device-write.js';
import { timeLeft } from './time-left.js';
import { WorkerCrash } from './worker/worker-crash.js';

const HOLDER = 'send';
const LOST = 'not sent: the link was lost while the command waited';
const STUCK = 'not sent: the device keeps its link open but takes no bytes';
const UNHEARD = 'not sent: the device is being closed, nobody would hear its answer';

/** What the send thread needs of its group. */
export interface SendParts {
  /** Framer and driver: the one that the receive thread decodes with. */
  readonly receive: { decoder(): DecodeHost };
  /** Takes the commands that still waited when the link ended, to answer them or to keep them. */
  onUnsent(commands: readonly Command[]): void;
}

type Unsendable = Extract<EncodedCommand, { ok: false }>;
/** A command as bytes, and who looks for the device's answer, where the driver reads answers. */
type Sendable = Extract<EncodedCommand, { ok: true }> & { readonly host?: DecodeHost };
type LinkLease = Lease<Link> | undefined;

export class SendThread implements ThreadParts, ThreadSteps {
  readonly #ctx: DeviceContext;
  readonly #parts: SendParts;
  /** Taken from the lane and not yet from us. Outlives a crash of the thread. */
  #holding: UpItem | undefined;
  /** The thread whose lane up waits for room at the relay, and the one whose lane down is busy with an item. */
  #upWaits: Thread | undefined;
  #downWorks: Thread | undefined;
  /** What a lane has thrown. */
  #fault: { readonly error: unknown } | undefined;
  #writingTo: Lease<Link> | undefined;
  /** The link during which the driver has crashed in `encode`: told once, and the others of its commands are refused. */
  #crashedOn: Lease<Link> | undefined;
  /** The device has a command and has not answered yet. */
  #answerWait: AnswerWait | undefined;
  /** It had not answered in time: resolves when an answer would no longer be taken for that of the next command. */
  #late: Promise<void> | undefined;

  constructor(ctx: DeviceContext, parts: SendParts) {
    this.#ctx = ctx;
    this.#parts = parts;
  }

  get label(): string {
    return HOLDER;
  }

  get inboxes(): readonly Inbox[] {
    return [this.#ctx.up, this.#ctx.down];
  }

  /** The thread's work. Over when both lanes are closed and worked off, or on abort. */
  step(thread: Thread): 'idle' | 'ended' {
    if (this.#fault !== undefined) throw this.#fault.error;
    const isAborting = thread.state === 'aborting';
    if (!isAborting) this.#workUp(thread);
    if (!isAborting) this.#workDown(thread);
    if (this.#upWaits !== undefined || this.#downWorks !== undefined) return 'idle'; // each wakes the thread when it is over
    return isAborting || this.#isWorkedOff ? 'ended' : 'idle';
  }

  /** Should one lane have thrown, the other sees that the thread has ended and leaves what comes to its successor. */
  async leave(): Promise<void> {
    this.#upWaits = undefined;
    this.#downWorks = undefined;
    this.#fault = undefined;
    this.#ctx.lease?.leave(HOLDER);
  }

  /** Told by the manager that the link has ended: lets go of it, after the write at hand if there is one. */
  letGo(lease: Lease<Link>): void {
    this.#giveBackWaiting();
    this.#answerWait?.onLost();
    if (this.#writingTo !== lease) lease.leave(HOLDER);
  }

  /** The group is given up: counts the readings that have not left, `behind` being those that wait behind our own, and says so. */
  giveUp(behind: readonly UpItem[]): void {
    const { up, counters, log } = this.#ctx;
    const own = this.#holding === undefined ? [] : [this.#holding];
    this.#holding = undefined;
    const lost = [...own, ...up.drain(), ...behind].reduce((sum, item) => sum + readingsIn(item), 0);
    if (lost === 0) return;
    counters.droppedReadings += lost;
    log.warn(
      { thread: HOLDER, lost_readings: lost },
      `${lost} readings had not left when the device was given up: lost`,
    );
  }

  get #isWorkedOff(): boolean {
    const { up, down } = this.#ctx;
    return up.closed && up.length === 0 && down.closed && down.length === 0;
  }

  #workUp(thread: Thread): void {
    const { up, relay } = this.#ctx;
    while (this.#upWaits === undefined) {
      this.#holding ??= itemOf(up.poll());
      if (this.#holding === undefined) return;
      if (relay.offer(this.#holding) === 'full') this.#awaitRoom(thread);
      else this.#holding = undefined;
    }
  }

  #awaitRoom(thread: Thread): void {
    this.#upWaits = thread;
    void this.#ctx.relay.room(thread.abortSignal).then(() => {
      if (this.#upWaits !== thread) return;
      this.#upWaits = undefined;
      thread.wake();
    });
  }

  #workDown(thread: Thread): void {
    if (this.#downWorks !== undefined || this.#ctx.down.length === 0) return;
    this.#downWorks = thread;
    void this.#runDown(thread).finally(() => {
      if (this.#downWorks !== thread) return;
      this.#downWorks = undefined;
      thread.wake();
    });
  }

  /** Works off what waits in the lane down. Never rejects. */
  async #runDown(thread: Thread): Promise<void> {
    try {
      for (;;) {
        if (this.#late !== undefined) await this.#outwaitLate(thread);
        const item = this.#nextDown(thread);
        if (item === undefined) return;
        await this.#doDown(item, thread);
        thread.idle();
      }
    } catch (error) {
      if (this.#downWorks === thread) this.#fault = { error };
    }
  }

  /** What waits stays in the lane meanwhile: should the link be lost, it is given back. */
  async #outwaitLate(thread: Thread): Promise<void> {
    if (this.#ctx.down.length === 0) return;
    thread.busy('waiting for a late answer to the command before');
    thread.waiting();
    await this.#late;
    thread.idle();
  }

  /** `ended`: the other lane has crashed, and this one is all that is left of the thread. */
  #nextDown({ state }: Thread): DownItem | undefined {
    return state === 'aborting' || state === 'ended' ? undefined : itemOf(this.#ctx.down.poll());
  }

  async #doDown(item: DownItem, thread: Thread): Promise<void> {
    if (item.kind === 'payload') {
      await this.#writePayload(item, thread);
      return;
    }
    thread.busy(`writing command ${item.transaction}`);
    await this.#executeOrAnswer(item, thread);
  }

  async #writePayload(payload: Payload, thread: Thread): Promise<void> {
    payload.isWaiting = false;
    if (payload.isWanted?.() === false) return;
    thread.busy(`writing ${payload.why}`);
    const outcome = await this.#write(payload.bytes, thread);
    payload.onOutcome?.(outcome);
  }

  async #executeOrAnswer(command: Command, thread: Thread): Promise<void> {
    const { settings, whileCritical } = this.#ctx;
    try {
      if (settings.commands.critical) await whileCritical(() => this.#execute(command, thread));
      else await this.#execute(command, thread);
    } catch (error) {
      answer(this.#ctx, command, 'error', `the send thread crashed on this command: ${messageOf(error)}`);
      throw error;
    }
  }

  async #execute(command: Command, thread: Thread): Promise<void> {
    const { counters, lease } = this.#ctx;
    counters.commands += 1;
    if (this.#isExpired(command)) return;
    const encoded = await this.#encode(command);
    if (encoded.ok) await this.#perform(command, encoded, lease, thread);
    else answer(this.#ctx, command, 'error', encoded.reason);
  }

  /** Sends a command on the link for which it has been encoded, and tells what comes of it. */
  async #perform(command: Command, sendable: Sendable, lease: LinkLease, thread: Thread): Promise<void> {
    try {
      if (this.#isExpired(command)) return; // encoding may have waited for a Worker to start
      const problem = await this.#send(sendable, lease, thread);
      if (problem === undefined) await this.#conclude(command, sendable, lease, thread);
      else answer(this.#ctx, command, 'error', problem);
    } finally {
      if (this.#late === undefined) sendable.host?.cancelAnswer?.();
    }
  }

  /** True for a command whose time is over; it is answered then. */
  #isExpired(command: Command): boolean {
    const lateMs = -timeLeft(command, this.#ctx.clock);
    if (lateMs <= 0) return false;
    answer(this.#ctx, command, 'expired', `not sent: its time was over ${Math.round(lateMs)} ms ago`);
    return true;
  }

  /** The command as bytes, or why there are none. */
  async #encode(command: Command): Promise<Sendable | Unsendable> {
    if (command.verb === 'write') return { ok: true, payloads: [command.payload] };
    const { lease, managing } = this.#ctx;
    if (lease === undefined) return unsendable(LOST);
    if (this.#crashedOn === lease) return unsendable('not sent: the driver has crashed and is being restarted');
    const { verb, channel, payload } = command;
    try {
      const host = this.#parts.receive.decoder();
      const encoded = await host.encodeCommand({ verb, payload, ...(channel !== undefined && { channel }) });
      return encoded.ok && encoded.answer ? { ...encoded, host } : encoded;
    } catch (error) {
      // The driver has crashed, not this thread: the manager gives the device a fresh driver, the sender an answer.
      this.#crashedOn = lease;
      // A Worker's crash is told to the receive thread too, whatever it was busy with.
      if (!(error instanceof WorkerCrash)) managing.put({ kind: 'crash', thread: HOLDER, error });
      return unsendable(`the driver crashed on this command: ${messageOf(error)}`);
    }
  }

  /** Writes a command; answers the sentence why it could not. */
  async #send(sendable: Sendable, lease: LinkLease, thread: Thread): Promise<string | undefined> {
    const { payloads } = sendable;
    if (sendable.answer !== undefined && thread.isStopping) return UNHEARD;
    for (const [index, payload] of payloads.entries()) {
      const outcome = this.#ctx.lease === lease ? await this.#write(payload, thread) : 'lost';
      if (outcome === 'written') continue;
      const part = index === 0 ? '' : `; ${index} of ${payloads.length} parts had gone out`;
      return `${outcome === 'stuck' ? STUCK : LOST}${part}`;
    }
    return undefined;
  }

  /** The device has the command: tells so, and what comes of it. */
  async #conclude(command: Command, sendable: Sendable, lease: LinkLease, thread: Thread): Promise<void> {
    answer(this.#ctx, command, 'sent');
    if (sendable.answer === undefined) {
      answer(this.#ctx, command, 'ok', undefined, { confirmed: false }); // says only that the bytes have left
      return;
    }
    thread.busy(`waiting for the answer to command ${command.transaction}`);
    const isLost = this.#ctx.lease !== lease;
    this.#answerWait ??= new AnswerWait(this.#ctx.clock, this.#ctx.settings.commands.timeout);
    const said = isLost ? LINK_LOST : await this.#answerWait.for(sendable.answer, thread.finishSignal);
    if (said.ok) answer(this.#ctx, command, 'ok', undefined, said.data ?? { confirmed: true });
    else answer(this.#ctx, command, 'error', said.reason);
    if (said === this.#answerWait?.noAnswer) this.#awaitLate(sendable, this.#answerWait, thread);
  }

  /**
   * A device that is slow today answers when its next command has been written, which would get that answer, and so would every one
   * after it. So it is given as long again, and what it says is a reading.
   */
  #awaitLate({ host, answer: late }: Sendable, wait: AnswerWait, thread: Thread): void {
    if (host?.takeAnswerAsReading === undefined || late === undefined) return;
    host.takeAnswerAsReading();
    this.#late = wait.for(late, thread.finishSignal).then(() => {
      host.cancelAnswer?.();
      this.#late = undefined;
    });
  }

  async #write(bytes: Buffer, thread: Thread): Promise<BoundedOutcome> {
    const { lease } = this.#ctx;
    if (lease === undefined) return 'lost';
    this.#writingTo = lease;
    thread.waiting(); // a printer without paper takes its bytes when it has some again: no reason to restart the gateway
    try {
      return await writeToDevice(this.#ctx, lease, bytes, thread.finishSignal);
    } finally {
      this.#writingTo = undefined;
      if (this.#ctx.lease !== lease) lease.leave(HOLDER);
    }
  }

  #giveBackWaiting(): void {
    const commands: Command[] = [];
    for (const item of this.#ctx.down.drain()) {
      if (item.kind === 'command') commands.push(item);
      else {
        item.isWaiting = false;
        item.onOutcome?.('lost');
      }
    }
    if (commands.length > 0) this.#parts.onUnsent(commands);
  }
}

function unsendable(reason: string): Unsendable {
  return { ok: false, reason };
}

function readingsIn(item: UpItem): number {
  return item.kind === 'readings' ? countOf(item.batch) : 0;
}

function itemOf<T extends UpItem | DownItem>(taken: Taken<T> | undefined): T | undefined {
  return taken?.ok ? taken.item : undefined;
}
