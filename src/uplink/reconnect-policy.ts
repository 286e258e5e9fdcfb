// When to try the broker again, and how loud to be about it. An attempt counter that only a session of some length resets:
// a broker that accepts and drops at once, or a twin that uses our client id, must not make us knock without end.

import { type Backoff, backoffDelay } from '../core/restart-policy.js';
import type { SessionLoss } from './session.js';
import { SessionError } from './session-error.js';

/** How an attempt ended: no session, or one that is over. */
export type Ending = SessionError | SessionLoss;

export interface Retry {
  readonly delayMs: number;
  /** What happened, in a sentence. */
  readonly detail: string;
  /** Said before, not long ago: for level debug. */
  readonly isRepeated: boolean;
  /** Set once in a row of short sessions: how many there were. */
  readonly shortSessions?: number;
}

/** Wrong credentials do not mend themselves: knocking slowly keeps the broker's log readable. */
const SLOW: Backoff = { firstMs: 15_000, maxMs: 300_000 };
const SLOW_TROUBLES: ReadonlySet<string> = new Set(['credentials', 'client-id', 'version', 'taken-over', 'redirected']);
/** The broker is not there: then it may have closed its sessions because it went away. */
const AWAY_TROUBLES: ReadonlySet<string> = new Set(['refused', 'unknown-host', 'unreachable', 'timeout']);
/** A session that lived this long was a good one, ms. */
const GOOD_MS = 10_000;
/** One that a twin ends must have outlived the slowest backoff, or the two would wake each other for ever. */
const GOOD_BESIDE_TWIN_MS = 2 * SLOW.maxMs;
/** Short sessions in a row that make a second client with our id likely; so many silent ends of sessions make it sure. */
const SUSPICIOUS = 3;
/** The same complaint is made again after this time, ms. */
const REMIND_MS = 600_000;

export class ReconnectPolicy {
  readonly #backoff: Backoff;
  #attempt = 0;
  #shortSessions = 0;
  /** Sessions that the broker closed without a word, without having been away since the one before. */
  #silentEnds = 0;
  #complaint = '';
  #complainedAt = 0;

  constructor(backoff: Backoff) {
    this.#backoff = backoff;
  }

  /** What to do about an ending at `now` (monotonic ms). `livedMs`: how long the session had lived, if there was one. */
  next(ending: Ending, livedMs: number | undefined, now: number, random: number): Retry {
    if (livedMs !== undefined) this.#judge(ending, livedMs);
    else if (AWAY_TROUBLES.has(ending.trouble)) this.#silentEnds = 0;
    const detail = ending instanceof SessionError ? ending.message : ending.detail;
    const isSlow = SLOW_TROUBLES.has(ending.trouble) || this.#silentEnds >= SUSPICIOUS;
    const delayMs = backoffDelay(isSlow ? SLOW : this.#backoff, this.#attempt, random);
    this.#attempt += 1;
    const isRepeated = !isSlow && detail === this.#complaint && now - this.#complainedAt < REMIND_MS;
    if (!isRepeated) this.#complainedAt = now;
    this.#complaint = detail;
    const isSuspicious = livedMs !== undefined && this.#shortSessions === SUSPICIOUS;
    return { delayMs, detail, isRepeated, ...(isSuspicious && { shortSessions: SUSPICIOUS }) };
  }

  /** The end of a session is news, whatever was said before. */
  #judge({ trouble }: Ending, livedMs: number): void {
    this.#complaint = '';
    if (livedMs >= GOOD_MS) this.#shortSessions = 0;
    else this.#shortSessions += 1;
    // MQTT 3.1.1 and mosquitto 2.0.11 do not say that a twin has taken over: they close. A broker that crashes closes too, but
    // then is away for an attempt, or was there for long.
    const isSilent = trouble === 'closed-silently' && livedMs < GOOD_BESIDE_TWIN_MS;
    this.#silentEnds = isSilent ? this.#silentEnds + 1 : 0;
    const hasTwin = trouble === 'taken-over' || this.#silentEnds >= SUSPICIOUS;
    if (livedMs >= (hasTwin ? GOOD_BESIDE_TWIN_MS : GOOD_MS)) this.#attempt = 0;
  }
}
