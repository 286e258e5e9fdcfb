// What openers are given by the composition root. The roots of the system trees are arguments so that tests use their own.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { HolderSearch } from '../port-holder.js';
import type { SystemRoots } from '../ports.js';
import type { ChunkPool } from './chunk-pool.js';
import type { NameLookups } from './name-lookups.js';

export interface LinkDeps extends SystemRoots {
  readonly clock: Clock;
  readonly log?: Log;
  /** Shared by all sockets; default: each opener has its own. */
  readonly chunks?: ChunkPool;
  /** Shared by all that connect to a host by its name; default: each opener has its own. */
  readonly names?: NameLookups;
  /** Shared by all serial ports, so that they share its walks through /proc; default: each opening has its own. */
  readonly holders?: HolderSearch;
}
