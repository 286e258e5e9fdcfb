// The manager thread of a device: owns the link. Opens it, watches it, backs off, opens it again; restarts threads that
// have crashed, and parks the device when that happens too often.
//
//   connecting -> open ok  -> online  -> lost  -> backing-off -> connecting      (weather: for ever, full jitter)
//              -> open err -> backing-off                                        crash: restart, or park and probe
//
// While the group closes it keeps the link until the others have worked off what they have, and opens none any more.

import type { Lease } from '../core/lease.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Inbox, Thread, ThreadExit, ThreadParts, ThreadSteps } from '../core/thread.js';
import { type Link, LinkError } from '../device/link.js';
import type { DeviceContext, ManagerItem } from './device-context.js';
import { tellUnsafe, writeFailSafe } from './fail-safe.js';
import { type Greeting, greet } from './greeting.js';
import { LinkUse } from './link-use.js';
import type { ManagerParts } from './manager-parts.js';
import { type Ending, type Pause, Recovery } from './recovery.js';
import { waitOut } from './retry-wait.js';
import { SilenceWatch } from './silence-watch.js';

const HOLDER = 'manager';
/** The threads that have the link; the last of them to leave closes it. */
const HOLDERS = [HOLDER, 'receive', 'send'];
/** Longest that a write at hand may hold a link that we end, ms. */
const LET_GO_MS = 1000;
const NEVER = new AbortController().signal;
/** A session greets its device itself. */
const NO_GREETING: Greeting = { hello: [], polls: [] };
const NOBODY: readonly string[] = [];
const START = 'start';

export class ManagerThread implements ThreadParts, ThreadSteps {
  readonly #ctx: DeviceContext;
  readonly #parts: ManagerParts;
  #recovery: Recovery | undefined;
  /** Where the device is to be noticed when it falls silent. */
  readonly #silence: SilenceWatch | undefined;
  /** Threads that have crashed and wait for a successor. */
  #crashed: readonly string[] = NOBODY;
  /** Since when there is no link, for the log; undefined before the first. */
  #awaySince: number | undefined;
  #nextRetryAt = 0;
  /** Why the fail-safe bytes have not been written. */
  #unsafe: string | undefined;
  /** The open link, and why it is over where that is clear from its beginning. */
  #use: LinkUse | undefined;
  #stillborn: Ending | 'finish' | undefined;
  #stopPolls: (() => void) | undefined;
  /** Why the next attempt to open is made. */
  #reason = START;
  /** There will be no further link. */
  #isLastOver = false;

  constructor(ctx: DeviceContext, parts: ManagerParts) {
    this.#ctx = ctx;
    this.#parts = parts;
    if (parts.reopens) this.#unsafe = 'there is no link'; // an accepted connection that has ended was ended by its device
    if (ctx.settings.silent_after > 0) this.#silence = new SilenceWatch(ctx);
  }

  get label(): string {
    return HOLDER;
  }

  get inboxes(): readonly Inbox[] {
    return [this.#ctx.managing];
  }

  /** Wall-clock ms of the next attempt to open, while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#nextRetryAt;
  }

  /** The thread's work. Over on finish, or when a link that cannot be reopened is gone. */
  step(thread: Thread): 'idle' | 'ended' | Promise<unknown> {
    if (this.#use !== undefined) {
      const ending = this.#stillborn ?? this.#watch(this.#use.lease);
      return ending === undefined ? 'idle' : this.#conclude(this.#use, ending, thread);
    }
    if (!this.#isLastOver && !this.#isOver(thread)) return this.#connect(thread);
    this.#restartCrashed(); // what a crash has left unread is still worked off
    if (this.#unsafe !== undefined) tellUnsafe(this.#ctx, this.#unsafe);
    this.#parts.onEnded();
    return 'ended';
  }

  /** A manager that has crashed lets go of the link; its successor begins anew. */
  async leave(thread: Thread, { how }: ThreadExit): Promise<void> {
    if (how === 'returned') return;
    this.#reason = START;
    this.#isLastOver = false;
    this.#hush();
    if (this.#use !== undefined) await this.#letGo(this.#use.lease, thread, true);
  }

  async #connect(thread: Thread): Promise<void> {
    this.#restartCrashed();
    this.#goConnecting(this.#reason);
    thread.busy(`opening ${this.#parts.opener.name}`);
    // Thousands of accepted connections do without a signal each: they are open already.
    const opened = await this.#open(this.#parts.reopens ? thread.finishSignal : NEVER);
    thread.idle();
    if ('why' in opened) await this.#next(this.#judge(opened), thread);
    else this.#serve(opened, thread);
  }

  /** Waits for the time of the next attempt, where there is to be one. */
  async #next(pause: Pause | 'finish', thread: Thread): Promise<void> {
    this.#isLastOver = pause === 'finish' || !this.#parts.reopens;
    if (pause !== 'finish' && this.#parts.reopens) this.#reason = await this.#wait(pause, thread.finishSignal);
  }

  async #open(stop: AbortSignal): Promise<Link | Ending> {
    try {
      return await this.#parts.opener.open(stop);
    } catch (error) {
      if (error instanceof LinkError) return { why: 'unopened', error };
      return { why: 'crash', thread: HOLDER, error }; // an opener promises LinkErrors: anything else is a bug
    }
  }

  /** A link is open: all three threads have it from now on. */
  #serve(link: Link, thread: Thread): void {
    const { receive } = this.#parts;
    this.#use = new LinkUse(this.#ctx, link, receive, HOLDERS); // before anything can throw: whoever leaves lets go of it
    this.#use.begin();
    this.#stillborn = this.#isOver(thread) ? 'finish' : this.#greet(this.#use.lease);
  }

  /** Notes the end of the link, lets go of it, and waits for the next attempt. */
  async #conclude(use: LinkUse, ending: Ending | 'finish', thread: Thread): Promise<void> {
    this.#hush();
    let pause: Pause | 'finish' = 'finish';
    if (ending === 'finish') this.#unsafe = await writeFailSafe(this.#ctx);
    else {
      if (use.hasWorked) this.#recovery?.worked();
      this.#awaySince = this.#ctx.clock.now();
      pause = this.#judge(ending);
    }
    await this.#letGo(use.lease, thread, ending === 'finish' || ending.why !== 'lost');
    await this.#next(pause, thread);
  }

