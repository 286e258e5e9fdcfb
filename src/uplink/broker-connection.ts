// The manager thread of the uplink: owns the connection to the broker. Opens a session, watches it, backs off, opens the
// next; says goodbye at the end.
//
//   connecting -> session -> subscribe -> online -> lost -> backing-off -> connecting        farewell -> DISCONNECT

import { type Clock, sleep } from '../core/clock.js';
import type { GroupState } from '../core/lifecycle.js';
import type { Log } from '../core/log.js';
import { type Backoff, backoffDelay } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';
import type { openSession } from './open-session.js';
import type { Session, SessionHooks, SessionLoss, SessionOptions, SubscribeResult } from './session.js';
import { SessionError } from './session-error.js';

/** Longest that a farewell may take, once everything else has been delivered, ms. */
const FAREWELL_MS = 1000;
/** Wrong credentials do not mend themselves: knocking slowly keeps the broker's log readable. */
const SLOW: Backoff = { firstMs: 15_000, maxMs: 300_000 };
const SLOW_TROUBLES: ReadonlySet<string> = new Set(['credentials', 'client-id', 'version', 'taken-over']);

/** What the manager does to the rest of the uplink. None may throw. */
export interface ConnectionHooks extends Omit<SessionHooks, 'onLost'> {
  /** All that is to be subscribed with a new session. */
  filters(): string[];
  /** The session is open and subscribed. */
  onOpen(session: Session): void;
  /** It is gone. Also called for one that was lost before `onOpen`. */
  onLost(): void;
  /** The end: publish what is to be said last. Resolves when the broker has it, or `signal` aborts. */
  farewell(signal: AbortSignal): Promise<void>;
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

type Ending = SessionError | SessionLoss;

export class BrokerConnection {
  readonly #options: ConnectionOptions;
  #session: Session | undefined;
  #lost: ((loss: SessionLoss) => void) | undefined;
  #attempt = 0;
  #lastComplaint = '';
  #awaySince: number | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The open session, while there is one. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The thread's body. Ends on finish, after the farewell; or at once on abort. */
  async run(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    try {
      while (!stop.aborted) {
        this.#go('connecting', 'connecting');
        thread.busy(`connecting to ${this.#options.session.url}`);
        const opened = await this.#open(stop);
        thread.idle();
        const ending = opened instanceof Error ? opened : await this.#serve(opened, stop);
        if (!stop.aborted) await this.#backOff(ending, stop);
      }
    } finally {
      this.#session?.destroy();
    }
  }

  /** Reports filters that the broker has refused. */
  report(result: SubscribeResult): void {
    if (result === 'lost') return;
    for (const { filter, reason } of result) {
      this.#options.log.error(
        { thread: 'manager', filter },
        `the broker refuses the subscription to ${filter} (${reason}): commands there will not arrive; check its access rules`,
      );
    }
  }

  async #open(stop: AbortSignal): Promise<Session | SessionError> {
    const { session, clock, open, hooks } = this.#options;
    const { onMessage, onAck, onAcksRead, onDrain } = hooks;
    const onLost = (loss: SessionLoss): void => this.#onLost(loss);
    try {
      return await open({ ...session, clock }, { onMessage, onAck, onAcksRead, onDrain, onLost }, stop);
    } catch (error) {
      if (error instanceof SessionError) return error;
      throw error;
    }
  }

  async #serve(session: Session, stop: AbortSignal): Promise<Ending> {
    const { hooks } = this.#options;
    const lost = new Promise<SessionLoss>((resolve) => {
      this.#lost = resolve;
    });
    this.#session = session;
    const subscribed = await session.subscribe(hooks.filters());
    this.report(subscribed);
    if (!session.isLost) this.#begin(session);
    const over = new AbortController();
    const ended = await Promise.race([lost, aborted(stop, over.signal)]);
    over.abort();
    if (ended !== undefined) return ended;
    await this.#farewell(session);
    return { trouble: 'closed', detail: 'closed by us' };
  }

  #begin(session: Session): void {
    const { clock, hooks, log } = this.#options;
    const awayMs = this.#awaySince === undefined ? undefined : Math.round(clock.now() - this.#awaySince);
    this.#attempt = 0;
    this.#lastComplaint = '';
    this.#awaySince = undefined;
    this.#go('online', 'connected');
    const again = awayMs === undefined ? '' : ` again after ${awayMs} ms`;
    const fields = { thread: 'manager', broker: this.#options.session.url, away_ms: awayMs };
    log.info(fields, `connected to the broker${again}`);
    hooks.onOpen(session);
  }

  #onLost(loss: SessionLoss): void {
    this.#session = undefined;
    this.#options.hooks.onLost();
    this.#lost?.(loss);
  }

  async #farewell(session: Session): Promise<void> {
    const over = new AbortController();
    const limit = sleep(this.#options.clock, FAREWELL_MS, over.signal);
    await Promise.race([this.#options.hooks.farewell(over.signal), limit]);
    over.abort();
    await session.end();
  }

  async #backOff(ending: Ending, stop: AbortSignal): Promise<void> {
    const { clock, reconnect, log } = this.#options;
    const detail = ending instanceof Error ? ending.message : ending.detail;
    this.#awaySince ??= clock.now();
    const backoff = SLOW_TROUBLES.has(ending.trouble) ? SLOW : reconnect;
    const delayMs = backoffDelay(backoff, this.#attempt, clock.random());
    this.#attempt += 1;
    this.#go('backing-off', detail);
    const fields = { thread: 'manager', retry_in_ms: Math.round(delayMs) };
    if (detail === this.#lastComplaint) log.debug(fields, detail);
    else log.warn(fields, `${detail}; devices go on, trying again until it works`);
    this.#lastComplaint = detail;
    await sleep(clock, delayMs, stop);
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
