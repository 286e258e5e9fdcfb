// A log that keeps its lines, for tests that ask what was said about whom. Children write into the same list, each line
// with the bindings of its logger.

import type { Log, LogMethod } from '../../src/core/log.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly bindings: Readonly<Record<string, unknown>>;
}

export class RecordingLog implements Log {
  /** Every line so far, oldest first; shared with the children. */
  readonly lines: LogLine[];
  readonly bindings: Readonly<Record<string, unknown>>;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;

  constructor(bindings: Record<string, unknown> = {}, lines: LogLine[] = []) {
    this.bindings = bindings;
    this.lines = lines;
    this.debug = this.#recorder('debug');
    this.info = this.#recorder('info');
    this.warn = this.#recorder('warn');
    this.error = this.#recorder('error');
  }

  child(bindings: Record<string, unknown>): RecordingLog {
    return new RecordingLog({ ...this.bindings, ...bindings }, this.lines);
  }

  /** The lines of one level. */
  at(level: LogLevel): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  /** The lines whose message contains `text` or matches it. */
  matching(text: string | RegExp): LogLine[] {
    return this.lines.filter(({ message }) => (typeof text === 'string' ? message.includes(text) : text.test(message)));
  }

  /** The first such line, or undefined. */
  find(text: string | RegExp): LogLine | undefined {
    return this.matching(text)[0];
  }

  #recorder(level: LogLevel): LogMethod {
    return (...args: [object, string] | [string]) => {
      const [fields, message] = args.length === 1 ? [{}, args[0]] : args;
      this.lines.push({ level, message, fields: { ...fields }, bindings: this.bindings });
    };
  }
}
