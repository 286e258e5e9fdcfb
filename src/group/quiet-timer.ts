// The timer that framing needs: a gap between two chunks that ends a frame, quiet that settles a reading. Judged by when the bytes
// came: the timer may be late, and so may the thread that asks.

import type { Timer } from '../core/clock.js';
import { type DecodeHost, quietDueMs } from './decode-host.js';
import type { DeviceContext } from './device-context.js';

export class QuietTimer {
  readonly #ctx: Pick<DeviceContext, 'clock' | 'received'>;
  /** Monotonic ms of the last chunk that was decoded. */
  #chunkAt = 0;
  #timer: Timer | undefined;

  constructor(ctx: Pick<DeviceContext, 'clock' | 'received'>) {
    this.#ctx = ctx;
  }

  /** A chunk that came at `at` is about to be decoded: does first what the silence before it calls for. */
  chunk(decoder: DecodeHost, at: number): void {
    this.pass(decoder, at);
    this.#chunkAt = at;
  }

  /** Does what silence from the last chunk until `at` calls for. */
  pass(decoder: DecodeHost, at: number): void {
    const quietMs = at - this.#chunkAt;
    const { gapMs, settleMs } = decoder;
    if (gapMs !== undefined && decoder.held > 0 && quietMs >= gapMs) decoder.flush('gap');
    if (settleMs !== undefined && decoder.hasUnsettled && quietMs >= settleMs) decoder.settle();
  }

  /** Puts a `quiet` when it is time. One timer serves both waits, and is not moved with every chunk: it is set again if it was too early. */
  arm(decoder: DecodeHost): void {
    const dueMs = quietDueMs(decoder);
    if (dueMs === undefined || this.#timer !== undefined) return;
    const { clock, received } = this.#ctx;
    const waitMs = Math.max(0, this.#chunkAt + dueMs - clock.now());
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined;
      received.put({ kind: 'quiet', at: clock.now() });
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
