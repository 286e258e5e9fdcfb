// One device: a thread group of three (receive, send, manager), its queues, its flag. Commands enter by `deliver`,
// everything that goes up leaves through the relay that the composition root has given.
//
//   link -> receive -> [up] -> send -> relay        threads start: manager, send, receive
//   link <- send <- [down] <- deliver               and end the other way round: receive drains into send, the manager
//     ^ manager: open, watch, reopen                writes the fail-safe bytes and leaves the link last

import type { Clock, Timer } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Log } from '../core/log.js';
import type { RestartIntensity } from '../core/restart-policy.js';
import type { StateMachine, Transition } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup, type ThreadGroupOptions } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import type { LinkOpener } from '../device/link.js';
import { makeFramer } from '../device/make-framer.js';
import type { Command, DownMessage, Relay, TapMode } from '../device/message.js';
import type { DevicePlan } from '../device/plan.js';
import { CommandIntake } from './command-intake.js';
import type { CrashTally } from './crash-tally.js';
import type { DecodeHost, DecodeSink } from './decode-host.js';
import {
  DeviceContext,
  type DeviceCounters,
  type DeviceSettings,
  newCounters,
  type Tap,
  type WhileCritical,
} from './device-context.js';
import type { Greeting } from './greeting.js';
import { inlineHost, workerHostMaker } from './make-decode-host.js';
import { ManagerThread } from './manager.js';
import type { ManagerParts } from './manager-parts.js';
import { type ReceiveParts, ReceiveThread } from './receive.js';
import { type SendParts, SendThread } from './send.js';
import type { SessionEvents } from './session/worker-session.js';
import { writesInTurn } from './session/writes-in-turn.js';
import { isTap, Taps } from './taps.js';
import type { UplinkAbsence } from './uplink-absence.js';
import { UplinkGuard } from './uplink-guard.js';

/** Requests to restart that may wait for a manager that opens just now. */
const MAX_REQUESTS = 16;
const CRASHED_MANAGER_MS = 1000;
const NO_GREETING: Greeting = { hello: [], polls: [] };

/** What all connections of a listener have in common; made once for them. */
export interface DeviceKind {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly relay: Relay;
  readonly plan: Pick<DevicePlan, 'driver' | 'driverName' | 'driverDirs' | 'options' | 'framing'>;
  readonly settings: DeviceSettings;
  /** False for an accepted connection, which ends with its socket. Default true. */
  readonly reopens?: boolean;
  /** Place in the topic tree, where it is not the id; such a group announces no availability of its own. */
  readonly address?: string;
  readonly intensity?: RestartIntensity;
  /** Of a listener's connections. */
  readonly crashes?: CrashTally;
  /** Of the broker; needed for `on_uplink_lost`. */
  readonly absence?: UplinkAbsence;
  /** For `commands.critical`; default: just runs the work. */
  readonly whileCritical?: WhileCritical;
  /** Called when the manager has nothing left to do: a link that cannot be reopened is gone, or the group closes. */
  readonly onEnded?: (device: CommsThreadGroup) => void;
}

/** Devices close before the uplink they feed. */
export const DEVICE_RANK = 10;

export class CommsThreadGroup implements ThreadGroupOptions, ManagerParts, ReceiveParts, SendParts {
  readonly group: ThreadGroup;
  readonly counters: DeviceCounters = newCounters();
  /** For its own threads: see below. */
  readonly opener: LinkOpener;
  readonly receive: ReceiveThread;
  readonly send: SendThread;
  readonly #kind: DeviceKind;
  readonly #ctx: DeviceContext;
  readonly #manager: ManagerThread;
  readonly #guard: UplinkGuard | undefined;
  /** Made for the first who watches, the first command, the first Worker: thousands of connections never have one. */
  #taps: Taps | undefined;
  #intake: CommandIntake | undefined;
  #hostMaker: ((sink: DecodeSink) => DecodeHost) | undefined;
  /** Set while a manager that has crashed waits for its restart. */
  #restarting: Timer | undefined;
  /** What was announced last. */
  #isOnline = false;

