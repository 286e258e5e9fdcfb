// Notices a device that has fallen silent although its link is open: tells the manager `quiet` after `silent_after`
// without a byte. Looks at the monotonic clock, since the wall clock of a board without a battery jumps by years.

import type { Timer } from '../core/clock.js';
import type { DeviceContext } from './device-context.js';

export class SilenceWatch {
  readonly #ctx: DeviceContext;
  #timer: Timer | undefined;

  constructor(ctx: DeviceContext) {
    this.#ctx = ctx;
  }

  /** Begins to wait for silence; what was before does not count. Does nothing where `silent_after` is 0. */
  start(): void {
    this.cancel();
    this.#ctx.heardAt = this.#ctx.clock.now();
    if (this.#ctx.settings.silent_after > 0) this.#arm(this.#ctx.settings.silent_after);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One timer that follows the last bytes lazily, instead of being moved with every chunk. */
  #arm(ms: number): void {
    this.#timer = this.#ctx.clock.after(ms, () => this.#look());
  }

  #look(): void {
    const { clock, settings, managing, isPaused, heardAt } = this.#ctx;
    const leftMs = heardAt + settings.silent_after - clock.now();
    if (isPaused) this.#arm(settings.silent_after);
    else if (leftMs > 0) this.#arm(leftMs);
    else managing.put({ kind: 'quiet' });
  }
}
