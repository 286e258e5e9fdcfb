// The seed of a test run: the same in every run unless FERRULE_TEST_SEED says `random` or a number. Tests that use it print it.

export { seededRandom } from '../../src/hil/fault-random.js';

const ASKED = process.env.FERRULE_TEST_SEED ?? '328';
delete process.env.FERRULE_TEST_SEED; // the gateways that a test starts would read it as an override of their config

/** The seed of this run. */
export const SEED = ASKED === 'random' ? Date.now() % 1_000_000 : Number(ASKED);
