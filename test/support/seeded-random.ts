// The seed of a test run, so that a failing test can be given its random numbers again: it is printed, FERRULE_TEST_SEED sets it.

export { seededRandom } from '../../src/hil/fault-random.js';

/** The seed of this run. */
export const SEED = Number(process.env.FERRULE_TEST_SEED ?? Date.now() % 1_000_000);
delete process.env.FERRULE_TEST_SEED; // the gateways that a test starts would read it as an override of their config
