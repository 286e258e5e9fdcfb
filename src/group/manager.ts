// The manager thread of a device: owns the link. Opens it, watches it, backs off, opens it again; restarts threads that
// have crashed, and parks the device when that happens too often.
//
//   connecting -> open ok  -> online  -> lost  -> backing-off -> connecting      (weather: for ever, full jitter)
//              -> open err -> backing-off                                        crash: restart, or park and probe
//
// While the group closes it keeps the link until the others have worked off what they have, and opens none any more.

import { Lease } from '../core/lease.js';
import type { GroupState } from '../core/lifecycle.js';
import type { RestartIntensity } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import { type Link, LinkError, type LinkOpener } from '../device/link.js';
import type { DeviceContext, ManagerItem } from './device-context.js';
import { writeFailSafe } from './fail-safe.js';
import { type Greeting, greet } from './greeting.js';
import { type Ending, type Pause, Recovery } from './recovery.js';
import { waitOut } from './retry-wait.js';
import { SilenceWatch } from './silence-watch.js';

const HOLDER = 'manager';
/** Longest that a write at hand may hold a link that we end, ms. */
const LET_GO_MS = 1000;
/** A link that was up for this long has worked, even if nothing came. */
const WORKED_MS = 10_000;
const NEVER = new AbortController().signal;
/** A session greets its device itself. */
const NO_GREETING: Greeting = { hello: [], polls: [] };

/** What the manager knows of the other two threads. */
export interface LinkUser {
  letGo(lease: Lease<Link>, isFresh: boolean): void;
}

/** What the manager needs of its group and its neighbours in it. */
export interface ManagerParts {
  readonly state: StateMachine<GroupState>;
  readonly opener: LinkOpener;
  /** False for an accepted connection: when it is lost, the group has done its work. */
  readonly reopens: boolean;
  /** True if a device is online only once its session has begun: told by a `ready`. Default: with its link. */
  readonly awaitsSession?: boolean;
  /** Called with 'online' and 'offline' as the link comes and goes. */
  readonly announce: (state: 'online' | 'offline') => void;
  readonly receive: LinkUser & { intake(link: Link, chunk: Buffer): void; opened(lease: Lease<Link>): void };
  readonly send: LinkUser;
  readonly restartThread: (label: string) => void;
  /** What the driver wants sent by itself. Driver's code: may throw. */
  readonly greeting: () => Greeting;
  /** Called when the greeting is on its way. */
  readonly onGreeted: () => void;
  readonly intensity?: RestartIntensity;
  /** Called when the thread has nothing left to do. */
  readonly onEnded?: (() => void) | undefined;
}

export class ManagerThread {
  readonly #ctx: DeviceContext;
  readonly #parts: ManagerParts;
  readonly #recovery: Recovery;
  readonly #silence: SilenceWatch;
  /** Threads that have crashed and wait for a successor. */
  readonly #crashed = new Set<string>();
  /** Since when there is no link, for the log; undefined before the first. */
  #awaySince: number | undefined;
  #nextRetryAt = 0;
  /** Why the fail-safe bytes have not been written. */
  #unsafe: string | undefined = 'there is no link';

  constructor(ctx: DeviceContext, parts: ManagerParts) {
    this.#ctx = ctx;
    this.#parts = parts;
    const { clock, log, settings } = ctx;
    const backoff = { firstMs: settings.reconnect.first, maxMs: settings.reconnect.max };
    const { intensity } = parts;
    this.#recovery = new Recovery({ clock, log, backoff, ...(intensity && { intensity }) });
    this.#silence = new SilenceWatch(ctx);
  }

  /** Wall-clock ms of the next attempt to open, while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#nextRetryAt;
  }

  /** The thread's body. Ends on finish, or when a link that cannot be reopened is gone. */
  async run(thread: Thread): Promise<void> {
    let reason = 'start';
    while (!this.#isOver(thread)) {
      this.#restartCrashed();
      this.#goConnecting(reason);
      thread.busy(`opening ${this.#parts.opener.name}`);
      // Thousands of accepted connections do without a signal each: they are open already.
      const opened = await this.#open(this.#parts.reopens ? thread.finishSignal : NEVER);
      thread.idle();
      const pause = 'why' in opened ? this.#conclude(opened) : await this.#serve(opened, thread);
      if (pause === 'finish' || !this.#parts.reopens) break;
      reason = await this.#wait(pause, thread.finishSignal);
    }
    this.#restartCrashed(); // what a crash has left unread is still worked off
    this.#tellUnsafe();
    this.#parts.onEnded?.();
  }

  async #open(stop: AbortSignal): Promise<Link | Ending> {
    try {
      return await this.#parts.opener.open(stop);
    } catch (error) {
      if (error instanceof LinkError) return { why: 'unopened', error };
      return { why: 'crash', thread: HOLDER, error }; // an opener promises LinkErrors: anything else is a bug
    }
  }

