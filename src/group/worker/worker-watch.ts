// Finds a Worker that hangs: something is to be done and nothing is being done. Looks 20 times within the time allowed, and a
// slice counts once however late its timer is: a time in which the whole process stood still (SIGSTOP, a loaded
// board) is not taken for a hang, since the Worker stood still with it.

import type { Clock, Timer } from '../../core/clock.js';
import type { WorkerPulse } from './worker-pulse.js';
import { AT_REST } from './worker-pulse.js';

const SLICES = 20;
/** The heap of a Worker is limited, its buffers are not. RSS of the process grown by this while a Worker is stuck: ended too. */
const MAX_GROWTH = 256 * 1024 ** 2;

export interface WorkerWatchOptions {
  readonly clock: Clock;
  readonly pulse: WorkerPulse;
  readonly hangMs: number;
  /** True while the Worker owes an answer. */
  readonly owes: () => boolean;
  /** RSS of the process, bytes. */
  readonly rss: () => number;
  /** Called once with what is wrong. */
  readonly onHung: (why: string) => void;
}

export class WorkerWatch {
  readonly #options: WorkerWatchOptions;
  #timer: Timer | undefined;
  #seen = 0;
  #idleSlices = 0;
  #rssAtFirst = 0;
  #isOver = false;

  constructor(options: WorkerWatchOptions) {
    this.#options = options;
  }

  /** The Worker has been given something to do. The timer is not set anew with each batch: it ends by itself at rest. */
  start(): void {
    if (this.#timer !== undefined || this.#isOver) return;
    this.#seen = this.#options.pulse.progress;
    this.#idleSlices = 0;
    this.#arm();
  }

  /** For good. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(this.#options.hangMs / SLICES, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const { pulse, owes } = this.#options;
    if (!owes() && pulse.at === AT_REST) return;
    const { progress } = pulse;
    if (progress !== this.#seen) this.#idleSlices = 0;
    else this.#idleSlices += 1;
    this.#seen = progress;
    const why = this.#trouble();
    if (why === undefined) this.#arm();
    else {
      this.stop();
      this.#options.onHung(why);
    }
  }

  #trouble(): string | undefined {
    const { hangMs, rss } = this.#options;
    if (this.#idleSlices === 0) return undefined;
    if (this.#idleSlices === 1) this.#rssAtFirst = rss();
    if (this.#idleSlices >= SLICES) return `no progress for ${hangMs / 1000} s`;
    const grown = rss() - this.#rssAtFirst;
    return grown > MAX_GROWTH ? `no progress, and ${Math.round(grown / 1024 ** 2)} MiB more memory in use` : undefined;
  }
}
