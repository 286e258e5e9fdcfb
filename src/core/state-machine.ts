// A state machine as a table: which state may follow which. Keeps the last transitions, so that "what happened to this
// device tonight" has an answer without a log. An illegal transition is a bug and throws.

import type { Clock } from './clock.js';
import { FerruleError } from './errors.js';

/** For each state, the states that may follow it. */
export type TransitionTable<State extends string> = Readonly<Record<State, readonly State[]>>;

export interface Transition<State extends string> {
  readonly from: State;
  readonly to: State;
  readonly reason: string;
  /** Wall-clock ms. */
  readonly at: number;
}

/** Thrown for a transition that the table does not have. */
export class IllegalTransition extends FerruleError {
  constructor(owner: string, from: string, to: string, reason: string) {
    super('illegal-transition', `${owner}: no way from state ${from} to ${to} (${reason})`);
  }
}

const HISTORY_LENGTH = 32;

export class StateMachine<State extends string> {
  #state: State;
  #since: number;
  #reason = '';
  /** Replaced, not changed: what somebody was shown stays what it was, and a short one takes no more room than it needs. */
  #history: readonly Transition<State>[] = [];
  readonly #owner: string;
  readonly #table: TransitionTable<State>;
  readonly #clock: Clock;
  readonly #onChange: ((transition: Transition<State>) => void) | undefined;

  constructor(options: {
    owner: string;
    table: TransitionTable<State>;
    initial: State;
    clock: Clock;
    onChange?: (transition: Transition<State>) => void;
  }) {
    this.#owner = options.owner;
    this.#table = options.table;
    this.#state = options.initial;
    this.#clock = options.clock;
    this.#since = options.clock.wall();
    this.#onChange = options.onChange;
  }

  get state(): State {
    return this.#state;
  }

  /** Wall-clock ms since when this state holds. */
  get since(): number {
    return this.#since;
  }

  get reason(): string {
    return this.#reason;
  }

  /** The last 32 transitions, oldest first. Does not change with the next one. */
  get history(): readonly Transition<State>[] {
    return this.#history;
  }

  can(to: State): boolean {
    return this.#table[this.#state].includes(to);
  }

  /** Goes to `to`. Throws IllegalTransition where the table has no such step. */
  go(to: State, reason: string): void {
    if (!this.can(to)) throw new IllegalTransition(this.#owner, this.#state, to, reason);
    const transition = { from: this.#state, to, reason, at: this.#clock.wall() };
    this.#state = to;
    this.#since = transition.at;
    this.#reason = reason;
    this.#history = this.#history.slice(1 - HISTORY_LENGTH).concat(transition);
    this.#onChange?.(transition);
  }
}
