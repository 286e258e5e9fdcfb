// One device: a thread group of three (receive, send, manager), its queues, its flag. Commands enter by `deliver`,
// everything that goes up leaves through the relay that the composition root has given.
//
//   link -> receive -> [up] -> send -> relay        threads start: manager, send, receive
//   link <- send <- [down] <- deliver               and end the other way round: receive drains into send, the manager
//     ^ manager: open, watch, reopen                writes the fail-safe bytes and leaves the link last

import type { Clock } from '../core/clock.js';
import { ConnectionFlag } from '../core/connection-flag.js';
import type { Log } from '../core/log.js';
import type { RestartIntensity } from '../core/restart-policy.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import { Decoder, type DecoderSink } from '../device/decoder.js';
import type { LinkOpener } from '../device/link.js';
import { makeFramer } from '../device/make-framer.js';
import type { Command, DownMessage, Relay } from '../device/message.js';
import type { DevicePlan } from '../device/plan.js';
import { type DeviceContext, type DeviceCounters, type DeviceSettings, type DownItem, type ManagerItem, newCounters, type ReceiveItem, type UpItem } from './device-context.js';
import { ManagerThread } from './manager.js';
import { ReceiveThread } from './receive.js';
import { answer, SendThread } from './send.js';

/** Commands that may wait for one device. */
const MAX_COMMANDS = 64;

export interface CommsThreadGroupOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly relay: Relay;
  readonly plan: Pick<DevicePlan, 'driver' | 'options' | 'framing'>;
  readonly settings: DeviceSettings;
  readonly opener: LinkOpener;
  /** False for an accepted connection, which ends with its socket. Default true. */
  readonly reopens?: boolean;
  /** Place in the topic tree, where it is not the id; such a group announces no availability of its own. */
  readonly address?: string;
  readonly intensity?: RestartIntensity;
  /** Called when the manager has nothing left to do, or the group has closed. */
  readonly onEnded?: () => void;
}

/** Devices close before the uplink they feed. */
export const DEVICE_RANK = 10;

export class CommsThreadGroup {
  readonly group: ThreadGroup;
  readonly counters: DeviceCounters;
  readonly #ctx: DeviceContext;
  readonly #manager: ManagerThread;
  readonly #options: CommsThreadGroupOptions;

