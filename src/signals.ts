// The only file with process.on: the signals that end or reload the daemon, and the last line of defence against errors
// that nobody caught.

export interface SignalHandlers {
  /** SIGTERM or SIGINT, the first time. */
  onStop(signal: NodeJS.Signals): void;
  /** The second SIGTERM or SIGINT: somebody is impatient. */
  onImpatience(signal: NodeJS.Signals): void;
  onReload(): void;
  /** An exception that nobody caught: a bug in Ferrule or a library. What state things are in is not known. */
  onUncaught(error: unknown): void;
  /** A promise that was rejected and that nobody looks at: a bug too, of a driver perhaps, but nothing was torn in two. */
  onUnhandled(error: unknown): void;
}

/** Installs the handlers; answers how to take them out again. */
export function handleSignals(handlers: SignalHandlers): () => void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) handlers.onImpatience(signal);
    else {
      isStopping = true;
      handlers.onStop(signal);
    }
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
 * SIGTERM or SIGINT ends the process at once, with 1.
 */
export function holdSignals(): () => void {
  const held = new Set<NodeJS.Signals>();
  const reload = (signal: NodeJS.Signals): unknown => held.add(signal);
  const stop = (signal: NodeJS.Signals): void => {
    if (held.has('SIGTERM') || held.has('SIGINT')) process.exit(1);
    held.add(signal);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
    for (const signal of held) process.kill(process.pid, signal);
    held.clear();
  };
}
