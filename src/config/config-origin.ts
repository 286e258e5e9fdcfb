// Where parts of a config came from, as far as a running gateway tells of it: what was changed over MQTT, so that nobody
// searches the files in vain, and where secrets stand.

import type { ConfigPath } from './problem.js';

export interface ConfigOrigin {
  /** Devices that were added over MQTT. */
  readonly added: readonly string[];
  /** Devices that were enabled or disabled over MQTT, whatever their config says. */
  readonly enabled: ReadonlyMap<string, boolean>;
  /** Added devices that do not fit the config any more, with the reason. */
  readonly leftOut: ReadonlyMap<string, string>;
  /** Where values stand that were read with `!file`. */
  readonly secrets: readonly ConfigPath[];
}

/** Of a config that is all of one piece. */
export const PLAIN_ORIGIN: ConfigOrigin = { added: [], enabled: new Map(), leftOut: new Map(), secrets: [] };

/** What was changed over MQTT, as on `bridge/info`; undefined if nothing was. */
export function describeChanges({ added, enabled, leftOut }: ConfigOrigin): Record<string, unknown> | undefined {
  if (added.length + enabled.size + leftOut.size === 0) return undefined;
  const named = (wanted: boolean): string[] => [...enabled].filter(([, is]) => is === wanted).map(([name]) => name);
  return { added, enabled: named(true), disabled: named(false), left_out: Object.fromEntries(leftOut) };
}

/** What is said of one device: where it is defined, and whether MQTT has had the last word on it. */
export function deviceOrigin({ added, enabled }: ConfigOrigin, name: string): Record<string, unknown> {
  const wanted = enabled.get(name);
  return {
    origin: added.includes(name) ? 'mqtt' : 'config',
    ...(wanted !== undefined && { override: wanted ? 'enabled' : 'disabled' }),
  };
}
