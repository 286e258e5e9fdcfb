// The pause of a link that can wait: its device is not listened to until the receive thread has caught up.

import type { Link } from '../device/link.js';
import type { DeviceContext } from './device-context.js';

export class LinkPause {
  readonly #ctx: Pick<DeviceContext, 'clock' | 'isPaused' | 'heardAt'>;
  #link: Link | undefined;

  constructor(ctx: Pick<DeviceContext, 'clock' | 'isPaused' | 'heardAt'>) {
    this.#ctx = ctx;
  }

  begin(link: Link): void {
    if (this.#link === link) return;
    this.#link = link;
    this.#ctx.isPaused = true;
    link.pause();
  }

  end(): void {
    const link = this.#link;
    if (link === undefined) return;
    this.forget();
    link.resume();
  }

  /** The link has ended, or flows again by itself. */
  forget(): void {
    if (this.#link === undefined) return;
    this.#link = undefined;
    this.#ctx.isPaused = false;
    this.#ctx.heardAt = this.#ctx.clock.now(); // while we did not listen, the device was not silent
  }
}
