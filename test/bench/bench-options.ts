// The arguments of `npm run bench -- ...`.

import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]
  --list            the workloads and systems
  --only a,b        only these workloads
  --systems a,b     only systems whose names contain one of these (ferrule, socat, mqtt.js, node-red, bare)
  --seconds N       length of the measured part of each workload (default: 10)
  --rounds N        each workload so many times, the systems taking turns; figures are the middle round's (default: 1)
  --up-to M         on with rounds, M at most, until there are as many calm ones (no processor time stolen by others)
  --against DIR     beside this build that in DIR, to see what a change has done; with rounds
  --json FILE       where the results go (default: ferrule-bench.json in the system's folder for temporary files)
  --spool           only what a day without a broker writes to the disk (spool.ts; takes minutes)
  --soak MINUTES    only a mixed load for so long, with memory, files and threads over time (soak.ts)
  --profile         take a profile of Ferrule under each workload, and print where its time went`;

export interface BenchOptions {
  readonly isList: boolean;
  readonly isProfile: boolean;
  readonly isSpool: boolean;
  /** Minutes of the soak; 0: none. */
  readonly soak: number;
  readonly seconds: number;
  readonly rounds: number;
  /** As many at most, until `rounds` of them were calm. */
  readonly upTo: number;
  readonly only: readonly string[] | undefined;
  readonly systems: readonly string[] | undefined;
  readonly json: string | undefined;
  /** The folder of another build. */
  readonly against: string | undefined;
}

/** Throws an Error whose message says what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      list: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      spool: { type: 'boolean', default: false },
      soak: { type: 'string', default: '0' },
      only: { type: 'string' },
      systems: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '1' },
      'up-to': { type: 'string' },
      json: { type: 'string' },
      against: { type: 'string' },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 60)) throw new Error(`--seconds: expected 1 to 60, got ${values.seconds}`);
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`--rounds: expected 1 or more, got ${values.rounds}`);
  const upTo = Number(values['up-to'] ?? rounds);
  if (!(Number.isInteger(upTo) && upTo >= rounds))
    throw new Error(`--up-to: expected as many as --rounds (${rounds}) or more, got ${values['up-to']}`);
  const soak = Number(values.soak);
  if (!(Number.isInteger(soak) && soak >= 0)) throw new Error(`--soak: expected whole minutes, got ${values.soak}`);
  return {
    ...{ soak, isList: values.list, isProfile: values.profile, isSpool: values.spool, seconds, rounds, upTo },
    ...{ json: values.json, against: values.against },
    only: values.only?.split(','),
    systems: values.systems?.toLowerCase().split(','),
  };
}
