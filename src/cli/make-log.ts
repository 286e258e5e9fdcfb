// The daemon's log: pino, JSON on stdout, written synchronously, because a transport loses the last lines at SIGTERM. On a
// terminal the lines are made readable by pino-pretty, in this process and synchronously too.

import pino from 'pino';
import type { Log, LogMethod } from '../core/log.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  readonly isTerminal: boolean;
  /** File descriptor; default stdout. */
  readonly fd?: number;
}

/** A logger and all its children, whose level can be changed while they are in use. */
export interface DaemonLog extends Log {
  setLevel(level: LogLevel): void;
}

/** Of lines that cannot be written, characters of JSON that wait for better times. */
const MAX_UNWRITTEN = 64 * 1024;

/** Makes the root logger. */
export async function makeLog({ level, isTerminal, fd = 1 }: LogOptions): Promise<DaemonLog> {
  const threshold = { rank: RANKS[level] };
  const log = new SharedLevelLog(await makePino(isTerminal, fd), threshold);
  return Object.assign(log, {
    setLevel: (next: LogLevel) => {
      threshold.rank = RANKS[next];
    },
  });
}

async function makePino(isTerminal: boolean, fd: number): Promise<Log> {
  const lines = { level: 'debug', base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: named } };
  if (!isTerminal) return plainLog(lines, fd);
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    destination: fd,
    sync: true,
    colorize: true,
    translateTime: 'HH:MM:ss.l',
    ignore: 'group,thread',
    messageFormat: '{if group}{group}{end}{if thread}/{thread}{end}: {msg}',
  });
  return pino<never, false>({ level: 'debug', base: null }, stream);
}

/**
 * Lines of JSON. Where they cannot be written, as to a file on a disk that is full, they wait, up to a bound: a log that throws would
 * take everybody down who has something to say.
 */
function plainLog(lines: pino.LoggerOptions<never, false>, fd: number): Log {
  const output = pino.destination({ dest: fd, sync: true, maxLength: MAX_UNWRITTEN });
  const log: Log = pino<never, false>(lines, output);
  let dropped = 0;
  output.on('error', () => {});
  output.on('drop', () => (dropped += 1));
  output.on('drain', () => {
    const lost = dropped;
    dropped = 0; // first: what is said here is written, too
    if (lost > 0) log.warn({ lost }, `the log could not be written for a while: ${lost} lines are missing`);
  });
  return log;
}

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** pino copies the level into each child when that is made; here all of them look at one. */
class SharedLevelLog implements Log {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly #log: Log;
  readonly #threshold: { readonly rank: number };

  constructor(log: Log, threshold: { readonly rank: number }) {
    this.#log = log;
    this.#threshold = threshold;
    this.debug = this.#method('debug');
    this.info = this.#method('info');
    this.warn = this.#method('warn');
    this.error = this.#method('error');
  }

  child(bindings: Record<string, unknown>): Log {
    return new SharedLevelLog(this.#log.child(bindings), this.#threshold);
  }

  #method(level: LogLevel): LogMethod {
    const rank = RANKS[level];
    return (fields: object | string, message?: string) => {
      if (rank < this.#threshold.rank) return;
      if (typeof fields === 'string') this.#log[level](fields);
      else this.#log[level](fields, message ?? '');
    };
  }
}

function named(label: string): { level: string } {
  return { level: label };
}
