// The only file with process.on: the signals that end or reload the daemon, and the last line of defence against errors
// that nobody caught.

import type { Clock } from './core/clock.js';

/**
 * A second signal this soon, ms, is the first one by another way: `timeout` sends two, and so do systemd and a wrapper that passes
 * its own on. Somebody impatient sends one more.
 */
const TWIN_MS = 500;

export interface SignalHandlers {
  /** SIGTERM or SIGINT, the first time. */
  onStop(signal: NodeJS.Signals): void;
  /** A further SIGTERM or SIGINT, half a second after the first or later: somebody is impatient. */
  onImpatience(signal: NodeJS.Signals): void;
  onReload(): void;
  /** An exception that nobody caught: a bug in Ferrule or a library. What state things are in is not known. */
  onUncaught(error: unknown): void;
  /** A promise that was rejected and that nobody looks at: a bug too, of a driver perhaps, but nothing was torn in two. */
  onUnhandled(error: unknown): void;
}

/** Installs the handlers; answers how to take them out again. */
export function handleSignals(handlers: SignalHandlers, clock: Clock): () => void {
  const seen = new FirstSignal(clock);
  const stop = (signal: NodeJS.Signals): void => {
    const which = seen.next();
    if (which === 'first') handlers.onStop(signal);
    else if (which === 'impatient') handlers.onImpatience(signal);
  };
  const reload = (): void => handlers.onReload();
  const uncaught = (error: unknown): void => handlers.onUncaught(error);
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  const unhandled = (error: unknown): void => handlers.onUnhandled(error);
  process.on('uncaughtException', uncaught).on('unhandledRejection', unhandled);
  return () => {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
    process.off('uncaughtException', uncaught).off('unhandledRejection', unhandled);
  };
}

/**
 * Holds back the signals that come from now on: what is only starting cannot follow them, and must not be killed by them either, as
 * its devices may be online already. The answer lets go and raises them again, for who handles them by then; idempotent. A second
 * SIGTERM or SIGINT, half a second after the first or later, ends the process at once, with 1.
 */
export function holdSignals(clock: Clock): () => void {
  const held = new Set<NodeJS.Signals>();
  const seen = new FirstSignal(clock);
  const reload = (signal: NodeJS.Signals): unknown => held.add(signal);
  const stop = (signal: NodeJS.Signals): void => {
    const which = seen.next();
    if (which === 'first') held.add(signal);
    else if (which === 'impatient') process.exit(1);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
    for (const signal of held) process.kill(process.pid, signal);
    held.clear();
  };
}

/** Tells the first SIGTERM or SIGINT, the same one by another way, and those of somebody impatient from one another. */
class FirstSignal {
  readonly #clock: Clock;
  #at: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): 'first' | 'twin' | 'impatient' {
    if (this.#at !== undefined) return this.#clock.now() - this.#at < TWIN_MS ? 'twin' : 'impatient';
    this.#at = this.#clock.now();
    return 'first';
  }
}
