// A log that also goes to `bridge/logging`: every line is written as before, and those of level warn and above are told to
// whoever listens, at a bounded rate. What the uplink says of itself stays off MQTT: a line about a publish that fails must not
// be published.
//
//   {"level":"warn","message":"link lost: ...","group":"scale","thread":"manager","at":1767225600000}

import { hideCredentials } from '../config/problem.js';
import type { Clock } from '../core/clock.js';
import type { Log, LogMethod } from '../core/log.js';
import type { LogUp } from '../device/message.js';
import { UPLINK_ID } from '../uplink/uplink.js';
import type { LogLevel } from './bridge-api.js';

/** Lines that may come at once, and lines per second beyond that. */
const BURST = 50;
const PER_SECOND = 10;
/** Characters of a message that are told. */
const MAX_MESSAGE = 1000;
const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogRelayOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly publish: (line: LogUp) => void;
}

/** What all children of one relay share. */
interface Gate {
  level: LogLevel;
  tokens: number;
  filledAt: number;
  /** Lines that were not told, since the last that was. */
  suppressed: number;
  isPublishing: boolean;
}

export class LogRelay implements Log {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly #options: LogRelayOptions;
  readonly #bindings: Readonly<Record<string, unknown>>;
  readonly #gate: Gate;

  constructor(options: LogRelayOptions, bindings: Readonly<Record<string, unknown>> = {}, gate?: Gate) {
    this.#options = options;
    this.#bindings = bindings;
    const filledAt = options.clock.now();
    this.#gate = gate ?? { level: 'warn', tokens: BURST, filledAt, suppressed: 0, isPublishing: false };
    this.debug = this.#method('debug');
    this.info = this.#method('info');
    this.warn = this.#method('warn');
    this.error = this.#method('error');
  }

  child(bindings: Record<string, unknown>): Log {
    const { log } = this.#options;
    return new LogRelay({ ...this.#options, log: log.child(bindings) }, { ...this.#bindings, ...bindings }, this.#gate);
  }

  /** From now on lines of this level and above are told. */
  setLevel(level: LogLevel): void {
    this.#gate.level = level;
  }

  #method(level: LogLevel): LogMethod {
    return (fields: object | string, message?: string) => {
      const { log } = this.#options;
      if (typeof fields === 'string') log[level](fields);
      else log[level](fields, message ?? '');
      if (RANKS[level] < RANKS[this.#gate.level]) return;
      if (typeof fields === 'string') this.#tell(level, fields, {});
      else this.#tell(level, message ?? '', { ...fields });
    };
  }

  #tell(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
    const { group, thread } = { ...this.#bindings, ...fields };
    if (group === UPLINK_ID || this.#gate.isPublishing || !this.#mayTell()) return;
    const { clock, publish } = this.#options;
    const { suppressed } = this.#gate;
    this.#gate.suppressed = 0;
    this.#gate.isPublishing = true;
    try {
      publish({
        kind: 'log',
        level,
        message: hideCredentials(message).slice(0, MAX_MESSAGE),
        at: clock.wall(),
        ...(typeof group === 'string' && { group }),
        ...(typeof thread === 'string' && { thread }),
        ...(suppressed > 0 && { suppressed }),
      });
    } finally {
      this.#gate.isPublishing = false;
    }
  }

  /** A bucket of tokens that fills with time. */
  #mayTell(): boolean {
    const gate = this.#gate;
    const now = this.#options.clock.now();
    gate.tokens = Math.min(BURST, gate.tokens + ((now - gate.filledAt) / 1000) * PER_SECOND);
    gate.filledAt = now;
    if (gate.tokens < 1) {
      gate.suppressed += 1;
      return false;
    }
    gate.tokens -= 1;
    return true;
  }
}
