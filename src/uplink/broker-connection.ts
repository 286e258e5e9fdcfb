// The manager thread of the uplink: owns the connection to the broker. Opens a session, watches it, backs off, opens the
// next; says goodbye at the end.
//
//   connecting -> session -> subscribe -> online -> lost -> backing-off -> connecting        farewell -> DISCONNECT

import { hideCredentials } from '../config/problem.js';
import { type Clock, sleep } from '../core/clock.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Log } from '../core/log.js';
import type { Backoff } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import type { openSession } from './open-session.js';
import { type Ending, ReconnectPolicy } from './reconnect-policy.js';
import type { Session, SessionHooks, SessionLoss, SessionOptions, SubscribeResult } from './session.js';
import { SessionError } from './session-error.js';

/** Longest that a farewell may take, once everything else has been delivered, ms. */
const FAREWELL_MS = 1000;
/** Longest wait between two attempts once the gateway shuts down and something waits for the broker, ms. */
const HURRIED_MS = 500;
/** Refused filters that are named in one line of the log. */
const NAMED = 3;

/** What the manager does to the rest of the uplink. None may throw. */
export interface ConnectionHooks extends Omit<SessionHooks, 'onLost'> {
  /** All that is to be subscribed with a new session. */
  filters(): string[];
  /** The session is open and subscribed. */
  onOpen(session: Session): void;
  /** It is gone. Also called for one that was lost before `onOpen`. Answers how many messages are sent again for it. */
  onLost(): number;
  /**
   * The end: publish what is to be said last, also where the session has not come as far as `onOpen`. `idle`: the broker
   * has it.
   */
  farewell(session: Session, signal: AbortSignal): Promise<'idle' | 'aborted'>;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly state: StateMachine<GroupState>;
  readonly session: Omit<SessionOptions, 'clock'>;
  readonly reconnect: Backoff;
  readonly open: typeof openSession;
  readonly hooks: ConnectionHooks;
}

/** How an attempt ended, and how long its session had lived. */
interface Attempt {
  readonly ending: Ending;
  readonly livedMs?: number;
  /** Messages that it had not acknowledged. */
  readonly resent?: number;
}

const CLOSED_BY_US: SessionLoss = { trouble: 'closed', detail: 'closed by us' };

