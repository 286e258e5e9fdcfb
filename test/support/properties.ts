// fast-check as our tests use it: the same cases in every run, so that a change is judged by itself and not by chance.
// `FERRULE_TEST_SEED=random npx ava <file>` looks at others; a failure prints its seed.

import fc from 'fast-check';
import { SEED } from './seeded-random.js';

fc.configureGlobal({ seed: SEED });

export { fc };
