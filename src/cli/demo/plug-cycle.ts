// Somebody who pulls the plug of a device now and then, and puts it in again.

import type { Clock, Timer } from '../../core/clock.js';
import type { VirtualLine } from '../../hil/virtual-line.js';

/** How long the plug is in, and how long it is out, ms. */
export interface PlugTimes {
  readonly inMs: number;
  readonly outMs: number;
}

/** Wait before the port of the device is asked for again, where somebody took it meanwhile, ms. */
const REPLUG_MS = 1000;

export interface PlugCycleOptions {
  readonly clock: Clock;
  readonly line: Pick<VirtualLine, 'plug' | 'unplug'>;
  readonly times: PlugTimes;
  /** The plug was pulled or put in. */
  readonly onChange: (now: 'in' | 'out') => void;
}

export class PlugCycle {
  readonly #options: PlugCycleOptions;
  #plug: 'in' | 'out' = 'in';
  #dueAt = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  /** Begins with the plug in. */
  constructor(options: PlugCycleOptions) {
    this.#options = options;
    this.#schedule(options.times.inMs, () => this.#pull());
  }

  get plug(): 'in' | 'out' {
    return this.#plug;
  }

  /** Until it changes, ms. */
  get leftMs(): number {
    return Math.max(0, this.#dueAt - this.#options.clock.now());
  }

  /** Leaves the plug as it is. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(ms: number, act: () => Promise<void>): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    this.#dueAt = clock.now() + ms;
    this.#timer = clock.after(ms, () => void act());
  }

  async #pull(): Promise<void> {
    const { line, times } = this.#options;
    this.#turn('out');
    this.#schedule(times.outMs, () => this.#putIn());
    await line.unplug();
  }

  async #putIn(): Promise<void> {
    const { line, times } = this.#options;
    try {
      await line.plug();
    } catch {
      this.#schedule(REPLUG_MS, () => this.#putIn());
      return;
    }
    if (this.#isStopped) return; // while the plug went in: its line has been closed, or will be
    this.#turn('in');
    this.#schedule(times.inMs, () => this.#pull());
  }

  #turn(to: 'in' | 'out'): void {
    this.#plug = to;
    this.#options.onChange(to);
  }
}
