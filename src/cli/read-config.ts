// Config and drivers together, as `run`, `check` and a reload need them: everything checked, or every line of what is wrong.
// What was changed over MQTT is part of it, but never keeps a gateway from running: what does not fit the user's files any
// more is left out, and said.

import { hostname } from 'node:os';
import type { ConfigOrigin } from '../config/config-origin.js';
import { type LoadOptions, type LoadResult, loadConfig } from '../config/load.js';
import { formatProblem, type Problem, sortProblems } from '../config/problem.js';
import { isUnchanged, NO_CHANGES, type RemoteChanges } from '../config/remote-changes.js';
import type { Config } from '../config/schema.js';
import { sessionNotices } from '../config/session-notice.js';
import type { ConfigSource } from '../config/source.js';
import { driverProblems, type PlannedDevice, planDevices } from '../device/plan-devices.js';

export interface ConfigPlace {
  /** The file of `-c`, if given. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How files are read; default: from the disk. */
export type ConfigReaders = Pick<LoadOptions, 'readFile' | 'readDir'>;

/** A config that is good. */
export interface GoodConfig {
  readonly ok: true;
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
  /** The main file as shown to people. */
  readonly file: string;
  readonly source: ConfigSource;
  readonly origin: ConfigOrigin;
  /** All changes over MQTT that are kept, also those that were left out. */
  readonly kept: RemoteChanges;
  /** Where they are kept; absolute, need not exist. */
  readonly keptFile: string;
  /** The same as problems name it. */
  readonly keptName: string;
  /** Why that file could not be read, if so: what it says is not in the config. */
  readonly keptTrouble?: string;
  /** For people: what of the changes is left out. */
  readonly notices: readonly string[];
}

/** A config that is not. `lines`: for people; one problem each and how many, or where a config was looked for. */
export interface BadConfig {
  readonly ok: false;
  readonly lines: readonly string[];
}

export type ReadConfig = GoodConfig | BadConfig;

type Loaded = Extract<LoadResult, { ok: true }>;

/** Reads the config and plans its devices. `changes`: default as kept on disk. Never throws for what a user wrote. */
export async function readConfig(
  place: ConfigPlace,
  readers: ConfigReaders = {},
  changes?: RemoteChanges,
): Promise<ReadConfig> {
  const { read, laid } = await readWhole(place, readers, changes);
  if (read.ok || laid === undefined || isUnchanged(laid)) return read;
  const { read: without } = await readWhole(place, readers, NO_CHANGES);
  return without.ok ? readFitting(place, readers, without, laid) : without;
}

/** The same, but here a change that does not fit is a mistake as any other. */
export async function readStrictly(
  place: ConfigPlace,
  readers: ConfigReaders,
  changes: RemoteChanges,
): Promise<ReadConfig> {
  return (await readWhole(place, readers, changes)).read;
}

/** `laid`: the changes that are part of it, good or bad. */
interface Whole {
  readonly read: ReadConfig;
  readonly laid?: RemoteChanges | undefined;
}

async function readWhole(
  place: ConfigPlace,
  readers: ConfigReaders,
  changes: RemoteChanges | undefined,
): Promise<Whole> {
  const loaded = loadConfig({ ...place, ...readers, hostname: hostname(), changes });
  if (!loaded.ok) {
    if ('missing' in loaded) return { read: { ok: false, lines: missingLines(loaded.missing) } };
    const { draft, problems } = loaded;
    const more = draft === undefined ? [] : await driverProblems(draft);
    return { read: bad([...problems, ...more], draft?.source.files), laid: loaded.changes };
  }
  const { config, source, kept } = loaded;
  const { devices, problems } = await planDevices(config, source);
  const read = problems.length > 0 ? bad(problems, source.files) : good(loaded, devices);
  return { read, laid: kept.changes };
}

/** Takes the changes one by one, each only if the config stays good with it. */
async function readFitting(
  place: ConfigPlace,
  readers: ConfigReaders,
  without: GoodConfig,
  all: RemoteChanges,
): Promise<GoodConfig> {
  let best = without;
  let taken = NO_CHANGES;
  const leftOut = new Map<string, string>();
  for (const { name, lay } of singleChanges(all)) {
    const next = lay(taken);
    const read = await readStrictly(place, readers, next);
    if (read.ok) [best, taken] = [read, next];
    else leftOut.set(name, read.lines[0] ?? 'it does not fit the config');
  }
  const notices = [...leftOut].map(([name, why]) => `${name}: what was changed over MQTT is left out: ${why}`);
  return { ...best, origin: { ...best.origin, leftOut }, kept: all, notices: [...best.notices, ...notices] };
}

interface SingleChange {
  readonly name: string;
  lay(on: RemoteChanges): RemoteChanges;
}

/** Switching devices off comes first: it may make room for others. */
function singleChanges({ devices, enabled }: RemoteChanges): SingleChange[] {
  const switching = (wanted: boolean): SingleChange[] =>
    [...enabled]
      .filter(([, is]) => is === wanted)
      .map(([name]) => ({ name, lay: (on) => ({ ...on, enabled: new Map([...on.enabled, [name, wanted]]) }) }));
  const adding = [...devices].map(([name, device]) => ({
    name,
    lay: (on: RemoteChanges) => ({ ...on, devices: new Map([...on.devices, [name, device]]) }),
  }));
  return [...switching(false), ...adding, ...switching(true)];
}

function good({ config, source, kept, secrets }: Loaded, devices: readonly PlannedDevice[]): GoodConfig {
  const { added, enabled, shadowed, trouble } = kept;
  return {
    ok: true,
    config,
    devices,
    file: source.file,
    source,
    origin: { added, enabled, secrets, leftOut: new Map() },
    kept: kept.changes,
    keptFile: kept.file,
    keptName: kept.name,
    ...(trouble !== undefined && { keptTrouble: trouble }),
    notices: [
      ...shadowed.map((name) => `${name} was added over MQTT, and the config has it now too: the config counts`),
      ...sessionNotices(config),
    ],
  };
}

function bad(problems: readonly Problem[], files: readonly string[] | undefined): BadConfig {
  const sorted = files === undefined ? problems : sortProblems(problems, files);
  const count = sorted.length === 1 ? '1 problem' : `${sorted.length} problems`;
  return { ok: false, lines: [...sorted.map(formatProblem), count] };
}

/** Where a config was looked for and how to make one. */
function missingLines(searched: readonly string[]): string[] {
  return [
    `no config file; looked for ${searched.join(', ')}`,
    'write one with `ferrule init`, name one with -c FILE, or try `ferrule demo`, which needs none',
  ];
}
