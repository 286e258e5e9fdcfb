// The manager thread of a device: owns the link. Opens it, watches it, backs off, opens it again; restarts threads that
// have crashed, and parks the device when that happens too often.
//
//   connecting -> open ok  -> online  -> lost  -> backing-off -> connecting      (weather: for ever, full jitter)
//              -> open err -> backing-off                                        crash: restart, or park and probe

import { sleep, type Timer } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import { Lease } from '../core/lease.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Taken } from '../core/queue.js';
import { type Backoff, backoffDelay, DEFAULT_INTENSITY, decideRestart, type RestartIntensity } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import type { Poll } from '../device/driver.js';
import { type Link, LinkError, type LinkHandlers, type LinkLoss, type LinkOpener } from '../device/link.js';
import type { DeviceContext, ManagerItem } from './device-context.js';

const HOLDER = 'manager';
/** Longest that the fail-safe bytes may take to leave at a shutdown, ms. */
const FAIL_SAFE_MS = 1000;

/** What the manager needs of its group and its neighbours in it. */
export interface ManagerParts {
  readonly state: StateMachine<GroupState>;
  readonly opener: LinkOpener;
  /** False for an accepted connection: when it is lost, the group has done its work. */
  readonly reopens: boolean;
  /** False for connections that share the topics of their listener: the listener's availability stands for them. */
  readonly announces: boolean;
  readonly intake: (link: Link, chunk: Buffer) => void;
  readonly sendLetsGo: (lease: Lease<Link>) => void;
  readonly restartThread: (label: string) => void;
  readonly hello: readonly Buffer[];
  readonly polls: readonly Poll[];
  readonly intensity?: RestartIntensity;
}

type Served = { readonly why: 'finish' } | { readonly why: 'lost'; readonly loss: LinkLoss } | Crash | Restart;
type Crash = { readonly why: 'crash'; readonly thread: string; readonly error: unknown };
type Restart = { readonly why: 'restart'; readonly reason: string };

export class ManagerThread {
  readonly #ctx: DeviceContext;
  readonly #parts: ManagerParts;
  #attempt = 0;
  #crashes: readonly number[] = [];
  readonly #crashed = new Set<string>();
  #awaySince: number | undefined;
  #lastComplaint = '';
  #nextRetryAt = 0;

  constructor(ctx: DeviceContext, parts: ManagerParts) {
    this.#ctx = ctx;
    this.#parts = parts;
  }

  /** Wall-clock ms of the next attempt to open, while backing off or parked; else 0. */
  get nextRetryAt(): number {
    return this.#nextRetryAt;
  }

  /** The thread's body. Ends on finish, or when a link that cannot be reopened is gone. */
  async run(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    let reason = 'start';
    while (!stop.aborted) {
      this.#go('connecting', reason);
      thread.busy(`opening ${this.#parts.opener.name}`);
      const opened = await this.#open(stop);
      thread.idle();
      if (stop.aborted && opened instanceof Error) return;
      const ending = opened instanceof Error ? opened : await this.#serve(opened, thread);
      if (!this.#parts.reopens || stop.aborted) return;
      reason = await this.#pause(ending, stop);
    }
  }

  async #open(stop: AbortSignal): Promise<Link | LinkError> {
    try {
      return await this.#parts.opener.open(stop);
    } catch (error) {
      if (error instanceof LinkError) return error;
      throw error; // an opener promises LinkErrors: anything else is a bug, and this thread's crash
    }
  }