export class BrokerConnection {
  readonly #options: ConnectionOptions;
  /** Its URL, for people. */
  readonly #broker: string;
  readonly #policy: ReconnectPolicy;
  #session: Session | undefined;
  #wasOnline = false;
  #isHurried = false;
  #farewellMs = FAREWELL_MS;
  #wake: () => void = () => {};
  #awaySince: number | undefined;
  readonly #noted = new Set<string>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#broker = hideCredentials(options.session.url);
    this.#policy = new ReconnectPolicy(options.reconnect);
  }

  /** The open session, while there is one. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The thread's body. Ends on finish, after the farewell; or at once on abort. */
  async run(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    // Aborts also when the thread has crashed: what it has opened goes with it.
    thread.abortSignal.addEventListener('abort', () => this.#session?.destroy(), { once: true });
    while (!stop.aborted) {
      this.#go('connecting', 'connecting');
      thread.busy(`connecting to ${this.#broker}`);
      const attempt = await this.#attempt(thread, stop);
      thread.idle();
      if (!stop.aborted) await this.#backOff(attempt, stop);
    }
  }

  /** The farewell may take no longer than this, ms. */
  limitFarewell(ms: number): void {
    this.#farewellMs = Math.min(FAREWELL_MS, ms);
  }

  /** From now on there is little time left: tries at once, and then often. */
  hurry(): void {
    this.#isHurried = true;
    this.#wake();
  }

  /** Reports filters that the broker has refused: a line for each reason, since it may be all filters of hundreds of devices. */
  report(result: SubscribeResult): void {
    if (result === 'lost') return;
    for (const reason of new Set(result.map((refused) => refused.reason))) {
      const filters = result.filter((refused) => refused.reason === reason).map(({ filter }) => filter);
      const others = filters.length > NAMED ? ` and ${filters.length - NAMED} others` : '';
      const names = filters.slice(0, NAMED).join(', ') + others;
      this.#options.log.error(
        { thread: 'manager', filter: filters[0], refused: filters.length },
        `the broker refuses the subscription to ${names} (${reason}): commands there will not arrive; check its access rules`,
      );
    }
  }

  /** One session, from its opening to its end. */
  async #attempt(thread: Thread, stop: AbortSignal): Promise<Attempt> {
    const { clock } = this.#options;
    let resent = 0;
    let tellLost: (loss: SessionLoss) => void = () => {};
    const lost = new Promise<SessionLoss>((resolve) => {
      tellLost = resolve;
    });
    const opened = await this.#open((loss) => {
      resent = this.#onLost();
      tellLost(loss);
    }, stop);
    if (opened instanceof SessionError) return { ending: opened };
    const openedAt = clock.now();
    if (!opened.isLost) this.#session = opened;
    const ending = await this.#serve(opened, lost, thread, stop);
    return { ending, livedMs: clock.now() - openedAt, resent };
  }

  async #open(onLost: (loss: SessionLoss) => void, stop: AbortSignal): Promise<Session | SessionError> {
    const { session, clock, open, hooks } = this.#options;
    const { onMessage, onAck, onAcksRead, onDrain } = hooks;
    try {
      return await open({ ...session, clock }, { onMessage, onAck, onAcksRead, onDrain, onLost }, stop);
    } catch (error) {
      if (error instanceof SessionError) return error;
      throw error;
    }
  }

  async #serve(session: Session, lost: Promise<SessionLoss>, thread: Thread, stop: AbortSignal): Promise<Ending> {
    const over = new AbortController();
    const end = Promise.race([lost, aborted(stop, over.signal)]);
    thread.busy('subscribing');
    thread.waiting(); // each packet has its limit; hundreds of devices on a slow link take many
    const filters = this.#options.hooks.filters();
    const subscribing = session.subscribe(filters);
    const subscribed = await Promise.race([subscribing, end.then(() => 'lost' as const)]);
    this.report(subscribed);
    if (subscribed !== 'lost' && !session.isLost) {
      this.#dropGone(session, filters);
      this.#begin(session);
    }
    thread.idle();
    const loss = await end;
    over.abort();
    if (loss !== undefined) return loss;
    thread.busy('saying goodbye to the broker');
    return this.#farewell(session, lost);
  }

  /** Of devices that have gone meanwhile: their UNSUBSCRIBE may have been quicker than the SUBSCRIBE of a long list. */
  #dropGone(session: Session, filters: readonly string[]): void {
    const wanted = new Set(this.#options.hooks.filters());
    const gone = filters.filter((filter) => !wanted.has(filter));
    if (gone.length > 0) void session.unsubscribe(gone);
  }

  #begin(session: Session): void {
    const { clock, hooks, log } = this.#options;
    const awayMs = this.#awaySince === undefined ? undefined : Math.round(clock.now() - this.#awaySince);
    const after = awayMs === undefined ? '' : `${this.#wasOnline ? ' again' : ''} after ${awayMs} ms`;
    this.#awaySince = undefined;
    this.#wasOnline = true;
    this.#go('online', 'connected');
    const fields = { thread: 'manager', broker: this.#broker, away_ms: awayMs };
    log.info(fields, `connected to the broker${after}`);
    for (const note of session.notes) this.#note(note);
    hooks.onOpen(session);
  }

  /** What is true of this broker is said once, not with every session. */
  #note(words: string): void {
    if (this.#noted.has(words)) return;
    this.#noted.add(words);
    this.#options.log.warn({ thread: 'manager', broker: this.#broker }, words);
  }

  #onLost(): number {
    this.#session = undefined;
    return this.#options.hooks.onLost();
  }

  /** Without an answer to the last words the session is broken off, so that the broker says them for us: the last will. */
  async #farewell(session: Session, lost: Promise<SessionLoss>): Promise<Ending> {
    const over = new AbortController();
    const limit = this.#options.clock.after(this.#farewellMs, () => over.abort());
    const outcome = await Promise.race([this.#options.hooks.farewell(session, over.signal), lost]);
    limit.cancel();
    over.abort();
    if (outcome === 'idle') await session.end();
    else session.destroy();
    return CLOSED_BY_US;
  }

  async #backOff({ ending, livedMs, resent = 0 }: Attempt, stop: AbortSignal): Promise<void> {
    const { clock, log, session } = this.#options;
    this.#awaySince ??= clock.now();
    const retry = this.#policy.next(ending, livedMs, clock.now(), clock.random());
    const { detail, isRepeated, shortSessions } = retry;
    const delayMs = this.#isHurried ? Math.min(retry.delayMs, HURRIED_MS) : retry.delayMs;
    this.#go('backing-off', detail);
    const fields = { thread: 'manager', retry_in_ms: Math.round(delayMs), ...(resent > 0 && { resent }) };
    const again = resent > 0 ? `; ${resent} unacknowledged messages will be sent again, and may arrive twice` : '';
    if (isRepeated) log.debug(fields, detail + again);
    else log.warn(fields, `${detail}${again}; devices go on, trying again until it works`);
    if (shortSessions !== undefined) {
      const words = `${shortSessions} sessions in a row lived only seconds; another client may be using our client id`;
      log.warn({ thread: 'manager', client_id: session.clientId }, `${words} "${session.clientId}"; backing off`);
    }
    await this.#pause(delayMs, stop);
  }

  /** Ends early with `stop`, or when someone is in a hurry. */
  async #pause(ms: number, stop: AbortSignal): Promise<void> {
    const wake = new AbortController();
    this.#wake = () => wake.abort();
    stop.addEventListener('abort', this.#wake, { once: true });
    await sleep(this.#options.clock, stop.aborted ? 0 : ms, wake.signal);
    stop.removeEventListener('abort', this.#wake);
  }

  #go(to: GroupState, reason: string): void {
    const { state } = this.#options;
    if (state.state !== to && state.can(to)) state.go(to, reason);
  }
}

/** Resolves when `signal` aborts; lets go of it when `over` does. */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    over.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true });
  });
}
