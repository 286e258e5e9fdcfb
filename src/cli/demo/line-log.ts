// A Log for people who watch: each entry one line of text, `group: message`, handed to whoever shows it.

import { FerruleError } from '../../core/errors.js';
import type { Log, LogMethod } from '../../core/log.js';

export type Level = 'info' | 'warn' | 'error';

export interface LogLine {
  readonly level: Level;
  readonly text: string;
  /** Where a bug was thrown. */
  readonly stack?: string;
}

/** Makes a log that hands its lines to `show`; debug lines are dropped. */
export function makeLineLog(show: (line: LogLine) => void, group?: string): Log {
  const method =
    (level: Level): LogMethod =>
    (fields: object | string, message?: string) => {
      const text = typeof fields === 'string' ? fields : (message ?? '');
      const stack = typeof fields === 'string' ? undefined : stackOf(fields);
      show({ level, text: group === undefined ? text : `${group}: ${text}`, ...(stack !== undefined && { stack }) });
    };
  return {
    debug: () => {},
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: (bindings) => makeLineLog(show, typeof bindings.group === 'string' ? bindings.group : group),
  };
}

/** A FerruleError says all in its message; of anything else the place matters. */
function stackOf(fields: object): string | undefined {
  const error = 'err' in fields ? fields.err : undefined;
  return error instanceof Error && !(error instanceof FerruleError) ? error.stack : undefined;
}
