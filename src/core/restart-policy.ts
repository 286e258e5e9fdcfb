// Weather and bugs are counted apart. Weather (a lost link) backs off for ever; a bug (an exception) is restarted up to
// an intensity, then parked and probed. Both are pure functions of what happened and a random number.

/** Exponential backoff with full jitter: a random wait up to min(maxMs, firstMs * 2^attempt). */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before attempt number `attempt` (0 = first retry), in ms. Full jitter spreads a fleet over the whole span (AWS
 * Architecture Blog, "Exponential Backoff and Jitter"); the floor of a tenth of `firstMs` keeps a lucky draw from spinning.
 */
export function backoffDelay(backoff: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return Math.min(backoff.maxMs, Math.max(backoff.firstMs / 10, ceiling * random));
}

export interface RestartIntensity {
  /** Crashes tolerated within the window. */
  readonly max: number;
  readonly windowMs: number;
  /** Wait before a parked group is tried again; jittered by a quarter. */
  readonly probeMs: number;
}

export const DEFAULT_INTENSITY: RestartIntensity = { max: 5, windowMs: 60_000, probeMs: 300_000 };

export type RestartDecision =
  | { readonly action: 'restart'; readonly afterMs: number; readonly crashes: readonly number[] }
  | { readonly action: 'park'; readonly afterMs: number; readonly crashes: readonly number[] };

/**
 * What to do about a crash at `now`, given the times of earlier ones. Answers the crashes still in the window, to be
 * passed in again next time, so the caller keeps at most `max` + 1 numbers.
 */
export function decideRestart(
  earlier: readonly number[],
  now: number,
  random: number,
  backoff: Backoff,
  intensity: RestartIntensity = DEFAULT_INTENSITY,
): RestartDecision {
  const crashes = [...earlier.filter((at) => now - at < intensity.windowMs), now].slice(-(intensity.max + 1));
  if (crashes.length > intensity.max) {
    return { action: 'park', afterMs: intensity.probeMs * (0.75 + random / 2), crashes };
  }
  return { action: 'restart', afterMs: backoffDelay(backoff, crashes.length - 1, random), crashes };
}
