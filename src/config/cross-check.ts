// What no single value can know: names of devices against topics and each other, two devices on one port, TLS without
// a TLS connection. Gets a config that passed the schema (perhaps with the failing devices left out).

import { deviceNameTrouble } from './device-name.js';
import type { LinkConfig } from './link-schema.js';
import { type ConfigPath, formatPath, formatPlace, type Problem } from './problem.js';
import type { ParsedConfig } from './schema.js';
import { type ConfigSource, problemAt } from './source.js';

/** Follows symbolic links (`/dev/serial/by-id/...`); throws or answers the path itself where there is nothing. */
export type RealPath = (path: string) => string;

type Source = Pick<ConfigSource, 'locate' | 'locateKey'>;
type Devices = ParsedConfig['devices'];

/** All problems between values. Disabled devices count for names, not for ports. */
export function crossCheck(config: ParsedConfig, source: Source, realPath: RealPath): Problem[] {
  return [
    ...checkPeerSpace(config.devices, source),
    ...checkLinks(config.devices, source, realPath),
    ...checkTls(config.mqtt, source),
    ...checkLogin(config.mqtt, source),
  ];
}

/** Names of devices against topics: also of devices whose keys have problems of their own. */
export function checkNames(names: readonly string[], source: Source): Problem[] {
  return names.flatMap((name) => {
    const trouble = deviceNameTrouble(name);
    const path = ['devices', name];
    return trouble === undefined ? [] : [keyProblem(source, path, `the name ${JSON.stringify(name)} ${trouble}`)];
  });
}

function keyProblem(source: Source, path: ConfigPath, sentence: string): Problem {
  return { ...source.locateKey(path), path: formatPath(path), expected: '', found: sentence };
}

/** The connections of a listener `sensors` are called `sensors/<peer>`: no other device may stand there. */
function checkPeerSpace(devices: Devices, source: Source): Problem[] {
  const names = Object.keys(devices);
  const listeners = names.filter((name) => isNamingPeers(devices[name]?.link));
  return listeners.flatMap((listener) =>
    names
      .filter((name) => name.startsWith(`${listener}/`))
      .map((name) => {
        const place = formatPlace(source.locateKey(['devices', listener]));
        return keyProblem(
          source,
          ['devices', name],
          `the name ${JSON.stringify(name)} stands where the connections of "${listener}" (${place}) get their names`,
        );
      }),
  );
}

function isNamingPeers(link: LinkConfig | undefined): boolean {
  return link?.type === 'tcp-listen' && link.peer !== 'shared';
}

function checkLinks(devices: Devices, source: Source, realPath: RealPath): Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, { link, enabled }] of Object.entries(devices)) {
    for (const key of enabled ? linkKeys(link, realPath) : []) {
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, name);
      else problems.push(sharedLink(source, name, owner, link));
    }
  }
  return problems;
}

/** What a device needs for itself alone. A TCP server may take any number of clients. */
function linkKeys(link: LinkConfig, realPath: RealPath): string[] {
  switch (link.type) {
    case 'serial':
      return [`serial ${realPathOr(link.path, realPath)}`];
    case 'usb':
      return [`usb ${link.id.toLowerCase()} ${link.serial ?? ''}`];
    case 'tcp-listen':
      return link.port === 0 ? [] : [`listen ${link.host === 'localhost' ? '127.0.0.1' : link.host} ${link.port}`];
    case 'tcp':
      return [];
  }
}

function realPathOr(path: string, realPath: RealPath): string {
  try {
    return realPath(path);
  } catch {
    return path;
  }
}

function sharedLink(source: Source, name: string, owner: string, link: LinkConfig): Problem {
  const place = formatPlace(source.locate(['devices', owner, 'link']));
  return problemAt(
    source,
    ['devices', name, 'link'],
    '',
    `"${name}" and "${owner}" (${place}) share one ${linkWords(link)}: each device needs its own`,
  );
}

function linkWords(link: LinkConfig): string {
  switch (link.type) {
    case 'serial':
      return `serial port, ${link.path}`;
    case 'usb':
      return `USB device, ${link.id}${link.serial === undefined ? '' : ` with serial number ${link.serial}`}`;
    default:
      return `address, ${link.host}:${link.port}`;
  }
}

type Mqtt = ParsedConfig['mqtt'];

/** MQTT 3.1.1 forbids a password without a user name, and mqtt.js does for every version. */
function checkLogin({ url, username, password }: Mqtt, source: Source): Problem[] {
  const isNamed = username !== undefined || (URL.canParse(url) && new URL(url).username !== '');
  if (password === undefined || isNamed || url === 'embedded') return [];
  return [problemAt(source, ['mqtt', 'password'], '', 'needs a user name: mqtt.username')];
}

const TLS_KEYS = ['ca', 'cert', 'key'] as const;

function checkTls(mqtt: Mqtt, source: Source): Problem[] {
  const given = TLS_KEYS.filter((key) => mqtt[key] !== undefined);
  const problem = (key: string, sentence: string): Problem => problemAt(source, ['mqtt', key], '', sentence);
  if (mqtt.url === 'embedded') {
    const useless = [...given, ...(['username', 'password'] as const).filter((key) => mqtt[key] !== undefined)];
    return useless.map((key) =>
      problem(key, `the embedded broker knows no ${key}: leave it out, or name a broker in url`),
    );
  }
  const isTls = /^(?:mqtts|wss):/i.test(mqtt.url);
  if (!isTls) return given.map((key) => problem(key, `needs a TLS connection: url with mqtts:// or wss://`));
  if (mqtt.cert !== undefined && mqtt.key === undefined) return [problem('cert', 'needs its private key: mqtt.key')];
  if (mqtt.key !== undefined && mqtt.cert === undefined) return [problem('key', 'needs its certificate: mqtt.cert')];
  return [];
}
