// What the receive thread hands to the send thread, and what happens where that is behind: whose line can wait waits, in order;
// a line that cannot loses its oldest readings, counted.

import type { Thread } from '../core/thread.js';
import { countOf } from '../device/message.js';
import type { DeviceContext, UpItem } from './device-context.js';

type Context = Pick<DeviceContext, 'up' | 'counters' | 'log' | 'settings' | 'tellChange'>;

/** Shared by all that wait for nothing: thousands of connections. Never changed. */
const NOTHING: UpItem[] = [];

export class WayUp {
  readonly #ctx: Context;
  /** Items that found no room, in order. Short: nothing is decoded while there are any. */
  #overflow: UpItem[] = NOTHING;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Something waits for room: nothing more is to be made before it has found it. */
  get isBlocked(): boolean {
    return this.#overflow.length > 0;
  }

  /** Takes an item. `waits`: it is the first that found no room. */
  put(item: UpItem, canWait: boolean): 'taken' | 'waits' {
    if (this.isBlocked) {
      this.#overflow.push(item);
      return 'taken';
    }
    if (!canWait) this.#makeRoom(item);
    const outcome = this.#ctx.up.put(item);
    if (outcome === 'closed') this.#countDropped(item);
    if (outcome !== 'rejected') return 'taken';
    this.#overflow = [item];
    return 'waits';
  }

  /** Resolves when everything that waited has found room, or the thread is to end. */
  async unblock(thread: Thread): Promise<void> {
    const { up } = this.#ctx;
    for (let item = this.#overflow[0]; item !== undefined; item = this.#overflow[0]) {
      const outcome = up.put(item);
      if (outcome === 'rejected') {
        thread.idle();
        await up.room(thread.abortSignal);
        if (thread.state !== 'aborting' || !this.isBlocked) continue;
      }
      if (outcome !== 'queued') this.#countDropped(item);
      this.#overflow.shift();
    }
    this.#overflow = NOTHING;
  }

  /** Hands back what still waits: nobody makes room for it any more. */
  giveUp(): readonly UpItem[] {
    return this.#overflow.splice(0);
  }

  /** For a line that cannot wait: the oldest readings make room for the newest. */
  #makeRoom(item: UpItem): void {
    const { up, counters, log, settings } = this.#ctx;
    const before = counters.droppedReadings;
    while (!up.closed && !up.fits(item)) {
      const oldest = up.poll();
      if (oldest?.ok) this.#countDropped(oldest.item);
    }
    if (counters.droppedReadings > before) this.#ctx.tellChange();
    if (before > 0 || counters.droppedReadings === 0) return;
    log.warn(
      { thread: 'receive', queue_size: settings.queue_size },
      'readings come in faster than they leave and a serial line cannot wait: the oldest are dropped and counted (see dropped_readings in bridge/devices)',
    );
  }

  #countDropped(item: UpItem): void {
    if (item.kind === 'readings') this.#ctx.counters.droppedReadings += countOf(item.batch);
  }
}
