// A command that runs until it is done or told to end: by Ctrl-C, SIGTERM, or because nobody reads its output any more.

import { systemClock } from '../core/clock.js';
import { handleSignals } from '../signals.js';
import { EXIT } from './exit-codes.js';

/** Far away: the timer is never meant to fire. */
const NEVER_MS = 2 ** 30;

/** Runs `work`, whose signal aborts when it is to end; gives its exit code. A second Ctrl-C does not wait for it. */
export async function untilSignal(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  // Timers of the clock do not keep the process alive, the command itself does.
  const alive = setInterval(() => {}, NEVER_MS);
  let release = (): void => {};
  const cutShort = new Promise<number>((resolve, reject) => {
    const onImpatience = (): void => resolve(EXIT.leftovers);
    const handlers = { onStop: end, onImpatience, onReload: end, onUncaught: reject, onUnhandled: reject };
    release = handleSignals(handlers, systemClock);
  });
  process.stdout.on('error', end);
  try {
    return await Promise.race([work(stop.signal), cutShort]);
  } finally {
    clearInterval(alive);
    process.stdout.off('error', end);
    release();
  }
}
