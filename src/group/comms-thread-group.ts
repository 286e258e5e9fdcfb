// One device: a thread group of three (receive, send, manager), its queues, its flag. Commands enter by `deliver`,
// everything that goes up leaves through the relay that the composition root has given.
//
//   link -> receive -> [up] -> send -> relay        threads start: manager, send, receive
//   link <- send <- [down] <- deliver               and end the other way round: receive drains into send, the manager
//     ^ manager: open, watch, reopen                writes the fail-safe bytes and leaves the link last

import type { Clock, Timer } from '../core/clock.js';
import { ConnectionFlag } from '../core/connection-flag.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { RestartIntensity } from '../core/restart-policy.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import type { LinkOpener } from '../device/link.js';
import { makeFramer } from '../device/make-framer.js';
import type { Command, DownMessage, Relay } from '../device/message.js';
import type { DevicePlan } from '../device/plan.js';
import { answer } from './answer.js';
import type { DecodeHost, DecodeSink } from './decode-host.js';
import {
  type DeviceContext,
  type DeviceCounters,
  type DeviceSettings,
  type DownItem,
  type ManagerItem,
  newCounters,
  type ReceiveItem,
  type UpItem,
} from './device-context.js';
import type { Greeting } from './greeting.js';
import { decodeHostMaker } from './make-decode-host.js';
import { ManagerThread } from './manager.js';
import { ReceiveThread } from './receive.js';
import { SendThread } from './send.js';
import { TAP, TapThread } from './tap.js';

/** Commands that may wait for one device. */
const MAX_COMMANDS = 64;
/** Requests to restart that may wait for a manager that opens just now. */
const MAX_REQUESTS = 16;
const CRASHED_MANAGER_MS = 1000;

