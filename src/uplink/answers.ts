// Answers to commands on their way to the outbox. They are held for a moment: what the device has to say of a command is what
// people wait for, and must not wait behind three messages about it.
//
//   command -> bytes to the device -> its reading -> broker          2 ms later: accepted, sent, ok -> broker, in one write

import type { Clock, Timer } from '../core/clock.js';
import type { ResponseUp } from '../device/message.js';
import type { OutboxEntry } from './outbox-entry.js';

/** Longer than a device in the same network takes to answer. */
const HOLD_MS = 2;
/** With so many it is no single command that somebody waits for. */
const MANY = 32;

export interface AnswersOptions {
  readonly clock: Clock;
  readonly entryOf: (message: ResponseUp) => OutboxEntry;
  /** Given each answer whose moment is over. Must not throw. */
  readonly onDue: (entry: OutboxEntry) => void;
}

export class Answers {
  readonly #options: AnswersOptions;
  #held: (ResponseUp | OutboxEntry)[] = [];
  #timer: Timer | undefined;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  add(message: ResponseUp): void {
    // The data belongs to a driver, which may change it: that is made a message at once.
    this.#held.push(message.data === undefined ? message : this.#options.entryOf(message));
    if (this.#held.length >= MANY) this.handOn();
    else this.#timer ??= this.#options.clock.after(HOLD_MS, () => this.handOn());
  }

  /** Hands on what is held, in order. */
  handOn(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const each of held) this.#options.onDue('kind' in each ? this.#options.entryOf(each) : each);
  }
}
