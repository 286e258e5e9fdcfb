// In the Worker: what a session has to say for the log of its device, cut and counted: it must not fill the disk.

import type { Clock } from '../../core/clock.js';
import type { FromSession, LogLevel } from './session-protocol.js';

const MAX_LINES = 60;
const PER_MS = 60_000;
const MAX_CHARS = 500;

export class SessionLog {
  readonly #clock: Clock;
  readonly #post: (message: FromSession) => void;
  #since = 0;
  #told = 0;
  #withheld = 0;

  constructor(clock: Clock, post: (message: FromSession) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  say(level: LogLevel, text: string): void {
    const now = this.#clock.now();
    if (this.#told === 0 || now - this.#since >= PER_MS) {
      this.#since = now;
      this.#told = 0;
    }
    this.#told += 1;
    if (this.#told > MAX_LINES) {
      this.#withheld += 1;
      return;
    }
    this.#post({ kind: 'log', level, text: String(text).slice(0, MAX_CHARS), withheld: this.#withheld });
    this.#withheld = 0;
  }
}
