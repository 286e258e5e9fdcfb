// What of a changed config a running gateway cannot take on.

import type { Config } from './schema.js';

/** The parts of the config that are read once, at the start. */
const READ_ONCE = ['gateway', 'mqtt', 'spool', 'log', 'drivers_dir'] as const;

/** `config` with those of them as they were at the start: what is in effect. */
export function withStartSections(config: Config, start: Config): Config {
  const { gateway, mqtt, spool, log, drivers_dir } = start;
  return { ...config, gateway, mqtt, spool, log, drivers_dir };
}

/** Those of them that differ: they count after a restart of the process. */
export function changedSections(before: Config, after: Config): string[] {
  return READ_ONCE.filter((section) => JSON.stringify(before[section]) !== JSON.stringify(after[section]));
}
