// How a command of this machine reaches the broker of a gateway: as its config says, under a name of its own. And what is said
// when there is nobody.

import { randomUUID } from 'node:crypto';
import type { IClientOptions } from 'mqtt';
import type { Config } from '../config/schema.js';
import { messageOf } from '../core/errors.js';
import { EMBEDDED_VERSION } from '../uplink/embedded-broker.js';

export type BrokerAccess =
  | { readonly ok: true; readonly url: string; readonly options: IClientOptions }
  /** `sentence`: why a config that is good for a gateway is not for a command. */
  | { readonly ok: false; readonly sentence: string };

/** `who`: the command, part of its client id. */
export function brokerAccess(settings: Config['mqtt'], who: string): BrokerAccess {
  const { url, embedded } = settings;
  if (url !== 'embedded') return { ok: true, url, options: clientOptions(settings, who) };
  if (embedded.port !== 0) return { ok: true, url: embeddedUrl(embedded), options: clientOptions(settings, who) };
  return {
    ok: false,
    sentence: 'mqtt.embedded.port is 0: nobody knows where that broker listens; give it a port of its own',
  };
}

function embeddedUrl({ host, port }: Config['mqtt']['embedded']): string {
  return `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** As the gateway connects, but under a name of its own. */
function clientOptions(
  { url, version, username, password, ca, cert, key, ...rest }: Config['mqtt'],
  who: string,
): IClientOptions {
  return {
    clientId: `ferrule-${who}-${randomUUID()}`,
    protocolVersion: url === 'embedded' ? EMBEDDED_VERSION : version,
    reconnectPeriod: 1000,
    resubscribe: false,
    rejectUnauthorized: rest.reject_unauthorized,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** The broker cannot be reached. */
export function noBroker(url: string, trouble: string): string {
  return `no broker at ${withoutLogin(url)}: ${trouble}`;
}

/** The broker is there, the gateway is not. */
export function noGateway(base: string): string {
  return `no gateway answers below ${base}: is \`ferrule run\` up, with this config?`;
}

/** A broker's URL may hold a password. */
function withoutLogin(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** What an error of a connection says. */
export function wordsOf(error: Error & { readonly code?: unknown }): string {
  return messageOf(error) || String(error.code ?? error.name);
}
