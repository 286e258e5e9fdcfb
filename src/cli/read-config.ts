// Config and drivers together, as `run`, `check` and a reload need them: everything checked, or every line of what is wrong.

import { hostname } from 'node:os';
import { loadConfig } from '../config/load.js';
import { formatProblem, type Problem, sortProblems } from '../config/problem.js';
import type { Config } from '../config/schema.js';
import { driverProblems, type PlannedDevice, planDevices } from '../device/plan-devices.js';

export interface ConfigPlace {
  /** The file of `-c`, if given. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type ReadConfig =
  | { readonly ok: true; readonly config: Config; readonly devices: readonly PlannedDevice[]; readonly file: string }
  /** `lines`: for people; one problem each and how many, or where a config was looked for. */
  | { readonly ok: false; readonly lines: readonly string[] };

/** Reads the config and plans its devices. Never throws for what a user wrote. */
export async function readConfig(place: ConfigPlace): Promise<ReadConfig> {
  const loaded = loadConfig({ ...place, hostname: hostname() });
  if (!loaded.ok) {
    if ('missing' in loaded) return { ok: false, lines: missingLines(loaded.missing) };
    const { draft, problems } = loaded;
    const more = draft === undefined ? [] : await driverProblems(draft);
    return bad([...problems, ...more], draft?.source.files);
  }
  const { config, source } = loaded;
  const { devices, problems } = await planDevices(config, source);
  if (problems.length > 0) return bad(problems, source.files);
  return { ok: true, config, devices, file: source.file };
}

function bad(problems: readonly Problem[], files: readonly string[] | undefined): ReadConfig {
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