export interface CommsThreadGroupOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly relay: Relay;
  readonly plan: Pick<DevicePlan, 'driver' | 'driverName' | 'driverDirs' | 'options' | 'framing'>;
  readonly settings: DeviceSettings;
  readonly opener: LinkOpener;
  /** False for an accepted connection, which ends with its socket. Default true. */
  readonly reopens?: boolean;
  /** Place in the topic tree, where it is not the id; such a group announces no availability of its own. */
  readonly address?: string;
  readonly intensity?: RestartIntensity;
  /** Called when the manager has nothing left to do: a link that cannot be reopened is gone, or the group closes. */
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
  /** Set while a manager that has crashed waits for its restart. */
  #restarting: Timer | undefined;
  /** What was announced last. */
  #isOnline = false;

  constructor(options: CommsThreadGroupOptions) {
    this.#options = options;
    this.counters = newCounters();
    this.#ctx = this.#makeContext();
    this.group = new ThreadGroup({
      id: options.id,
      clock: options.clock,
      onTransition: (transition) => options.registry.emit({ kind: 'transition', group: options.id, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => this.#onClosed(),
      counters: () => ({ ...this.counters, nextRetryAt: this.nextRetryAt }),
    });
    const receive = new ReceiveThread(this.#ctx, this.#decodeHostMaker());
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

  /** True while the link is up. */
  get isUp(): boolean {
    return this.#ctx.flag.isUp;
  }

  /** Takes a command. Refused ones are answered at once with the reason. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    if (!this.#ctx.flag.isUp) {
      this.#refuse(message, `the device is offline: ${this.group.state.state}, ${this.group.state.reason}`);
      return 'queued';
    }
    const result = this.#ctx.down.put(message);
    if (result === 'rejected') {
      this.#refuse(
        message,
        `${MAX_COMMANDS} commands wait for this device already: send slower, or wait for their responses`,
      );
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
    const { managing } = this.#ctx;
    if (managing.length < MAX_REQUESTS) managing.put({ kind: 'restart', reason });
  }

  /** Adds the tap thread, or gives the one that runs this long from now on. False while the group closes. */
  async startTap(seconds: number): Promise<boolean> {
    if (this.#ctx.tap === undefined) await this.group.remove(TAP); // one that is just ending has the label until it is out
    this.#ctx.tap ??= this.#addTap();
    this.#ctx.tap?.extend(seconds * 1000);
    return this.#ctx.tap !== undefined;
  }

  /** Takes the tap thread out; resolves when it has said what it had. */
  stopTap(): Promise<void> {
    this.#ctx.tap = undefined;
    return this.group.remove(TAP);
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
    let child: Log | undefined;
    return {
      id,
      address: this.#options.address ?? id,
      clock,
      // Made on first use: most of thousands of connections never say anything.
      get log() {
        child ??= log.child({ group: id });
        return child;
      },
      relay,
      settings,
      flag: new ConnectionFlag(),
      counters: this.counters,
      // Bounded by who puts: the receive thread bounds the bytes itself, and the markers between them must always fit.
      received: registry.allocate<ReceiveItem>({ ...UNBOUNDED, weigh: weighReceived }),
      up: registry.allocate<UpItem>({ capacity: settings.queue_size, whenFull: 'reject', weigh: weighUp }),
      down: registry.allocate<DownItem>({ capacity: MAX_COMMANDS, whenFull: 'reject' }),
      // The same: a loss or a crash must not get lost. There are few of each per link.
      managing: registry.allocate<ManagerItem>(UNBOUNDED),
      lease: undefined,
      decoder: undefined,
      tap: undefined,
      stuckOn: undefined,
      isSilent: false,
      isPaused: false,
      heardAt: 0,
    };
  }

  #decodeHostMaker(): (sink: DecodeSink) => DecodeHost {
    const { id, clock, plan, settings } = this.#options;
    const { log, flag, received } = this.#ctx;
    return decodeHostMaker({
      id,
      clock,
      log,
      flag,
      plan,
      isolation: settings.isolation ?? 'inline',
      onCrash: (host, error) => received.put({ kind: 'crashed', host, error }),
    });
  }

  #makeManager(receive: ReceiveThread, send: SendThread): ManagerThread {
    const { opener, reopens = true, intensity, onEnded } = this.#options;
    return new ManagerThread(this.#ctx, {
      state: this.group.state,
      opener,
      reopens,
      announce: (state) => this.#announce(state),
      receive,
      send,
      restartThread: (label) => this.group.restart(label),
      greeting: () => this.#greeting(),
      onEnded,
      ...(intensity && { intensity }),
    });
  }

  #greeting(): Greeting {
    const { driver, options, framing } = this.#options.plan;
    const hello = driver.hello?.(options) ?? [];
    const polls = driver.poll?.(options) ?? [];
    if (hello.length + polls.length === 0) return { hello: [], polls: [] };
    const framer = makeFramer(framing);
    return {
      hello: hello.map((payload) => framer.wrap(payload)),
      polls: polls.map((poll) => ({ ...poll, payload: framer.wrap(poll.payload) })),
    };
  }

  /** A connection that is over is `gone`, but only once its last reading has left: see #onClosed. */
  #announce(state: 'online' | 'offline'): void {
    const { reopens = true } = this.#options;
    // A manager that was stuck may come here after the cleanup, when a successor of that id may be online.
    if (this.group.state.state === 'closed' || (state === 'offline' && !reopens)) return;
    this.#offerAvailability(state);
  }

  #offerAvailability(state: 'online' | 'offline' | 'gone'): void {
    const { address, relay, id } = this.#options;
    this.#isOnline = state === 'online';
    if (address === undefined) relay.offer({ kind: 'availability', device: id, state });
  }

  #addTap(): TapThread | undefined {
    const { id, clock, relay, registry } = this.#options;
    const tap = new TapThread({ id, clock, relay, registry, onOver: () => void this.stopTap() });
    // However it ends, also by a crash or with the group: from then on there is nothing to copy for.
    const body = (thread: Thread): Promise<void> => tap.run(thread).finally(() => void this.stopTap());
    return this.group.add({ label: TAP, inboxes: [tap.inbox], body }) && tap;
  }

  #addThreads(receive: ReceiveThread, send: SendThread): void {
    const { received, up, down, managing } = this.#ctx;
    this.group.add({ label: 'manager', inboxes: [managing], body: (thread) => this.#manager.run(thread) });
    this.group.add({ label: 'send', inboxes: [up, down], body: (thread) => send.run(thread) });
    this.group.add({
      label: 'receive',
      inboxes: [received],
      body: (thread) => receive.run(thread),
      onFinish: () => receive.finish(),
    });
  }

  /** The last word on a device: what went through it. For a connection, which comes and goes, only at level debug. */
  #tellTotals(): void {
    const { reopens = true } = this.#options;
    const { log, counters } = this.#ctx;
    const text = `closed: ${counters.readings} readings from ${counters.bytesIn} bytes`;
    if (reopens) log.info({ counters }, text);
    else log.debug({ counters }, text);
  }

  /** Receive and send are restarted by the manager; the manager itself is restarted here; a tap is gone, the device goes on. */
  #onCrash(label: string, error: unknown): void {
    const { registry, id, clock } = this.#options;
    registry.emit({ kind: 'crash', group: id, thread: label, error });
    if (label !== 'manager' && label !== TAP && !this.group.isClosing) {
      this.#ctx.managing.put({ kind: 'crash', thread: label, error });
      return;
    }
    this.counters.crashes += 1;
    this.#ctx.log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}`);
    if (label === TAP || this.group.isClosing) return;
    this.#restarting = clock.after(CRASHED_MANAGER_MS, () => this.group.restart('manager'));
  }

  #onClosed(): void {
    this.#tellTotals();
    const { registry, reopens = true } = this.#options;
    this.#restarting?.cancel();
    registry.remove(this.group);
    if (!reopens) this.#offerAvailability('gone');
    else if (this.#isOnline) this.#offerAvailability('offline');
  }
}

const UNBOUNDED = { capacity: Number.MAX_SAFE_INTEGER, whenFull: 'reject' } as const;

function weighReceived(item: ReceiveItem): number {
  return item.kind === 'chunk' ? item.bytes.length : 1;
}

/** Memory that an item holds on to: its buffer, and about 64 bytes for the objects around it. */
function weighUp(item: UpItem): number {
  return 64 + (item.kind === 'readings' ? item.batch.bytes.length + item.batch.bounds.length * 4 : item.bytes.length);
}
