// `ferrule check`: everything that is wrong with the config, one line each; or one line per device when all is well.

import { formatLink } from '../config/link-string.js';
import type { Config, DeviceConfig } from '../config/schema.js';
import { EXIT } from './exit-codes.js';
import { type ConfigPlace, readConfig } from './read-config.js';

export interface CheckOptions extends ConfigPlace {
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs the command; gives the exit code. */
export async function runCheck({ out, err, ...place }: CheckOptions): Promise<number> {
  const read = await readConfig(place);
  if (!read.ok) {
    for (const line of read.lines) err(line);
    return EXIT.config;
  }
  for (const line of summary(read.config, read.file)) out(line);
  return EXIT.clean;
}

function summary(config: Config, file: string): string[] {
  const devices = Object.entries(config.devices);
  const width = Math.max(0, ...devices.map(([name]) => name.length));
  const lines = devices.map(([name, device]) => `${name.padEnd(width)}  ${deviceWords(device)}`);
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  return [...lines, `${file}: ok, ${count}, topics below ${config.mqtt.base_topic}`];
}

function deviceWords({ driver, link, enabled }: DeviceConfig): string {
  return `${driver} on ${addressWords(link)}${enabled ? '' : ' (not enabled)'}`;
}

function addressWords(link: DeviceConfig['link']): string {
  return formatLink(link).replace(/\?.*$/, '');
}
