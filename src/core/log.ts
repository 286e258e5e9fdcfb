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

/**
 * The log of one group: says what a child of `log` would say. A child of pino's, with what wraps it, takes more than a KiB; this
 * is one small object, and there is one to each of thousands of connections.
 */
export class GroupLog implements Log {
  readonly #log: Log;
  readonly #group: string;

  constructor(log: Log, group: string) {
    this.#log = log;
    this.#group = group;
  }

  debug(fields: object | string, message?: string): void {
    this.#say('debug', fields, message);
  }

  info(fields: object | string, message?: string): void {
    this.#say('info', fields, message);
  }

  warn(fields: object | string, message?: string): void {
    this.#say('warn', fields, message);
  }

  error(fields: object | string, message?: string): void {
    this.#say('error', fields, message);
  }

  child(bindings: Record<string, unknown>): Log {
    return this.#log.child({ group: this.#group, ...bindings });
  }

  #say(level: 'debug' | 'info' | 'warn' | 'error', fields: object | string, message = ''): void {
    const group = this.#group;
    if (typeof fields === 'string') this.#log[level]({ group }, fields);
    else this.#log[level]({ group, ...fields }, message);
  }
}

const nothing: LogMethod = () => {};

/** Says nothing; for tests and tools that have their own output. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silentLog };
