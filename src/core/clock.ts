// Time as an argument. Everything that waits, measures or jitters takes a Clock, so that tests run on a fake one
// (`test/support/fake-clock.ts`) and never sleep. `systemClock` is the only place that touches the global timers.

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds, for durations. Fractions allowed; the zero point means nothing. */
  now(): number;
  /** Wall-clock milliseconds since the epoch, for what people and brokers read. May jump (NTP). */
  wall(): number;
  /** Calls `fire` once after `ms` (the system's clock: at most 24.8 days). The timer does not keep the process alive. */
  after(ms: number, fire: () => void): Timer;
  /** Stops the whole thread for about `ms`: for fractions of one, which no timer can do. Nothing else happens meanwhile. */
  block(ms: number): void;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

/** The longest wait that setTimeout keeps (24.8 days); a longer one it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A class: there is one for each of thousands of connections, and a closure takes three times as much. */
class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout.unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

const nothing = new Int32Array(new SharedArrayBuffer(4));

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fire) {
    return new SystemTimer(setTimeout(fire, Math.min(ms, LONGEST_MS)));
  },
  block: (ms) => void Atomics.wait(nothing, 0, 0, ms),
  random: () => Math.random(),
};

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. The answer says which. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<'elapsed' | 'aborted'> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve('aborted');
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      resolve('aborted');
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve('elapsed');
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
