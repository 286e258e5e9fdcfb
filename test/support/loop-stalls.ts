// The times at which this process itself did not run (garbage collection, other processes on a busy machine): what a test
// measures across them says nothing of the gateway, and is shortened by them.

const TICK_MS = 2;
/** A tick that comes this much late is a stall. */
const TOLERATED_MS = 3;

export interface LoopStalls {
  /** ms between two moments (performance.now()) in which this process stood still. */
  within(from: number, to: number): number;
  /** All of them together, and the longest, ms. */
  readonly total: number;
  readonly longest: number;
  /** Stops watching; idempotent. */
  stop(): void;
}

interface Stall {
  readonly from: number;
  readonly to: number;
}

/** Starts watching. */
export function watchLoopStalls(): LoopStalls {
  const stalls: Stall[] = [];
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - lastAt > TICK_MS + TOLERATED_MS) stalls.push({ from: lastAt + TICK_MS, to: now });
    lastAt = now;
  }, TICK_MS);
  timer.unref();
  return {
    within: (from, to) =>
      stalls.reduce((sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)), 0),
    get total() {
      return stalls.reduce((sum, { from, to }) => sum + to - from, 0);
    },
    get longest() {
      return Math.max(0, ...stalls.map(({ from, to }) => to - from));
    },
    stop: () => clearInterval(timer),
  };
}
