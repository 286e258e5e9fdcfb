// The send thread of a device: everything that leaves it, in two lanes that do not block each other.
//
//   [up]   -> relay -> uplink        waits for room up there; the queue behind it fills, and the receive thread sees that
//   [down] -> encode -> link.write   one command at a time, each with its answer on <device>/response

import { messageOf } from '../core/errors.js';
import type { Lease } from '../core/lease.js';
import type { Taken } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import type { Link } from '../device/link.js';
import type { Command } from '../device/message.js';
import { answer } from './answer.js';
import { type BoundedOutcome, writeBounded } from './bounded-write.js';
import type { DecodeHost } from './decode-host.js';
import type { DeviceContext, DownItem, UpItem } from './device-context.js';
import { WorkerCrash } from './worker-crash.js';

const HOLDER = 'send';
const LOST = 'not sent: the link was lost while the command waited';
const STUCK = 'not sent: the device keeps its link open but takes no bytes';

export class SendThread {
  readonly #ctx: DeviceContext;
  readonly #decoder: () => DecodeHost;
  /** Taken from the lane and not yet from us. Outlives a crash of the thread. */
  #holding: UpItem | undefined;
  #writingTo: Lease<Link> | undefined;
  /** The link during which the driver has crashed in `encode`: told once, and the others of its commands are refused. */
  #crashedOn: Lease<Link> | undefined;

  constructor(ctx: DeviceContext, decoder: () => DecodeHost) {
    this.#ctx = ctx;
    this.#decoder = decoder;
  }

  /** The thread's body. Ends when both lanes are closed and worked off, or on abort. */
  async run(thread: Thread): Promise<void> {
    try {
      // Should one lane throw, the other sees that the thread has ended and leaves what comes to its successor.
      await Promise.all([this.#runUp(thread), this.#runDown(thread)]);
    } finally {
      this.#ctx.lease?.leave(HOLDER);
    }
  }

  /** Told by the manager that the link has ended: lets go of it, after the write at hand if there is one. */
  letGo(lease: Lease<Link>): void {
    this.#refuseWaiting();
    if (this.#writingTo !== lease) lease.leave(HOLDER);
  }

  async #runUp(thread: Thread): Promise<void> {
    const { up, relay } = this.#ctx;
    while (this.#holding !== undefined || (await up.ready()) === 'ready') {
      if (mustReturn(thread)) return;
      this.#holding ??= itemOf(up.poll());
      if (this.#holding === undefined) continue;
      if (relay.offer(this.#holding) === 'full') await relay.room(thread.abortSignal);
      else this.#holding = undefined;
    }
  }

  async #runDown(thread: Thread): Promise<void> {
    const { down } = this.#ctx;
    // Not `take`: a lane whose thread has crashed would still be first in line for the next item.
    while ((await down.ready()) === 'ready') {
      if (mustReturn(thread)) return;
      const item = itemOf(down.poll());
      if (item?.kind === 'command') {
        thread.busy(`writing command ${item.transaction}`);
        await this.#executeOrAnswer(item, thread);
      } else if (item !== undefined) {
        item.isWaiting = false;
        thread.busy(`writing ${item.why}`);
        await this.#write(item.bytes, thread);
      }
      thread.idle();
    }
  }

  async #executeOrAnswer(command: Command, thread: Thread): Promise<void> {
    try {
      await this.#execute(command, thread);
    } catch (error) {
      answer(this.#ctx, command, 'error', `the send thread crashed on this command: ${messageOf(error)}`);
      throw error;
    }
  }

  async #execute(command: Command, thread: Thread): Promise<void> {
    const { clock, counters } = this.#ctx;
    counters.commands += 1;
    if (command.notAfter !== undefined && clock.wall() > command.notAfter) {
      const lateMs = Math.round(clock.wall() - command.notAfter);
      answer(this.#ctx, command, 'expired', `not sent: its time was over ${lateMs} ms ago`);
      return;
    }
    const payloads = await this.#payloads(command);
    if (typeof payloads === 'string') {
      answer(this.#ctx, command, 'error', payloads);
      return;
    }
    for (const [index, payload] of payloads.entries()) {
      const outcome = await this.#write(payload, thread);
      if (outcome === 'written') continue;
      const part = index === 0 ? '' : `; ${index} of ${payloads.length} parts had gone out`;
      answer(this.#ctx, command, 'error', `${outcome === 'stuck' ? STUCK : LOST}${part}`);
      return;
    }
    answer(this.#ctx, command, 'sent');
    // The drivers of this version do not read answers of the device: `ok` says that the bytes have left.
    answer(this.#ctx, command, 'ok', undefined, { confirmed: false });
  }

  /** What to write for a command, or the sentence why nothing is to be written. */
  async #payloads(command: Command): Promise<readonly Buffer[] | string> {
    if (command.verb === 'write') return [command.payload];
    const { lease, managing } = this.#ctx;
    if (lease === undefined) return LOST;
    if (this.#crashedOn === lease) return 'not sent: the driver has crashed and is being restarted';
    const { verb, channel, payload } = command;
    try {
      const asked = { verb, payload, ...(channel !== undefined && { channel }) };
      const encoded = await this.#decoder().encodeCommand(asked);
      return encoded.ok ? encoded.payloads : encoded.reason;
    } catch (error) {
      // The driver has crashed, not this thread: the manager gives the device a fresh driver, the sender an answer.
      this.#crashedOn = lease;
      // A Worker's crash is told to the receive thread too, whatever it was busy with.
      if (!(error instanceof WorkerCrash)) managing.put({ kind: 'crash', thread: HOLDER, error });
      return `the driver crashed on this command: ${messageOf(error)}`;
    }
  }

  async #write(bytes: Buffer, thread: Thread): Promise<BoundedOutcome> {
    const { lease, flag, counters, clock } = this.#ctx;
    if (lease === undefined || !flag.isUp) return 'lost';
    if (this.#ctx.stuckOn === lease) return 'stuck';
    this.#writingTo = lease;
    try {
      const outcome = await writeBounded(lease.resource, bytes, clock, thread.finishSignal);
      if (outcome === 'stuck') this.#complain(lease, bytes);
      if (outcome === 'written') {
        counters.bytesOut += bytes.length;
        this.#ctx.tap?.take('out', bytes, clock.wall());
      }
      return outcome;
    } finally {
      this.#writingTo = undefined;
      if (this.#ctx.lease !== lease) lease.leave(HOLDER);
    }
  }

  /** The device keeps its link and takes nothing: what waits is answered, and the link is opened anew. */
  #complain(lease: Lease<Link>, bytes: Buffer): void {
    const { log, managing } = this.#ctx;
    this.#ctx.stuckOn = lease;
    const reason = 'the device takes no bytes';
    log.warn(
      { thread: HOLDER, bytes: bytes.length },
      `${reason} although its link is open: closing it and opening it again`,
    );
    managing.put({ kind: 'restart', reason });
  }

  /** What waits was meant for this link; a command must not reach a device that has come back much later. */
  #refuseWaiting(): void {
    for (const item of this.#ctx.down.drain()) {
      if (item.kind === 'command') answer(this.#ctx, item, 'error', LOST);
      else item.isWaiting = false;
    }
  }
}

/** `ended`: the other lane has crashed, and this one is all that is left of the thread. */
function mustReturn(thread: Thread): boolean {
  return thread.state === 'aborting' || thread.state === 'ended';
}

function itemOf<T extends UpItem | DownItem>(taken: Taken<T> | undefined): T | undefined {
  return taken?.ok ? taken.item : undefined;
}
