// Crashes of a driver while its device closes. At other times one ends the receive thread and the manager starts another; now nobody
// does so any more, and what was read behind it would be lost with it: the thread goes on, with a fresh driver.

import type { Clock } from '../core/clock.js';
import type { GroupState } from '../core/lifecycle.js';
import { DEFAULT_INTENSITY, type RestartIntensity } from '../core/restart-policy.js';
import type { StateMachine } from '../core/state-machine.js';
import type { Thread } from '../core/thread.js';

/** The fail-safe bytes wait for the end of the receive thread: this long after the first crash, ms, the next one ends it. */
const LIMIT_MS = 2000;

export interface LastCrashesParts {
  readonly state: StateMachine<GroupState>;
  /** As many as are borne within its window at other times are borne now. */
  readonly intensity?: RestartIntensity | undefined;
  /** Told of each that does not end the thread, as the group is of one that does. */
  onCrash(thread: Thread, error: unknown): void;
}

export class LastCrashes {
  readonly #clock: Clock;
  readonly #parts: LastCrashesParts;
  #count = 0;
  #until: number | undefined;

  constructor(clock: Clock, parts: LastCrashesParts) {
    this.#clock = clock;
    this.#parts = parts;
  }

  /** Throws the crash if it is to end the thread. */
  outlive(crash: unknown, thread: Thread): void {
    const { state, intensity = DEFAULT_INTENSITY } = this.#parts;
    if (state.state !== 'closing' || this.#count >= intensity.max) throw crash;
    const now = this.#clock.now();
    this.#until ??= now + LIMIT_MS;
    if (now > this.#until) throw crash;
    this.#count += 1;
    this.#parts.onCrash(thread, crash);
  }
}
