// A device's Worker with those who look after it: its thread, the time that it has to load its driver, the watch that finds it
// hanging. Made by a WorkerDecoder or a WorkerSession, which say when it owes something and what its messages mean.

import type { Clock, Timer } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { WorkerCrash } from './worker-crash.js';
import { WorkerPulse } from './worker-pulse.js';
import { WorkerThread, type WorkerThreadOptions } from './worker-thread.js';
import { WorkerWatch } from './worker-watch.js';

const HEAP_MB = 64;

/** Of the device, as their owners get it. */
export interface DeviceWorkerOptions {
  /** Of the device: names the Worker. */
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  /** MB of heap (old generation). Default 64. */
  readonly heapMb?: number | undefined;
}

export interface WatchedWorkerOptions<From>
  extends Pick<WorkerThreadOptions<From>, 'kind' | 'entry' | 'onMessage' | 'onFailure'> {
  /** `workerData`: what `entry` expects, with the memory of the pulse. */
  readonly setup: (pulse: SharedArrayBuffer) => object;
  /** ms until `loaded` is called. */
  readonly loadMs: number;
  /** ms without progress after which it has failed. */
  readonly hangMs: number;
  /** True while it owes an answer. */
  readonly owes: () => boolean;
}

export class WatchedWorker<To, From> {
  /** What the Worker says of itself while its thread may be stuck. */
  readonly pulse = new WorkerPulse();
  readonly #device: DeviceWorkerOptions;
  readonly #options: WatchedWorkerOptions<From>;
  readonly #watch: WorkerWatch;
  #thread: WorkerThread<To, From> | undefined;
  #loading: Timer | undefined;

  constructor(device: DeviceWorkerOptions, options: WatchedWorkerOptions<From>) {
    this.#device = device;
    this.#options = options;
    const { hangMs, owes, onFailure } = options;
    this.#watch = new WorkerWatch({
      clock: device.clock,
      pulse: this.pulse,
      hangMs,
      owes,
      rss: () => process.memoryUsage.rss(),
      onHung: (why) => onFailure(new WorkerCrash(`the driver makes ${why}: terminated`)),
    });
  }

  /** Never throws: what goes wrong is told later, as every crash is. */
  start(): void {
    const { onFailure, loadMs } = this.#options;
    try {
      this.#thread = this.#makeThread();
    } catch (error) {
      // Options that cannot be cloned.
      const crash = new WorkerCrash(`cannot start the device's Worker: ${messageOf(error)}`, { cause: error });
      queueMicrotask(() => onFailure(crash));
      return;
    }
    this.#loading = this.#device.clock.after(loadMs, () => {
      onFailure(new WorkerCrash(`the driver did not load within ${loadMs / 1000} s: terminated`));
    });
  }

  /** Its driver is there. */
  loaded(): void {
    this.#loading?.cancel();
  }

  /** It has something to do: from now on it is watched. */
  watch(): void {
    this.#watch.start();
  }

  /** `transfer`: memory that the Worker takes over. Goes nowhere before `start`. */
  post(message: To, transfer: readonly ArrayBuffer[]): void {
    this.#thread?.post(message, transfer);
  }

  /** Ends it, whatever it does. Idempotent. Resolves when its thread has ended, or after 1 s. */
  async end(): Promise<void> {
    this.#watch.stop();
    this.#loading?.cancel();
    await this.#thread?.end();
  }

  #makeThread(): WorkerThread<To, From> {
    const { id, clock, log, heapMb = HEAP_MB } = this.#device;
    const { kind, entry, setup, onMessage, onFailure } = this.#options;
    const workerData = setup(this.pulse.buffer);
    return new WorkerThread<To, From>({ id, kind, entry, clock, log, setup: workerData, heapMb, onMessage, onFailure });
  }
}
