// The daemon's log: pino, JSON on stdout, written synchronously, because a transport loses the last lines at SIGTERM. On a
// terminal the lines are made readable by pino-pretty, in this process and synchronously too.

import pino from 'pino';
import type { Log } from '../core/log.js';

export interface LogOptions {
  readonly level: string;
  readonly isTerminal: boolean;
  /** File descriptor; default stdout. */
  readonly fd?: number;
}

/** Makes the root logger. */
export async function makeLog({ level, isTerminal, fd = 1 }: LogOptions): Promise<Log> {
  const lines = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: named } };
  if (!isTerminal) return pino<never, false>(lines, pino.destination({ dest: fd, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    destination: fd,
    sync: true,
    colorize: true,
    translateTime: 'HH:MM:ss.l',
    ignore: 'group,thread',
    messageFormat: '{if group}{group}{end}{if thread}/{thread}{end}: {msg}',
  });
  return pino<never, false>({ level, base: null }, stream);
}

function named(label: string): { level: string } {
  return { level: label };
}
