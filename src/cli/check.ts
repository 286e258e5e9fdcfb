// `ferrule check`: everything that is wrong with the config, one line each; or one line per device when all is well.

import { hostname } from 'node:os';
import { formatLink } from '../config/link-string.js';
import { loadConfig } from '../config/load.js';
import { formatProblem, type Problem, sortProblems } from '../config/problem.js';
import type { Config, DeviceConfig } from '../config/schema.js';
import type { ConfigSource } from '../config/source.js';

/** Bad config: a service manager must not retry it (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIG = 78;

export interface CheckOptions {
  /** The file of `-c`, if given. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** What only later layers can check: do the drivers exist, do their options fit. */
  readonly extraProblems?: (config: Config, source: ConfigSource) => Promise<Problem[]>;
}

/** Runs the command; gives the exit code. */
export async function runCheck(options: CheckOptions): Promise<number> {
  const { path, cwd, env, out, err } = options;
  const loaded = loadConfig({ path, cwd, env, hostname: hostname() });
  if (!loaded.ok) {
    if ('missing' in loaded) for (const line of missingLines(loaded.missing)) err(line);
    else printProblems(loaded.problems, err);
    return EXIT_CONFIG;
  }
  const { config, source } = loaded;
  const problems = (await options.extraProblems?.(config, source)) ?? [];
  if (problems.length > 0) {
    printProblems(sortProblems(problems, source.files), err);
    return EXIT_CONFIG;
  }
  for (const line of summary(config, source)) out(line);
  return 0;
}

/** Says where a config was looked for and how to make one. */
export function missingLines(searched: readonly string[]): string[] {
  return [
    `no config file; looked for ${searched.join(', ')}`,
    'write one with `ferrule init`, name one with -c FILE, or try `ferrule demo`, which needs none',
  ];
}

/** One line per problem, then how many. */
export function printProblems(problems: readonly Problem[], err: (line: string) => void): void {
  for (const problem of problems) err(formatProblem(problem));
  err(problems.length === 1 ? '1 problem' : `${problems.length} problems`);
}

function summary(config: Config, source: ConfigSource): string[] {
  const devices = Object.entries(config.devices);
  const width = Math.max(0, ...devices.map(([name]) => name.length));
  const lines = devices.map(([name, device]) => `${name.padEnd(width)}  ${deviceWords(device)}`);
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  return [...lines, `${source.file}: ok, ${count}, topics below ${config.mqtt.base_topic}`];
}

function deviceWords({ driver, link, enabled }: DeviceConfig): string {
  return `${driver} on ${addressWords(link)}${enabled ? '' : ' (not enabled)'}`;
}

function addressWords(link: DeviceConfig['link']): string {
  return formatLink(link).replace(/\?.*$/, '');
}
