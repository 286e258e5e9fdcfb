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
import { ThreadGroup } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import type { LinkOpener } from '../device/link.js';
import { makeFramer } from '../device/make-framer.js';
import type { DownMessage, Relay, TapMode } from '../device/message.js';
import type { DevicePlan } from '../device/plan.js';
import { CommandIntake, LANE_RESERVE, MAX_COMMANDS } from './command-intake.js';
import type { DecodeHost, DecodeSink } from './decode-host.js';
import {
  type DeviceContext,
  type DeviceCounters,
  type DeviceSettings,
  type DownItem,
  type ManagerItem,
  newCounters,
  type ReceiveItem,
  type Tap,
  type UpItem,
  type WhileCritical,
  weighReceived,
  weighUp,
} from './device-context.js';
import type { Greeting } from './greeting.js';
import { decodeHostMaker } from './make-decode-host.js';
import { ManagerThread } from './manager.js';
import { ReceiveThread } from './receive.js';
import { SendThread } from './send.js';
import type { SessionEvents } from './session/worker-session.js';
import { writesInTurn } from './session/writes-in-turn.js';
import { isTap, Taps } from './taps.js';
import type { UplinkAbsence } from './uplink-absence.js';
import { UplinkGuard } from './uplink-guard.js';

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
  /** Of the broker; needed for `on_uplink_lost`. */
  readonly absence?: UplinkAbsence;
  /** For `commands.critical`; default: just runs the work. */
  readonly whileCritical?: WhileCritical;
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
  readonly #taps: Taps;
  readonly #intake: CommandIntake;
  readonly #guard: UplinkGuard | undefined;
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
      onTransition: (transition) => {
        if (transition.to === 'closing') this.#onClosing();
        this.#taps.moved(transition);
        options.registry.emit({ kind: 'transition', group: options.id, transition });
      },
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => this.#onClosed(),
      counters: () => ({ ...this.counters, nextRetryAt: this.nextRetryAt }),
    });
    const { id, clock, relay, registry } = options;
    const onChange = (tap: Tap | undefined): void => {
      this.#ctx.tap = tap;
    };
    this.#taps = new Taps({ id, clock, relay, registry, group: this.group, onChange });
    const receive = new ReceiveThread(this.#ctx, this.#decodeHostMaker(), this.#hasSession);
    this.#intake = this.#makeIntake();
    this.#guard = this.#makeGuard();
    const send = new SendThread(this.#ctx, {
      decoder: () => receive.decoder(),
      onUnsent: (commands) => this.#intake.takeBack(commands),
    });
    this.#manager = this.#makeManager(receive, send);
    this.#addThreads(receive, send);
  }

  /** Registers and starts the group; false if its id is taken or the gateway is shutting down. */
  start(): boolean {
    if (!this.#options.registry.add(this.group, (message) => this.deliver(message), DEVICE_RANK)) return false;
    this.#guard?.start();
    this.group.start();
    return true;
  }

  /** What the driver of a session knows of the device behind the wire; undefined without one. */
  get details(): Readonly<Record<string, unknown>> | undefined {
    const { details } = this.#ctx;
    return details === undefined ? undefined : JSON.parse(details);
  }

  /** True while the link is up. */
  get isUp(): boolean {
    return this.#ctx.flag.isUp;
  }

  /** Takes a command. Refused ones are answered at once with the reason. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    return this.#intake.deliver(message);
  }

  /** Closes the link and opens it again with fresh framer and driver. */
  restart(reason: string): void {
    const { managing } = this.#ctx;
    if (managing.length < MAX_REQUESTS) managing.put({ kind: 'restart', reason });
  }

  /** Adds a tap thread, or gives the one that runs this long from now on. False while the group closes. */
  startTap(seconds: number, mode: TapMode = 'lines'): Promise<boolean> {
    return this.#taps.start(mode, seconds);
  }

  /** Takes a tap thread out; resolves when it has said what it had. */
  stopTap(mode: TapMode = 'lines'): Promise<void> {
    return this.#taps.stop(mode);
  }

  /** Wall-clock ms of the next attempt while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#manager.nextRetryAt;
  }

  #makeIntake(): CommandIntake {
    const { reopens: mayHold = true } = this.#options;
    const state = (): string => `${this.group.state.state}, ${this.group.state.reason}`;
    return new CommandIntake(this.#ctx, { state, mayHold });
  }

  #makeGuard(): UplinkGuard | undefined {
    const { absence, settings } = this.#options;
    if (absence === undefined || settings.on_uplink_lost === undefined) return undefined;
    const { after, write } = settings.on_uplink_lost;
    return new UplinkGuard(this.#ctx, { absence, afterMs: after, bytes: write });
  }

  /** The link is up and the driver's hello is on its way; behind it, what has waited for that. */
  #onGreeted(): void {
    this.#intake.release();
    this.#guard?.onLinkUp();
  }

  #onClosing(): void {
    this.#intake.close();
    this.#guard?.stop();
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
      whileCritical: this.#options.whileCritical ?? ((work) => work()),
      tellChange: () => registry.emit({ kind: 'changed', group: id }),
      flag: new ConnectionFlag(),
      counters: this.counters,
      // Bounded by who puts: the receive thread bounds the bytes itself, and the markers between them must always fit.
      received: registry.allocate<ReceiveItem>({ ...UNBOUNDED, weigh: weighReceived }),
      up: registry.allocate<UpItem>({ capacity: settings.queue_size, whenFull: 'reject', weigh: weighUp }),
      down: registry.allocate<DownItem>({ capacity: MAX_COMMANDS + LANE_RESERVE, whenFull: 'reject' }),
      // The same: a loss or a crash must not get lost. There are few of each per link.
      managing: registry.allocate<ManagerItem>(UNBOUNDED),
      lease: undefined,
      decoder: undefined,
      details: undefined,
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
      session: () => this.#sessionEvents(),
    });
  }

  get #hasSession(): boolean {
    return this.#options.plan.driver.kind === 'session';
  }

  /** For a session that begins on the link that is open now. */
  #sessionEvents(): Pick<SessionEvents, 'onReady' | 'onUnanswered' | 'onDetails'> {
    const { lease, managing } = this.#ctx;
    return {
      onReady: () => lease && managing.put({ kind: 'ready', lease }),
      onUnanswered: (detail) => lease && managing.put({ kind: 'lost', lease, loss: { trouble: 'timeout', detail } }),
      onDetails: (json) => {
        this.#ctx.details = json;
      },
    };
  }

  #makeManager(receive: ReceiveThread, send: SendThread): ManagerThread {
    const { opener, reopens = true, intensity, onEnded } = this.#options;
    return new ManagerThread(this.#ctx, {
      state: this.group.state,
      opener: this.#hasSession ? writesInTurn(opener) : opener,
      reopens,
      awaitsSession: this.#hasSession,
      announce: (state) => this.#announce(state),
      receive,
      send,
      restartThread: (label) => this.group.restart(label),
      greeting: () => this.#greeting(),
      onGreeted: () => this.#onGreeted(),
      onEnded,
      ...(intensity && { intensity }),
    });
  }

  #greeting(): Greeting {
    const { driver, options, framing } = this.#options.plan;
    if (driver.kind === 'session') return { hello: [], polls: [] };
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
    if (label !== 'manager' && !isTap(label) && !this.group.isClosing) {
      this.#ctx.managing.put({ kind: 'crash', thread: label, error });
      return;
    }
    this.counters.crashes += 1;
    this.#ctx.log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}`);
    if (isTap(label) || this.group.isClosing) return;
    this.#restarting = clock.after(CRASHED_MANAGER_MS, () => this.group.restart('manager'));
  }

  #onClosed(): void {
    this.#tellTotals();
    const { registry, reopens = true } = this.#options;
    this.#restarting?.cancel();
    void this.#ctx.decoder?.close?.(); // one that was made for the last commands
    registry.remove(this.group);
    if (!reopens) this.#offerAvailability('gone');
    else if (this.#isOnline) this.#offerAvailability('offline');
  }
}

const UNBOUNDED = { capacity: Number.MAX_SAFE_INTEGER, whenFull: 'reject' } as const;