  /** Nothing more is said to the device, and nothing more expected of it. */
  #hush(): void {
    this.#stopPolls?.();
    this.#stopPolls = undefined;
    this.#silence?.cancel();
  }

  /** Greets the device; answers the crash of a driver that could not say what it wants. */
  #greet(lease: Lease<Link>): Ending | undefined {
    let greeting: Greeting;
    try {
      greeting = this.#parts.greeting();
    } catch (error) {
      return { why: 'crash', thread: HOLDER, error };
    }
    if (!this.#parts.hasSession) this.#begin(lease, greeting);
    return undefined;
  }

  /** The device is there, as far as we know. */
  #begin(lease: Lease<Link>, greeting: Greeting): void {
    this.#use?.ready();
    this.#announce(lease.resource);
    this.#stopPolls = greet(this.#ctx, greeting);
    this.#parts.onGreeted();
    this.#silence?.start();
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

  /** Looks for the end of the link among what the thread was told. */
  #watch(lease: Lease<Link>): Ending | 'finish' | undefined {
    const { managing } = this.#ctx;
    for (let taken = managing.poll(); taken?.ok; taken = managing.poll()) {
      const ending = this.#heed(taken.item, lease);
      if (ending !== undefined) return ending;
    }
    return managing.closed ? 'finish' : undefined;
  }

  /** On the way, notices a device that has fallen silent and one that speaks again. What is said of another link is old. */
  #heed(item: ManagerItem, lease: Lease<Link>): Ending | undefined {
    switch (item.kind) {
      case 'quiet':
        this.#onQuiet();
        return undefined;
      case 'heard':
        this.#onHeard();
        return undefined;
      case 'ready':
        if (item.lease === lease && !this.#isClosing) this.#begin(lease, NO_GREETING);
        return undefined;
      case 'lost':
        return item.lease === lease ? { why: 'lost', loss: item.loss } : undefined;
      case 'crash':
      case 'restart':
        return this.#isClosing ? undefined : endingOf(item);
    }
  }

  #onQuiet(): void {
    if (!this.#silence?.hasFallenSilent()) return;
    const { silent_after } = this.#ctx.settings;
    this.#go('silent', `nothing received for ${silent_after} ms`);
    this.#ctx.log.warn(
      { thread: HOLDER, silent_after },
      `nothing received for ${silent_after} ms although the link is open: is the device on, are baud rate and wiring right?`,
    );
  }

  #onHeard(): void {
    if (this.#parts.state.state !== 'silent') return;
    this.#go('online', 'the device speaks again');
    this.#ctx.log.info({ thread: HOLDER }, 'the device speaks again');
    this.#silence?.start();
  }

  /** Ends the use of the link by all threads; it is closed when this returns. */
  async #letGo(lease: Lease<Link>, thread: Thread, isFresh: boolean): Promise<void> {
    const { flag, clock } = this.#ctx;
    this.#use = undefined;
    this.#stillborn = undefined;
    flag.clear();
    this.#ctx.hasBegun = false;
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

  /** Notes the end of a link or of an attempt, and decides what to do about it. */
  #judge(ending: Ending): Pause | 'finish' {
    if (this.#isClosing) return 'finish';
    if (ending.why === 'crash') {
      this.#ctx.counters.crashes += 1;
      this.#noteCrashed(ending.thread);
    }
    if (!this.#parts.reopens && ending.why === 'lost') {
      this.#ctx.log.debug({ thread: HOLDER }, `link lost: ${ending.loss.detail}`);
      return 'finish';
    }
    this.#recovery ??= new Recovery(this.#ctx, this.#parts.intensity, this.#parts.crashes);
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
      const worse = this.#judge(next);
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
        this.#noteCrashed(item.thread);
        ending = endingOf(item);
      } else if (item.kind === 'restart') ending ??= endingOf(item);
    }
    return ending;
  }

  #restartCrashed(): void {
    for (const label of this.#crashed) this.#parts.restartThread(label);
    this.#crashed = NOBODY;
  }

  #noteCrashed(label: string): void {
    if (!this.#crashed.includes(label)) this.#crashed = [...this.#crashed, label];
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
