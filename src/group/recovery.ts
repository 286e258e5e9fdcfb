// What to do about trouble: how long to wait before the next attempt, and what to say. Weather and bugs are counted apart:
// a lost link backs off for ever with full jitter, a crash is restarted up to an intensity, then parked and probed.

import { messageOf } from '../core/errors.js';
import {
  type Backoff,
  backoffDelay,
  DEFAULT_INTENSITY,
  decideRestart,
  type RestartIntensity,
} from '../core/restart-policy.js';
import type { LinkError, LinkLoss } from '../device/link.js';
import type { CrashTally } from './crash-tally.js';
import type { DeviceContext } from './device-context.js';

/** Why there is no link, or no longer. */
export type Ending =
  | { readonly why: 'unopened'; readonly error: LinkError }
  | { readonly why: 'lost'; readonly loss: LinkLoss }
  | { readonly why: 'crash'; readonly thread: string; readonly error: unknown }
  | { readonly why: 'restart'; readonly reason: string };

/** The wait before the next attempt. */
export interface Pause {
  readonly state: 'backing-off' | 'parked';
  readonly reason: string;
  readonly delayMs: number;
  /** True if the wait may end early because the device seems to be back. */
  readonly isWeather: boolean;
}

const THREAD = 'manager';

export class Recovery {
  readonly #ctx: Pick<DeviceContext, 'clock' | 'log'>;
  readonly #backoff: Backoff;
  readonly #intensity: RestartIntensity;
  /** For an accepted connection, which is not opened again: of all that its listener has. */
  readonly #tally: CrashTally | undefined;
  /** Failed attempts since the link last worked. */
  #attempt = 0;
  /** Monotonic ms of the crashes within the window. */
  #crashes: readonly number[] = [];
  #lastComplaint = '';

  constructor(
    ctx: Pick<DeviceContext, 'clock' | 'log' | 'settings'>,
    intensity = DEFAULT_INTENSITY,
    tally?: CrashTally,
  ) {
    const { first, max } = ctx.settings.reconnect;
    this.#ctx = ctx;
    this.#backoff = { firstMs: first, maxMs: max };
    this.#intensity = intensity;
    this.#tally = tally;
  }

  /** The link was good: the next loss is a new trouble. Not to be called for one that was only opened and lost at once. */
  worked(): void {
    this.#attempt = 0;
    this.#lastComplaint = '';
  }

  judge(ending: Ending): Pause {
    switch (ending.why) {
      case 'unopened':
        return this.#weather(ending.error.message);
      case 'lost':
        return this.#weather(`link lost: ${ending.loss.detail}`);
      case 'crash':
        return this.#tally === undefined
          ? this.#crash(ending.thread, ending.error)
          : this.#lastCrash(ending.thread, ending.error, this.#tally);
      case 'restart':
        return { state: 'backing-off', reason: ending.reason, delayMs: 0, isWeather: false };
    }
  }

  #weather(reason: string): Pause {
    const { clock, log } = this.#ctx;
    const delayMs = backoffDelay(this.#backoff, this.#attempt, clock.random());
    this.#attempt += 1;
    const fields = { thread: THREAD, retry_in_ms: Math.round(delayMs) };
    // One line per kind of trouble: a device that stays away does not fill the log.
    if (reason === this.#lastComplaint) log.debug(fields, reason);
    else log.warn(fields, `${reason}; trying again until it works`);
    this.#lastComplaint = reason;
    return { state: 'backing-off', reason, delayMs, isWeather: true };
  }

  /** Of a connection, which ends with it. */
  #lastCrash(thread: string, error: unknown, tally: CrashTally): Pause {
    const reason = `${thread} thread crashed: ${messageOf(error)}`;
    const isToTell = tally.note();
    const fields = { thread, err: error, crashes: tally.count };
    this.#ctx.log[isToTell ? 'error' : 'debug'](fields, `${reason}; its connection is closed`);
    return { state: 'backing-off', reason, delayMs: 0, isWeather: false };
  }

  #crash(thread: string, error: unknown): Pause {
    const { clock, log } = this.#ctx;
    const { max, windowMs } = this.#intensity;
    const decision = decideRestart(this.#crashes, clock.now(), clock.random(), this.#backoff, this.#intensity);
    this.#crashes = decision.crashes;
    const isParked = decision.action === 'park';
    const reason = `${thread} thread crashed: ${messageOf(error)}`;
    const fields = { thread, err: error, retry_in_ms: Math.round(decision.afterMs) };
    const limit = `more than ${max} crashes within ${windowMs / 1000} s`;
    const next = isParked
      ? `${limit}: parked, tried again later; this is a bug in the driver, see the stack`
      : 'restarting it';
    log.error(fields, `${reason}; ${next}`);
    return { state: isParked ? 'parked' : 'backing-off', reason, delayMs: decision.afterMs, isWeather: false };
  }
}
