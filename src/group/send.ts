// The send thread of a device: everything that leaves it, in two lanes that do not block each other.
//
//   [up]   -> relay -> uplink        waits for room up there; the queue behind it fills, and the receive thread sees that
//   [down] -> encode -> link.write   one command at a time, each with its answer on <device>/response

import { messageOf } from '../core/errors.js';
import type { Lease } from '../core/lease.js';
import type { Thread } from '../core/thread.js';
import type { Decoder } from '../device/decoder.js';
import type { Link } from '../device/link.js';
import type { Command, CommandStatus } from '../device/message.js';
import type { DeviceContext, UpItem } from './device-context.js';

const HOLDER = 'send';

export class SendThread {
  readonly #ctx: DeviceContext;
  readonly #decoder: () => Decoder;
  #holding: UpItem | undefined;
  #writingTo: Lease<Link> | undefined;

  constructor(ctx: DeviceContext, decoder: () => Decoder) {
    this.#ctx = ctx;
    this.#decoder = decoder;
  }

  /** The thread's body. Ends when both lanes are closed and worked off, or on abort. */
  async run(thread: Thread): Promise<void> {
    try {
      await Promise.all([this.#runUp(thread), this.#runDown(thread)]);
    } finally {
      this.#ctx.lease?.leave(HOLDER);
    }
  }

  /** Told by the manager that the link is lost: lets go of it, after the write at hand if there is one. */
  letGo(lease: Lease<Link>): void {
    if (this.#writingTo !== lease) lease.leave(HOLDER);
  }

  async #runUp(thread: Thread): Promise<void> {
    const { up, relay } = this.#ctx;
    while (this.#holding !== undefined || (await up.ready()) === 'ready') {
      this.#holding ??= take(up.poll());
      while (this.#holding !== undefined) {
        if (thread.state === 'aborting') return;
        if (relay.offer(this.#holding) === 'full') await relay.room(thread.abortSignal);
        else this.#holding = take(up.poll());
      }
    }
  }

  async #runDown(thread: Thread): Promise<void> {
    for (;;) {
      const taken = await this.#ctx.down.take();
      if (!taken.ok || thread.state === 'aborting') return;
      const { item } = taken;
      if (item.kind === 'command') {
        thread.busy(`writing command ${item.transaction}`);
        await this.#execute(item);
      } else {
        thread.busy(`writing ${item.why}`);
        await this.#write(item.bytes);
      }
      thread.idle();
    }
  }

  async #execute(command: Command): Promise<void> {
    const { clock, counters } = this.#ctx;
    counters.commands += 1;
    if (command.notAfter !== undefined && clock.wall() > command.notAfter) {
      this.#answer(command, 'expired', `not sent: its time was over ${Math.round(clock.wall() - command.notAfter)} ms ago`);
      return;
    }
    const payloads = this.#payloads(command);
    if (typeof payloads === 'string') {
      this.#answer(command, 'error', payloads);
      return;
    }
    for (const [index, payload] of payloads.entries()) {
      if ((await this.#write(payload)) === 'lost') {
        const part = index === 0 ? '' : `; ${index} of ${payloads.length} parts had gone out`;
        this.#answer(command, 'error', `not sent: the link was lost while the command waited${part}`);
        return;
      }
    }
    this.#answer(command, 'sent');
    // The drivers of this version do not read answers of the device: `ok` says that the bytes have left.
    this.#answer(command, 'ok', undefined, { confirmed: false });
  }

  /** What to write for a command, or the sentence why nothing is to be written. */
  #payloads(command: Command): readonly Buffer[] | string {
    if (command.verb === 'write') return [command.payload];
    const { verb, channel, payload } = command;
    try {
      const encoded = this.#decoder().encodeCommand({ verb, payload, ...(channel !== undefined && { channel }) });
      return encoded.ok ? encoded.payloads : encoded.reason;
    } catch (error) {
      // The driver has crashed, not this thread: the manager gives the device a fresh driver, the sender an answer.
      this.#ctx.managing.put({ kind: 'crash', thread: HOLDER, error });
      return `the driver crashed on this command: ${messageOf(error)}`;
    }
  }

  async #write(bytes: Buffer): Promise<'written' | 'lost'> {
    const lease: Lease<Link> | undefined = this.#ctx.lease;
    if (lease === undefined || !this.#ctx.flag.isUp) return 'lost';
    this.#writingTo = lease;
    const outcome = await lease.resource.write(bytes);
    this.#writingTo = undefined;
    if (this.#ctx.lease !== lease) lease.leave(HOLDER);
    if (outcome === 'written') this.#ctx.counters.bytesOut += bytes.length;
    return outcome;
  }

  #answer(command: Command, status: CommandStatus, error?: string, data?: unknown): void {
    answer(this.#ctx, command, status, error, data);
  }
}

/** Tells the sender of a command how it stands. */
export function answer(
  ctx: Pick<DeviceContext, 'address' | 'relay' | 'log'>,
  command: Command,
  status: CommandStatus,
  error?: string,
  data?: unknown,
): void {
  const { transaction, replyTo } = command;
  ctx.relay.offer({
    kind: 'response',
    device: ctx.address,
    status,
    transaction,
    ...(error !== undefined && { error }),
    ...(data !== undefined && { data }),
    ...(replyTo && { replyTo }),
  });
  if (error !== undefined) ctx.log.warn({ thread: HOLDER, transaction, status }, `command ${command.verb}: ${error}`);
}

function take(taken: { readonly ok: true; readonly item: UpItem } | { readonly ok: false } | undefined): UpItem | undefined {
  return taken?.ok ? taken.item : undefined;
}
