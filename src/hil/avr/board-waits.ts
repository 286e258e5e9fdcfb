// What waits for a board: each wait ends with its condition, its time, or the board.

import type { Clock, Timer } from '../../core/clock.js';
import { AvrBoardError } from './avr-board.js';

const LOOK_EVERY_MS = 2;

interface Wait {
  readonly isOver: () => boolean;
  readonly end: (error?: AvrBoardError) => void;
}

export class BoardWaits {
  readonly #clock: Clock;
  readonly #waits = new Set<Wait>();
  #ended: AvrBoardError | undefined;
  #look: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves once `condition` holds; rejects after `timeoutMs`, naming `what`, or when the board ends. */
  until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        wait.end(new AvrBoardError('avr-timeout', `waited ${timeoutMs} ms in vain for ${what}`));
      });
      const wait: Wait = {
        isOver: condition,
        end: (error) => {
          timer.cancel();
          this.#waits.delete(wait);
          if (error) reject(error);
          else resolve();
        },
      };
      this.#waits.add(wait);
      this.look();
    });
  }

  /** Looks at every condition; one that throws is over, and has its wait rejected. */
  look(): void {
    this.#look?.cancel();
    this.#look = undefined;
    for (const wait of this.#waits) lookAt(wait);
    if (this.#waits.size > 0) this.#look = this.#clock.after(LOOK_EVERY_MS, () => this.look());
  }

  /** Rejects all waits, and those to come. */
  end(error: AvrBoardError): void {
    this.#ended ??= error;
    this.#look?.cancel();
    for (const wait of this.#waits) wait.end(error);
  }
}

function lookAt(wait: Wait): void {
  try {
    if (wait.isOver()) wait.end();
  } catch (cause) {
    wait.end(new AvrBoardError('avr-bad-condition', `the condition threw: ${String(cause)}`, { cause }));
  }
}
