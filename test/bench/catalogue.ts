// Every workload and every system of the bench, in the order in which they run.

import { measureCeilings } from './ceilings.js';
import type { System } from './system.js';
import { bareServer } from './systems/bare-server.js';
import { ferrule } from './systems/ferrule.js';
import { nodeRed } from './systems/node-red.js';
import { pipe } from './systems/pipe.js';
import { plain } from './systems/plain.js';
import type { Workload } from './workload.js';
import { bareConnections, connections } from './workloads/connections.js';
import { firehose } from './workloads/firehose.js';
import { ptys } from './workloads/ptys.js';
import { replug } from './workloads/replug.js';
import { roundTrip } from './workloads/round-trip.js';
import { sigterm } from './workloads/sigterm.js';
import { start } from './workloads/start.js';

/** Connections of the two workloads with many. */
const MANY = [1000, 5000];

export const SYSTEMS: readonly System[] = [ferrule, pipe, plain, nodeRed];

/** No system at all: what the bench itself can do. */
export const BENCH_ITSELF: System = {
  name: 'the bench itself',
  unfit: () => undefined,
  prepare: () => ({ command: 'true', args: [] }),
};

/** A workload, and the systems that run it. */
export interface Entry {
  readonly workload: Workload;
  readonly systems: readonly System[];
}

export const CATALOGUE: readonly Entry[] = [
  {
    workload: { name: 'ceilings', title: 'what the bench can do at most', needs: [], run: measureCeilings },
    systems: [BENCH_ITSELF],
  },
  ...[firehose(0, 'mosquitto'), firehose(1, 'mosquitto'), firehose(1, 'v4'), firehose(1, 'wide')].map(forAll),
  ...[firehose(0, 'counting'), firehose(1, 'counting')].map(forAll),
  ...[ptys(1), ptys(8)].map(forAll),
  ...MANY.flatMap((count) => [forAll(connections(count)), bare(count)]),
  ...[roundTrip('tcp'), roundTrip('pty'), replug, start, sigterm].map(forAll),
];

function forAll(workload: Workload): Entry {
  return { workload, systems: SYSTEMS };
}

/** The same name as the workload that it is compared with: they are one row of the table. */
function bare(count: number): Entry {
  const { name, descriptors = 0 } = connections(count);
  const title = 'the same, of a bare net server';
  return {
    workload: { name, title, needs: ['memory'], descriptors, run: (rig) => bareConnections(rig, count) },
    systems: [bareServer],
  };
}
