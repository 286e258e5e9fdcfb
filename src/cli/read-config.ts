// Config and drivers together, as `run` and a reload need them: everything checked, or every line of what is wrong.

import { hostname } from 'node:os';
import { loadConfig } from '../config/load.js';
import { formatProblem, sortProblems } from '../config/problem.js';
import type { Config } from '../config/schema.js';
import { type PlannedDevice, planDevices } from '../device/plan-devices.js';
import { missingLines } from './check.js';

export interface ConfigPlace {
  /** The file of `-c`, if given. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type ReadConfig =
  | { readonly ok: true; readonly config: Config; readonly devices: readonly PlannedDevice[]; readonly file: string }
  /** `lines`: for people, one problem each. */
  | { readonly ok: false; readonly lines: readonly string[] };

/** Reads the config and plans its devices. Never throws for what a user wrote. */
export async function readConfig(place: ConfigPlace): Promise<ReadConfig> {
  const loaded = loadConfig({ ...place, hostname: hostname() });
  if (!loaded.ok) {
    const lines = 'missing' in loaded ? missingLines(loaded.missing) : loaded.problems.map(formatProblem);
    return { ok: false, lines };
  }
  const { config, source } = loaded;
  const { devices, problems } = await planDevices(config, source);
  if (problems.length > 0) return { ok: false, lines: sortProblems(problems, source.files).map(formatProblem) };
  return { ok: true, config, devices, file: source.file };
}
