// How long tests run that prove something by repetition: short by default, at full length with FERRULE_SOAK=1.

import type { ExecutionContext } from 'ava';

/** True with FERRULE_SOAK=1. */
export const isSoak = process.env.FERRULE_SOAK === '1';
delete process.env.FERRULE_SOAK; // the gateways that a test starts would read it as an override of their config

const SOAK_MINUTES = 15;

/** So often by default, so often in a soak. */
export function repeats(byDefault: number, inSoak: number): number {
  return isSoak ? inSoak : byDefault;
}

/** Gives a test the time that a soak takes. */
export function allowForSoak(t: ExecutionContext): void {
  if (isSoak) t.timeout(SOAK_MINUTES * 60_000);
}
