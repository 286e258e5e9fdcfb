// Notices a device that has fallen silent although its link is open: tells the manager `quiet` after `silent_after`
// without a byte. Looks at the monotonic clock, since the wall clock of a board without a battery jumps by years.

import type { Timer } from '../core/clock.js';
import type { DeviceContext } from './device-context.js';

/** For a device whose `silent_after` is not 0. */
export class SilenceWatch {
  readonly #ctx: DeviceContext;
  #timer: Timer | undefined;

  constructor(ctx: DeviceContext) {
    this.#ctx = ctx;
  }

  /** Begins to wait for silence; what was before does not count. */
  start(): void {
    this.cancel();
    this.#ctx.heardAt = this.#ctx.clock.now();
    this.#arm(this.#ctx.settings.silent_after);
  }

  /** For a `quiet`: true if the device counts as silent from now on; if something has come after all, the wait begins anew. */
  hasFallenSilent(): boolean {
    const { clock, settings, heardAt, isSilent } = this.#ctx;
    if (isSilent) return false;
    const isQuiet = clock.now() - heardAt >= settings.silent_after;
    if (isQuiet) this.#ctx.isSilent = true;
    else this.start();
    return isQuiet;
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