  constructor(kind: DeviceKind, { id, opener }: { readonly id: string; readonly opener: LinkOpener }) {
    const { clock, log, registry, relay, settings, address, whileCritical } = kind;
    const { counters } = this;
    this.#kind = kind;
    this.opener = this.hasSession ? writesInTurn(opener) : opener;
    this.#ctx = new DeviceContext({ id, address, clock, log, registry, relay, settings, whileCritical, counters });
    this.group = new ThreadGroup(this);
    this.receive = new ReceiveThread(this.#ctx, this);
    this.send = new SendThread(this.#ctx, this);
    this.#guard = this.#makeGuard();
    this.#manager = new ManagerThread(this.#ctx, this);
    for (const thread of [this.#manager, this.send, this.receive]) this.group.add(thread);
  }

  /** Registers and starts the group; false if its id is taken or the gateway is shutting down. */
  start(): boolean {
    if (!this.#kind.registry.add(this.group, (message) => this.deliver(message), DEVICE_RANK)) return false;
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

  /** What waits in the queues of the receive and the send thread. */
  get queuedItems(): number {
    const { received, up, down } = this.#ctx;
    return received.length + up.length + down.length;
  }

  get queuedBytes(): number {
    const { received, up, down } = this.#ctx;
    return received.weight + up.weight + down.weight;
  }

  /** Takes a command. Refused ones are answered at once with the reason. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    return this.#commands.deliver(message);
  }

  /** Closes the link and opens it again with fresh framer and driver. */
  restart(reason: string): void {
    const { managing } = this.#ctx;
    if (managing.length < MAX_REQUESTS) managing.put({ kind: 'restart', reason });
  }

  /** Adds a tap thread, or gives the one that runs this long from now on. False while the group closes. */
  startTap(seconds: number, mode: TapMode = 'lines'): Promise<boolean> {
    this.#taps ??= this.#makeTaps();
    return this.#taps.start(mode, seconds);
  }

  /** Takes a tap thread out; resolves when it has said what it had. */
  async stopTap(mode: TapMode = 'lines'): Promise<void> {
    await this.#taps?.stop(mode);
  }

  /** Wall-clock ms of the next attempt while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#manager.nextRetryAt;
  }

  // From here on: what its threads and its ThreadGroup need of it, who are given it as the interfaces that it implements. An object
  // of functions for each of them would take a KiB for each of thousands of connections.

  get id(): string {
    return this.#ctx.id;
  }

  get clock(): Clock {
    return this.#ctx.clock;
  }

  get state(): StateMachine<GroupState> {
    return this.group.state;
  }

  get reopens(): boolean {
    return this.#kind.reopens ?? true;
  }

  get hasSession(): boolean {
    return this.#kind.plan.driver.kind === 'session';
  }

  get intensity(): RestartIntensity | undefined {
    return this.#kind.intensity;
  }

  get crashes(): CrashTally | undefined {
    return this.#kind.crashes;
  }

  restartThread(label: string): void {
    this.group.restart(label);
  }

  makeDecoder(sink: DecodeSink): DecodeHost {
    const { plan, settings } = this.#kind;
    const inline = inlineHost(plan, settings.isolation ?? 'inline', sink);
    if (inline !== undefined) return inline;
    this.#hostMaker ??= this.#workerHostMaker();
    return this.#hostMaker(sink);
  }

  greeting(): Greeting {
    const { driver, options, framing } = this.#kind.plan;
    if (driver.kind === 'session') return NO_GREETING;
    const hello = driver.hello?.(options) ?? [];
    const polls = driver.poll?.(options) ?? [];
    if (hello.length + polls.length === 0) return NO_GREETING;
    const framer = makeFramer(framing);
    return {
      hello: hello.map((payload) => framer.wrap(payload)),
      polls: polls.map((poll) => ({ ...poll, payload: framer.wrap(poll.payload) })),
    };
  }

  /** The link is up and the driver's hello is on its way; behind it, what has waited for that. */
  onGreeted(): void {
    this.#intake?.release();
    this.#guard?.onLinkUp();
  }

  onUnsent(commands: readonly Command[]): void {
    this.#commands.takeBack(commands);
  }

  /** A connection that is over is `gone`, but only once its last reading has left: see onClosed. */
  announce(state: 'online' | 'offline'): void {
    // A manager that was stuck may come here after the cleanup, when a successor of that id may be online.
    if (this.group.state.state === 'closed' || (state === 'offline' && !this.reopens)) return;
    this.#offerAvailability(state);
  }

  onEnded(): void {
    this.#kind.onEnded?.(this);
  }

  onTransition(transition: Transition<GroupState>): void {
    if (transition.to === 'closing') this.#onClosing();
    this.#taps?.moved(transition);
    this.#kind.registry.emit({ kind: 'transition', group: this.#ctx.id, transition });
  }

  /** Receive and send are restarted by the manager; the manager itself is restarted here; a tap is gone, the device goes on. */
  onCrash({ label }: Thread, error: unknown): void {
    const { registry, clock } = this.#kind;
    registry.emit({ kind: 'crash', group: this.#ctx.id, thread: label, error });
    if (label !== 'manager' && !isTap(label) && !this.group.isClosing) {
      this.#ctx.managing.put({ kind: 'crash', thread: label, error });
      return;
    }
    this.counters.crashes += 1;
    this.#ctx.log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}`);
    if (isTap(label) || this.group.isClosing) return;
    this.#restarting = clock.after(CRASHED_MANAGER_MS, () => this.group.restart('manager'));
  }

  onClosed(): void {
    this.counters.droppedBytes += this.receive.leftBytes;
    this.send.giveUp(this.receive.giveUp());
    this.#tellTotals();
    this.#restarting?.cancel();
    void this.#ctx.decoder?.close?.(); // one that was made for the last commands
    this.#kind.registry.remove(this.group);
    if (!this.reopens) this.#offerAvailability('gone');
    else if (this.#isOnline) this.#offerAvailability('offline');
  }

  figures(): Record<string, unknown> {
    return { ...this.counters, nextRetryAt: this.nextRetryAt };
  }

  get #commands(): CommandIntake {
    this.#intake ??= this.#makeIntake();
    return this.#intake;
  }

  #makeIntake(): CommandIntake {
    const state = (): string => `${this.group.state.state}, ${this.group.state.reason}`;
    const intake = new CommandIntake(this.#ctx, { state, mayHold: this.reopens });
    if (this.group.isClosing) intake.close();
    return intake;
  }

  #makeTaps(): Taps {
    const { clock, relay, registry } = this.#kind;
    const onChange = (tap: Tap | undefined): void => {
      this.#ctx.tap = tap;
    };
    return new Taps({ id: this.#ctx.id, clock, relay, registry, group: this.group, onChange });
  }

  #makeGuard(): UplinkGuard | undefined {
    const { absence, settings } = this.#kind;
    if (absence === undefined || settings.on_uplink_lost === undefined) return undefined;
    const { after, write } = settings.on_uplink_lost;
    return new UplinkGuard(this.#ctx, { absence, afterMs: after, bytes: write });
  }

  #onClosing(): void {
    this.#intake?.close();
    this.#guard?.stop();
  }

  #workerHostMaker(): (sink: DecodeSink) => DecodeHost {
    const { clock, plan } = this.#kind;
    const { id, log, flag, received } = this.#ctx;
    return workerHostMaker({
      id,
      clock,
      log,
      flag,
      plan,
      onCrash: (host, error) => received.put({ kind: 'crashed', host, error }),
      session: () => this.#sessionEvents(),
    });
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

  #offerAvailability(state: 'online' | 'offline' | 'gone'): void {
    const { address, relay } = this.#kind;
    this.#isOnline = state === 'online';
    if (address === undefined) relay.offer({ kind: 'availability', device: this.#ctx.id, state });
  }

  /** The last word on a device: what went through it. For a connection, which comes and goes, only at level debug. */
  #tellTotals(): void {
    const { log, counters } = this.#ctx;
    const text = `closed: ${counters.readings} readings from ${counters.bytesIn} bytes`;
    if (this.reopens) log.info({ counters }, text);
    else log.debug({ counters }, text);
  }
}
