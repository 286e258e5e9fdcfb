// From what the schema gives to a Config: what depends on the surroundings (host name, folders, PEM files) or on other keys.

import { resolve } from 'node:path';
import { topicSegment } from './device-name.js';
import { type ReadFile, readFileValue } from './file-value.js';
import type { Problem } from './problem.js';
import type { Config, DeviceConfig, MqttConfig, ParsedConfig } from './schema.js';
import { type ConfigSource, problemAt } from './source.js';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly readFile: ReadFile;
}

/** The Config, and what was wrong with files that it names. */
export function resolveConfig(
  parsed: ParsedConfig,
  source: ConfigSource,
  { env, hostname, readFile }: Surroundings,
): { config: Config; problems: Problem[] } {
  const id = parsed.gateway.id ?? topicSegment(env.BALENA_DEVICE_UUID || hostname);
  const problems: Problem[] = [];
  const { drivers_dir } = parsed;
  const config: Config = {
    gateway: { ...parsed.gateway, id, data_dir: resolve(source.dir, parsed.gateway.data_dir) },
    mqtt: { ...resolveMqtt(parsed.mqtt, id), ...readPems(parsed.mqtt, source, readFile, problems) },
    spool: parsed.spool,
    http: parsed.http,
    log: parsed.log,
    drivers_dir: drivers_dir === undefined ? undefined : resolve(source.dir, drivers_dir),
    devices: resolveDevices(parsed),
  };
  return { config, problems };
}

function resolveMqtt(mqtt: ParsedConfig['mqtt'], id: string): MqttConfig {
  return {
    ...mqtt,
    base_topic: mqtt.base_topic.replaceAll('{id}', id),
    client_id: (mqtt.client_id ?? 'ferrule-{id}').replaceAll('{id}', id),
  };
}

type Pems = Partial<Record<'ca' | 'cert' | 'key', string>>;

function readPems(mqtt: ParsedConfig['mqtt'], source: ConfigSource, readFile: ReadFile, problems: Problem[]): Pems {
  const pems: Pems = {};
  for (const key of ['ca', 'cert', 'key'] as const) {
    const given = mqtt[key];
    if (given === undefined) continue;
    const content = given.includes('-----BEGIN')
      ? { ok: true as const, text: given }
      : readFileValue(resolve(source.dir, given), readFile);
    if (!content.ok) problems.push(problemAt(source, ['mqtt', key], '', content.reason));
    else if (content.text.includes('-----BEGIN')) pems[key] = content.text;
    else problems.push(problemAt(source, ['mqtt', key], 'PEM text, or the path of a PEM file', 'something else'));
  }
  return pems;
}

function resolveDevices({ devices, mqtt }: ParsedConfig): Record<string, DeviceConfig> {
  return Object.fromEntries(
    Object.entries(devices).map(([name, device]) => [name, { ...device, qos: device.qos ?? mqtt.qos }]),
  );
}