  /** From an open link to its end. */
  async #serve(link: Link, thread: Thread): Promise<Served> {
    const lease = this.#take(link);
    this.#announce(link);
    const polls = this.#startPolling();
    try {
      const served = await this.#watch(lease, thread.finishSignal);
      if (served.why === 'finish') await this.#failSafe(lease);
      return served;
    } finally {
      for (const poll of polls) poll.cancel();
      await this.#letGo(lease, thread);
    }
  }

  #take(link: Link): Lease<Link> {
    const { received, managing, flag } = this.#ctx;
    for (const label of this.#crashed) this.#parts.restartThread(label);
    this.#crashed.clear();
    const lease = new Lease(link, (open) => open.close());
    for (const holder of [HOLDER, 'receive', 'send']) lease.enter(holder);
    this.#ctx.lease = lease;
    flag.raise();
    const handlers: LinkHandlers = {
      onChunk: (chunk) => this.#parts.intake(link, chunk),
      onLost: (loss) => {
        flag.clear();
        if (received.put({ kind: 'ended', lease, loss }) !== 'queued') lease.leave('receive');
        managing.put({ kind: 'lost', lease, loss });
      },
    };
    link.attach(handlers);
    return lease;
  }

  #announce(link: Link): void {
    const { address, log, relay, clock, counters } = this.#ctx;
    const awayMs = this.#awaySince === undefined ? undefined : Math.round(clock.now() - this.#awaySince);
    if (awayMs !== undefined) counters.reconnects += 1;
    this.#awaySince = undefined;
    this.#attempt = 0;
    this.#lastComplaint = '';
    this.#go('online', link.name);
    if (this.#parts.announces) relay.offer({ kind: 'availability', device: address, state: 'online' });
    if (!this.#parts.reopens) log.debug({ thread: HOLDER, link: link.name }, 'connected');
    else if (awayMs === undefined) log.info({ thread: HOLDER, link: link.name }, `online on ${link.name}`);
    else log.info({ thread: HOLDER, link: link.name, away_ms: awayMs }, `online again on ${link.name} after ${awayMs} ms`);
    for (const bytes of this.#parts.hello) this.#ctx.down.put({ kind: 'payload', bytes, why: 'hello' });
  }

  #startPolling(): Timer[] {
    return this.#parts.polls.map((poll) => this.#pollEvery(Buffer.from(poll.payload), poll.everyMs));
  }

  #pollEvery(bytes: Buffer, everyMs: number): Timer {
    const { clock, down } = this.#ctx;
    let timer = clock.after(everyMs, tick);
    function tick(): void {
      down.put({ kind: 'payload', bytes, why: 'poll' }); // a full lane skips this poll: the device is behind already
      timer = clock.after(everyMs, tick);
    }
    return { cancel: () => timer.cancel() };
  }

  /** Waits for the end of the link; on the way, notices a device that has fallen silent and one that speaks again. */
  async #watch(lease: Lease<Link>, stop: AbortSignal): Promise<Served> {
    while (!stop.aborted) {
      const item = await this.#nextItem(stop);
      if (item === 'finish') break;
      if (item === 'quiet') this.#fallSilent();
      else if (item.kind === 'heard') this.#go('online', 'the device speaks again');
      else if (item.kind === 'crash') return { why: 'crash', thread: item.thread, error: item.error };
      else if (item.kind === 'restart') return { why: 'restart', reason: item.reason };
      else if (item.lease === lease) return { why: 'lost', loss: item.loss };
    }
    return { why: 'finish' };
  }

  async #nextItem(stop: AbortSignal): Promise<ManagerItem | 'finish' | 'quiet'> {
    const { managing, settings } = this.#ctx;
    if (settings.silent_after === 0 || this.#ctx.isSilent) {
      const taken = await managing.take(stop);
      return taken.ok ? taken.item : 'finish';
    }
    const { clock, counters } = this.#ctx;
    const heardAt = Math.max(counters.lastHeardAt, this.#parts.state.since);
    const waitMs = heardAt + settings.silent_after - clock.wall();
    if (waitMs <= 0) return 'quiet';
    const quiet = new AbortController();
    const timer = clock.after(waitMs, () => quiet.abort());
    const onStop = (): void => quiet.abort();
    stop.addEventListener('abort', onStop, { once: true });
    const taken = await managing.take(quiet.signal);
    timer.cancel();
    stop.removeEventListener('abort', onStop);
    if (taken.ok) return taken.item;
    return stop.aborted || taken.why === 'closed' ? 'finish' : this.#nextItem(stop);
  }

  #fallSilent(): void {
    const { log, settings } = this.#ctx;
    this.#ctx.isSilent = true;
    this.#go('silent', `nothing received for ${settings.silent_after} ms`);
    log.warn(
      { thread: HOLDER, silent_after: settings.silent_after },
      `nothing received for ${settings.silent_after} ms although the link is open: is the device on, are baud rate and wiring right?`,
    );
  }

  async #failSafe(lease: Lease<Link>): Promise<void> {
    const { settings, log, clock, flag } = this.#ctx;
    const bytes = settings.on_shutdown;
    if (bytes === undefined || !flag.isUp) return;
    const overrun = new AbortController();
    const outcome = await Promise.race([
      lease.resource.write(bytes),
      sleep(clock, FAIL_SAFE_MS, overrun.signal).then(() => 'overrun' as const),
    ]);
    overrun.abort();
    if (outcome === 'written') log.info({ thread: HOLDER, bytes: bytes.length }, 'on_shutdown bytes written');
    else log.error({ thread: HOLDER, outcome }, 'on_shutdown bytes could not be written: check that the device is in a safe state');
  }

  /** Leaves the link and waits until the last thread has: it is closed by then. */
  async #letGo(lease: Lease<Link>, thread: Thread): Promise<void> {
    const { flag, relay, address } = this.#ctx;
    const wasUp = flag.clear();
    this.#ctx.isSilent = false;
    this.#ctx.lease = undefined;
    if (this.#parts.announces) {
      relay.offer({ kind: 'availability', device: address, state: this.#parts.reopens ? 'offline' : 'gone' });
    }
    // Found up: the end is ours (finish, crash, restart), so the receive thread has not been told by the link.
    if (wasUp) this.#tellReceive(lease);
    this.#parts.sendLetsGo(lease);
    lease.leave(HOLDER);
    const force = (): void => lease.force(); // a thread that is stuck must not keep the port open for ever
    if (thread.state === 'aborting') force();
    else thread.abortSignal.addEventListener('abort', force, { once: true });
    await lease.closed;
    thread.abortSignal.removeEventListener('abort', force);
  }

  #tellReceive(lease: Lease<Link>): void {
    const loss: LinkLoss = { trouble: 'closed', detail: 'closed by the gateway' };
    if (this.#ctx.received.put({ kind: 'ended', lease, loss }) !== 'queued') lease.leave('receive');
  }

  /** Decides what to do about the end of a link or a failed attempt, waits, and answers the reason of the next attempt. */
  async #pause(ending: LinkError | Served, stop: AbortSignal): Promise<string> {
    this.#awaySince ??= this.#ctx.clock.now();
    let next: string | Crash | Restart = 'time to try again';
    let why = ending;
    do {
      next = await this.#pauseFor(why, stop);
      if (typeof next !== 'string') why = next;
    } while (typeof next !== 'string');
    return next;
  }

  #pauseFor(ending: LinkError | Served, stop: AbortSignal): Promise<string | Crash | Restart> {
    if (ending instanceof Error) return this.#pauseForWeather(ending.message, stop);
    if (ending.why === 'crash') return this.#pauseAfterCrash(ending, stop);
    if (ending.why === 'lost') return this.#pauseForWeather(`link lost: ${ending.loss.detail}`, stop);
    const reason = ending.why === 'restart' ? ending.reason : 'shutdown';
    this.#go('backing-off', reason);
    return Promise.resolve(reason);
  }

  #pauseForWeather(reason: string, stop: AbortSignal): Promise<string | Crash | Restart> {
    const delayMs = backoffDelay(this.#backoff, this.#attempt, this.#ctx.clock.random());
    this.#attempt += 1;
    this.#complain(reason, delayMs);
    this.#go('backing-off', reason);
    return this.#waitToRetry(delayMs, stop, this.#parts.opener.changed?.bind(this.#parts.opener));
  }

  #pauseAfterCrash(crash: Crash, stop: AbortSignal): Promise<string | Crash | Restart> {
    const { clock, log, counters } = this.#ctx;
    const intensity = this.#parts.intensity ?? DEFAULT_INTENSITY;
    counters.crashes += 1;
    this.#crashed.add(crash.thread);
    this.#ctx.decoder = undefined;
    const decision = decideRestart(this.#crashes, clock.now(), clock.random(), this.#backoff, intensity);
    this.#crashes = decision.crashes;
    const text = `${crash.thread} thread crashed: ${messageOf(crash.error)}`;
    const fields = { thread: crash.thread, err: crash.error, retry_in_ms: Math.round(decision.afterMs) };
    if (decision.action === 'park') {
      const limit = `more than ${intensity.max} crashes within ${intensity.windowMs / 1000} s`;
      log.error(fields, `${text}; ${limit}: parked, tried again later; this is a bug in the driver, see the stack`);
    } else {
      log.error(fields, `${text}; restarting it`);
    }
    this.#go(decision.action === 'park' ? 'parked' : 'backing-off', text);
    return this.#waitToRetry(decision.afterMs, stop);
  }

  get #backoff(): Backoff {
    const { first, max } = this.#ctx.settings.reconnect;
    return { firstMs: first, maxMs: max };
  }

  /** Waits out a delay; ends early when the device may be back, a restart is asked for, or a thread crashes meanwhile. */
  async #waitToRetry(
    delayMs: number,
    stop: AbortSignal,
    changed?: (signal: AbortSignal) => Promise<void>,
  ): Promise<string | Crash | Restart> {
    const { clock, managing } = this.#ctx;
    this.#nextRetryAt = clock.wall() + delayMs;
    const over = new AbortController();
    const end = (): void => over.abort();
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
    const waits: Promise<string>[] = [sleep(clock, delayMs, over.signal).then(() => 'time to try again')];
    if (changed) waits.push(changed(over.signal).then(() => 'the device node has changed'));
    let next: string | Crash | Restart | undefined;
    while (next === undefined) {
      const woken = await Promise.race([...waits, managing.ready(over.signal)]);
      next = woken === 'ready' ? this.#early(managing.poll()) : woken;
    }
    over.abort();
    stop.removeEventListener('abort', end);
    this.#nextRetryAt = 0;
    return next;
  }

  /** What a message that came during a wait means for it; echoes of the link that has gone mean nothing. */
  #early(taken: Taken<ManagerItem> | undefined): Crash | Restart | undefined {
    const item = taken?.ok ? taken.item : undefined;
    if (item?.kind === 'crash') return { why: 'crash', thread: item.thread, error: item.error };
    if (item?.kind === 'restart') return { why: 'restart', reason: item.reason };
    return undefined;
  }

  /** One line per kind of trouble: a device that stays away does not fill the log. */
  #complain(reason: string, delayMs: number): void {
    const { log } = this.#ctx;
    const fields = { thread: HOLDER, retry_in_ms: Math.round(delayMs) };
    if (reason === this.#lastComplaint) log.debug(fields, reason);
    else log.warn(fields, `${reason}; trying again until it works`);
    this.#lastComplaint = reason;
  }

  #go(to: GroupState, reason: string): void {
    const { state } = this.#parts;
    if (state.state === to || state.state === 'closing' || state.state === 'closed') return;
    state.go(to, reason);
  }
}
