// The part of pino's logger that Ferrule uses. The composition root makes the real one; tests pass a recording one
// (`test/support/recording-log.ts`). Bindings `group` and `thread` say to whom a line belongs.

export interface LogMethod {
  (fields: object, message: string): void;
  (message: string): void;
}

export interface Log {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  child(bindings: Record<string, unknown>): Log;
}

const nothing: LogMethod = () => {};

/** Says nothing; for tests and tools that have their own output. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog };
