// `ferrule check`: everything that is wrong with the config, one line each; or one line per device when all is well.

import { formatLink } from '../config/link-string.js';
import type { DeviceConfig } from '../config/schema.js';
import { EXIT } from './exit-codes.js';
import { type ConfigPlace, type GoodConfig, readConfig } from './read-config.js';

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
  for (const line of summary(read)) out(line);
  for (const line of warnings(read)) err(line);
  return EXIT.clean;
}

function summary({ config, file, origin }: GoodConfig): string[] {
  const devices = Object.entries(config.devices);
  const width = Math.max(0, ...devices.map(([name]) => name.length));
  const lines = devices.map(([name, device]) => {
    const notes = [
      ...switchWords(device.enabled, origin.enabled.get(name)),
      ...addedWords(origin.added.includes(name)),
    ];
    return `${name.padEnd(width)}  ${deviceWords(device)}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
  });
  const count = devices.length === 1 ? '1 device' : `${devices.length} devices`;
  return [...lines, `${file}: ok, ${count}, topics below ${config.mqtt.base_topic}`];
}

/** Who has the last word on a device may not be the file that its user reads. */
function switchWords(isEnabled: boolean, override: boolean | undefined): string[] {
  if (override !== undefined) return [override ? 'enabled over MQTT' : 'disabled over MQTT'];
  return isEnabled ? [] : ['not enabled'];
}

function addedWords(isAdded: boolean): string[] {
  return isAdded ? ['added over MQTT'] : [];
}

function warnings({ notices, keptFile, keptTrouble }: GoodConfig): string[] {
  if (keptTrouble === undefined) return [...notices];
  return [`${keptFile}: ${keptTrouble}; what was changed over MQTT is left out`, ...notices];
}

function deviceWords({ driver, link }: DeviceConfig): string {
  return `${driver} on ${addressWords(link)}`;
}

function addressWords(link: DeviceConfig['link']): string {
  return formatLink(link).replace(/\?.*$/, '');
}
