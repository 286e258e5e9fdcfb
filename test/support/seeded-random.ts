// Random numbers that a failing test can be given again: the seed is printed, FERRULE_TEST_SEED sets it.

/** The seed of this run. */
export const SEED = Number(process.env.FERRULE_TEST_SEED ?? Date.now() % 1_000_000);
delete process.env.FERRULE_TEST_SEED; // the gateways that a test starts would read it as an override of their config

/** Numbers in [0, 1) that follow from `seed` (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
