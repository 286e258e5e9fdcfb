// What a session sends first: what has just come, or what the spool has from before; and whether live readings have to wait
// for that. They do so for a disk that does not answer, too, but for some seconds only where the user prefers them.

import type { Clock, Timer } from '../core/clock.js';
import type { Spool } from '../spool/spool.js';
import type { ReplayOrder } from './lanes.js';
import type { Outbox } from './outbox.js';
import type { Replay } from './replay.js';
import type { Spill } from './spill.js';
import { orderFor, type SpoolSettings } from './spool-settings.js';

/** A disk that does not open, take a write or answer a read within this, or twice as long, is not waited for; ms. */
const DISK_PATIENCE_MS = 5000;

export interface SendOrderOptions {
  readonly clock: Clock;
  readonly settings: SpoolSettings;
  readonly spool: Pick<Spool, 'messages'>;
  readonly outbox: Pick<Outbox, 'order'>;
  readonly replay: Pick<Replay, 'start' | 'stop' | 'isPending' | 'reading'>;
  readonly spill: Pick<Spill, 'writing'>;
  /** Live readings wait no longer: pump. */
  readonly onFreed: () => void;
}

export class SendOrder {
  readonly #options: SendOrderOptions;
  #order: ReplayOrder = 'live-first';
  /** It has been looked what the spool has from before. */
  #isSpoolKnown = false;
  #isOver = false;
  #patience: Timer | undefined;

  constructor(options: SendOrderOptions) {
    this.#options = options;
  }

  /** Live readings have to wait: others that came before them are on the disk, may be there, or are on their way there. */
  get isLiveHeld(): boolean {
    const { replay, spill } = this.#options;
    if (this.#order === 'live-first') return false;
    return !this.#isSpoolKnown || spill.writing.length > 0 || replay.isPending;
  }

  /** They are worth writing meanwhile: not as long as it is not known whether there is anything before them. */
  get isSpillWanted(): boolean {
    return this.#isSpoolKnown && this.isLiveHeld;
  }

  /** The spool has been opened, or is not there: only now is it known how much there is to be sent. */
  spoolOpened(): void {
    this.#isSpoolKnown = true;
  }

  /** Begins with a session, or anew once more is known. */
  begin(): void {
    const { spool, settings } = this.#options;
    this.#use(orderFor(spool.messages, settings));
    if (settings.replay_order === 'live-first' && this.#order !== 'live-first') this.#waitForDisk();
  }

  /** Live readings have waited long enough, where the user prefers them. Answers whether they go first now. */
  preferLive(): boolean {
    if (this.#options.settings.replay_order !== 'live-first') return false;
    this.#use('live-first');
    return true;
  }

  /** The session is over. */
  lost(): void {
    this.#patience?.cancel();
    this.#options.replay.stop();
  }

  /** The gateway ends: what is on the disk is safe there, and stays. */
  end(): void {
    this.#isOver = true;
    this.lost();
  }

  #use(order: ReplayOrder): void {
    this.#patience?.cancel();
    this.#order = order;
    this.#options.outbox.order = order;
    if (!this.#isOver) this.#options.replay.start(order);
  }

  #waitForDisk(): void {
    if (this.#isOver) return;
    const { clock, spill, replay, onFreed } = this.#options;
    const { writing } = spill;
    const { reading } = replay;
    this.#patience = clock.after(DISK_PATIENCE_MS, () => {
      const isWriteStuck = writing.length > 0 && spill.writing === writing;
      const isReadStuck = reading > 0 && replay.reading === reading;
      const isStuck = !this.#isSpoolKnown || isWriteStuck || isReadStuck;
      if (!isStuck && this.isLiveHeld) this.#waitForDisk();
      else if (isStuck && this.preferLive()) onFreed();
    });
  }
}