  constructor(options: CommsThreadGroupOptions) {
    this.#options = options;
    this.counters = newCounters();
    this.#ctx = this.#makeContext();
    this.group = new ThreadGroup({
      id: options.id,
      clock: options.clock,
      onTransition: (transition) => options.registry.emit({ kind: 'transition', group: options.id, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => options.registry.remove(this.group),
      counters: () => ({ ...this.counters }),
    });
    const receive = new ReceiveThread(this.#ctx, (sink) => this.#makeDecoder(sink));
    const send = new SendThread(this.#ctx, () => receive.decoder());
    this.#manager = this.#makeManager(receive, send);
    this.#addThreads(receive, send);
  }

  /** Registers and starts the group; false if its id is taken or the gateway is shutting down. */
  start(): boolean {
    if (!this.#options.registry.add(this.group, (message) => this.deliver(message), DEVICE_RANK)) return false;
    this.group.start();
    return true;
  }

  /** Takes a command. Refused ones are answered at once with the reason. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    if (!this.#ctx.flag.isUp) {
      this.#refuse(message, `the device is offline: ${this.group.state.state}, ${this.group.state.reason}`);
      return 'queued';
    }
    const result = this.#ctx.down.put(message);
    if (result === 'rejected') {
      this.#refuse(message, `${MAX_COMMANDS} commands wait for this device already: send slower, or wait for their responses`);
      return 'full';
    }
    if (result === 'closed') {
      this.#refuse(message, 'the gateway is shutting down');
      return 'closed';
    }
    answer(this.#ctx, message, 'accepted');
    return 'queued';
  }

  /** Closes the link and opens it again with fresh framer and driver. */
  restart(reason: string): void {
    this.#ctx.managing.put({ kind: 'restart', reason });
  }

  /** Wall-clock ms of the next attempt while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#manager.nextRetryAt;
  }

  #refuse(command: Command, why: string): void {
    answer(this.#ctx, command, 'error', why);
  }

  #makeContext(): DeviceContext {
    const { id, clock, log, relay, settings, registry } = this.#options;
    return {
      id,
      address: this.#options.address ?? id,
      clock,
      log: log.child({ group: id }),
      relay,
      settings,
      flag: new ConnectionFlag(),
      counters: this.counters,
      // The receive thread bounds the bytes itself; the slack is for the markers that must always fit between them.
      received: registry.allocate<ReceiveItem>({ capacity: Number.MAX_SAFE_INTEGER, whenFull: 'reject', weigh: weighReceived }),
      up: registry.allocate<UpItem>({ capacity: settings.queue_size, whenFull: 'reject', weigh: weighUp }),
      down: registry.allocate<DownItem>({ capacity: MAX_COMMANDS, whenFull: 'reject' }),
      managing: registry.allocate<ManagerItem>({ capacity: 64, whenFull: 'reject' }),
      lease: undefined,
      decoder: undefined,
      isSilent: false,
    };
  }

  #makeDecoder(sink: DecoderSink): Decoder {
    const { driver, options, framing } = this.#options.plan;
    const { commands } = driver;
    return new Decoder({ framer: makeFramer(framing), instance: driver.create(options), out: sink, ...(commands && { commands }) });
  }

  #makeManager(receive: ReceiveThread, send: SendThread): ManagerThread {
    const { opener, reopens = true, address, intensity, plan } = this.#options;
    const hello = plan.driver.hello?.(plan.options) ?? [];
    const polls = plan.driver.poll?.(plan.options) ?? [];
    const framer = hello.length + polls.length > 0 ? makeFramer(plan.framing) : undefined;
    const wrap = (payload: Uint8Array): Buffer => framer?.wrap(payload) ?? Buffer.from(payload);
    return new ManagerThread(this.#ctx, {
      state: this.group.state,
      opener,
      reopens,
      intake: (link, chunk) => receive.intake(link, chunk),
      sendLetsGo: (lease) => send.letGo(lease),
      restartThread: (label) => this.group.restart(label),
      announces: address === undefined,
      hello: hello.map(wrap),
      polls: polls.map((poll) => ({ ...poll, payload: wrap(poll.payload) })),
      ...(intensity && { intensity }),
    });
  }

  #addThreads(receive: ReceiveThread, send: SendThread): void {
    const { received, up, down, managing } = this.#ctx;
    this.group.add({ label: 'manager', inboxes: [managing], body: (thread) => this.#runManager(thread) });
    this.group.add({ label: 'send', inboxes: [up, down], body: (thread) => send.run(thread) });
    this.group.add({
      label: 'receive',
      inboxes: [received],
      body: (thread) => receive.run(thread),
      onFinish: () => receive.finish(),
    });
  }

  async #runManager(thread: Parameters<ManagerThread['run']>[0]): Promise<void> {
    await this.#manager.run(thread);
    this.#options.onEnded?.();
  }

  /** Receive and send are restarted by the manager; the manager itself, having crashed, is restarted here. */
  #onCrash(label: string, error: unknown): void {
    const { registry, id, clock } = this.#options;
    registry.emit({ kind: 'crash', group: id, thread: label, error });
    if (label !== 'manager') {
      this.#ctx.managing.put({ kind: 'crash', thread: label, error });
      return;
    }
    this.#ctx.log.error({ thread: label, err: error }, 'manager thread crashed: restarting it in a second; this is a bug in ferrule');
    clock.after(1000, () => this.group.restart('manager'));
  }
}

function weighReceived(item: ReceiveItem): number {
  return Buffer.isBuffer(item) ? item.length : 1;
}

/** Memory that an item holds on to: its buffer, and about 64 bytes for the objects around it. */
function weighUp(item: UpItem): number {
  return 64 + (item.kind === 'readings' ? item.batch.bytes.length + item.batch.bounds.length * 4 : item.bytes.length);
}