  /** From an open link to its end. */
  async #serve(link: Link, thread: Thread): Promise<Pause | 'finish'> {
    const { clock, counters } = this.#ctx;
    const [openedAt, bytesBefore] = [clock.now(), counters.bytesIn];
    const lease = this.#share(link);
    let isFresh = true;
    try {
      this.#attach(lease);
      const ending = await this.#live(lease, thread);
      if (ending === 'finish') {
        this.#unsafe = await writeFailSafe(this.#ctx);
        return 'finish';
      }
      isFresh = ending.why !== 'lost';
      // An open that gave nothing and was lost at once is no success: it backs off further.
      if (counters.bytesIn > bytesBefore || clock.now() - openedAt >= WORKED_MS) this.#recovery.worked();
      this.#awaySince = clock.now();
      return this.#conclude(ending);
    } finally {
      await this.#letGo(lease, thread, isFresh);
    }
  }

  /** The link is the group's from here on: all three threads hold it. */
  #share(link: Link): Lease<Link> {
    const lease = new Lease(link, (open) => open.close());
    for (const holder of [HOLDER, 'receive', 'send']) lease.enter(holder);
    this.#ctx.lease = lease;
    this.#ctx.flag.raise();
    return lease;
  }

  #attach(lease: Lease<Link>): void {
    const { managing, flag } = this.#ctx;
    this.#parts.receive.opened(lease);
    lease.resource.attach({
      onChunk: (chunk) => this.#parts.receive.intake(lease.resource, chunk),
      onLost: (loss) => {
        if (this.#ctx.lease === lease) flag.clear();
        managing.put({ kind: 'lost', lease, loss });
      },
    });
  }

  /** Greets the device, then waits for the end of the link. */
  async #live(lease: Lease<Link>, thread: Thread): Promise<Ending | 'finish'> {
    if (this.#isOver(thread)) return 'finish';
    let greeting: Greeting;
    try {
      greeting = this.#parts.greeting();
    } catch (error) {
      return { why: 'crash', thread: HOLDER, error };
    }
    const stopPolls = this.#parts.awaitsSession ? () => {} : this.#begin(lease, greeting);
    try {
      return await this.#watch(lease);
    } finally {
      stopPolls();
      this.#silence.cancel();
    }
  }

  /** The device is there, as far as we know; answers how to stop the polls. */
  #begin(lease: Lease<Link>, greeting: Greeting): () => void {
    this.#announce(lease.resource);
    const stopPolls = greet(this.#ctx, greeting);
    this.#parts.onGreeted();
    this.#silence.start();
    return stopPolls;
  }

  #announce(link: Link): void {
    const { log, clock, counters } = this.#ctx;
    const fields = { thread: HOLDER, link: link.name };
    this.#go('online', link.name);
    this.#parts.announce('online');
    if (!this.#parts.reopens) {
      log.debug(fields, 'connected');
    } else if (this.#awaySince === undefined) {
      log.info(fields, `online on ${link.name}`);
    } else {
      counters.reconnects += 1;
      const awayMs = Math.round(clock.now() - this.#awaySince);
      log.info({ ...fields, away_ms: awayMs }, `online again on ${link.name} after ${awayMs} ms`);
    }
  }

  /** Waits for the end of the link; on the way, notices a device that has fallen silent and one that speaks again. */
  async #watch(lease: Lease<Link>): Promise<Ending | 'finish'> {
    const { managing } = this.#ctx;
    for (let taken = await managing.take(); taken.ok; taken = await managing.take()) {
      const { item } = taken;
      if (item.kind === 'quiet') this.#onQuiet();
      else if (item.kind === 'heard') this.#onHeard();
      else if (item.kind === 'ready') {
        if (item.lease === lease && !this.#isClosing) this.#begin(lease, NO_GREETING);
      } else if (item.kind === 'lost') {
        if (item.lease === lease) return { why: 'lost', loss: item.loss };
      } else if (!this.#isClosing) return endingOf(item);
    }
    return 'finish';
  }

  #onQuiet(): void {
    const { log, settings, clock, heardAt } = this.#ctx;
    if (this.#ctx.isSilent) return;
    if (clock.now() - heardAt < settings.silent_after) {
      this.#silence.start(); // something came just now
      return;
    }
    this.#ctx.isSilent = true;
    this.#go('silent', `nothing received for ${settings.silent_after} ms`);
    log.warn(
      { thread: HOLDER, silent_after: settings.silent_after },
      `nothing received for ${settings.silent_after} ms although the link is open: is the device on, are baud rate and wiring right?`,
    );
  }

  #onHeard(): void {
    if (this.#parts.state.state !== 'silent') return;
    this.#go('online', 'the device speaks again');
    this.#ctx.log.info({ thread: HOLDER }, 'the device speaks again');
    this.#silence.start();
  }

  /** Ends the use of the link by all threads; it is closed when this returns. */
  async #letGo(lease: Lease<Link>, thread: Thread, isFresh: boolean): Promise<void> {
    const { flag, clock } = this.#ctx;
    flag.clear();
    this.#ctx.isSilent = false;
    this.#ctx.lease = undefined;
    this.#parts.announce('offline');
    this.#parts.receive.letGo(lease, isFresh);
    this.#parts.send.letGo(lease, isFresh);
    lease.leave(HOLDER);
    // A write that flow control holds may hang for ever, and must not keep the port open for as long.
    if (thread.state === 'aborting') lease.force();
    const timer = clock.after(LET_GO_MS, () => lease.force());
    await lease.closed;
    timer.cancel();
  }

  #tellUnsafe(): void {
    const { log, settings } = this.#ctx;
    if (settings.on_shutdown === undefined || this.#unsafe === undefined || !this.#parts.reopens) return;
    const text = `on_shutdown bytes could not be written (${this.#unsafe}): check that the device is in a safe state`;
    log.error({ thread: HOLDER }, text);
  }

  /** Notes the end of a link or of an attempt, and decides what to do about it. */
  #conclude(ending: Ending): Pause | 'finish' {
    if (this.#isClosing) return 'finish';
    if (ending.why === 'crash') {
      this.#ctx.counters.crashes += 1;
      this.#crashed.add(ending.thread);
    }
    if (!this.#parts.reopens && ending.why === 'lost') {
      this.#ctx.log.debug({ thread: HOLDER }, `link lost: ${ending.loss.detail}`);
      return 'finish';
    }
    const pause = this.#recovery.judge(ending);
    this.#go(pause.state, pause.reason);
    return pause;
  }

  /** Waits for the time of the next attempt, and answers its reason. Crashes on the way are counted and wait longer. */
  async #wait(first: Pause, stop: AbortSignal): Promise<string> {
    const { clock } = this.#ctx;
    const parts = { ctx: this.#ctx, opener: this.#parts.opener, early: () => this.#early() };
    for (let pause = first; ; ) {
      const until = clock.now() + pause.delayMs;
      this.#nextRetryAt = clock.wall() + pause.delayMs;
      const next = pause.delayMs === 0 ? (this.#early() ?? pause.reason) : await waitOut(pause, parts, stop);
      this.#nextRetryAt = 0;
      if (typeof next === 'string') return next;
      const worse = this.#conclude(next);
      if (worse === 'finish') return 'closing';
      // A crash never shortens the wait that it falls into: what is parked would be tried at once.
      pause = next.why === 'crash' ? { ...worse, delayMs: Math.max(worse.delayMs, until - clock.now()) } : worse;
    }
  }

  /** What messages that came during a wait mean for it; echoes of the link that has gone mean nothing. */
  #early(): Ending | undefined {
    let ending: Ending | undefined;
    for (const item of this.#ctx.managing.drain()) {
      if (item.kind === 'crash') {
        this.#crashed.add(item.thread);
        ending = endingOf(item);
      } else if (item.kind === 'restart') ending ??= endingOf(item);
    }
    return ending;
  }

  #restartCrashed(): void {
    for (const label of this.#crashed) this.#parts.restartThread(label);
    this.#crashed.clear();
  }

  #isOver(thread: Thread): boolean {
    return thread.isStopping || this.#isClosing;
  }

  get #isClosing(): boolean {
    const { state } = this.#parts.state;
    return state === 'closing' || state === 'closed';
  }

  /** Also from where a manager that has crashed left off. */
  #goConnecting(reason: string): void {
    const { state } = this.#parts;
    if (!state.can('connecting')) this.#go('backing-off', 'the manager thread has been restarted');
    this.#go('connecting', reason);
  }

  #go(to: GroupState, reason: string): void {
    const { state } = this.#parts;
    // What is parked stays so until it is tried again.
    const isStill = state.state === to || (state.state === 'parked' && to === 'backing-off');
    if (!isStill && !this.#isClosing) state.go(to, reason);
  }
}

function endingOf(item: Extract<ManagerItem, { kind: 'crash' | 'restart' }>): Ending {
  if (item.kind === 'crash') return { why: 'crash', thread: item.thread, error: item.error };
  return { why: 'restart', reason: item.reason };
}
