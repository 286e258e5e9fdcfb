// The exit codes of all commands, after sysexits.h. A service manager must not retry 64 and 78.

export const EXIT = {
  clean: 0,
  /** Drained, but something was left or stuck. */
  leftovers: 1,
  /** No broker, or no gateway that answers. */
  unreachable: 1,
  usage: 64,
  internal: 70,
  config: 78,
} as const;
