// From the config's words to those of the uplink.

import path from 'node:path';
import type { Config } from '../config/schema.js';
import { EMBEDDED_VERSION, type EmbeddedBroker } from './embedded-broker.js';
import type { SessionOptions } from './session.js';
import type { UplinkOptions } from './uplink.js';

/** The options of the spool that follow from the config. */
export function spoolOptions(
  { spool, gateway, mqtt }: Config,
  broker: EmbeddedBroker | undefined,
): UplinkOptions['spool'] {
  const { max_size, max_age, when_full, replay_order, ...rest } = spool;
  const version = broker === undefined ? mqtt.version : EMBEDDED_VERSION;
  return {
    ...rest,
    dir: path.join(gateway.data_dir, 'spool'),
    maxBytes: max_size,
    maxAgeMs: max_age,
    whenFull: when_full,
    // Without the user properties of MQTT 5 nobody could tell a kept reading from a live one: order is all they have.
    replay_order: replay_order ?? (version === 5 ? 'live-first' : 'in-order'),
  };
}

/** The options of a session that follow from the config; `broker`: the embedded one, if it is that. */
export function sessionOptions({ mqtt }: Config, broker: EmbeddedBroker | undefined): UplinkOptions['session'] {
  return {
    url: broker?.url ?? mqtt.url,
    version: broker === undefined ? mqtt.version : EMBEDDED_VERSION,
    clientId: mqtt.client_id,
    keepaliveSeconds: Math.ceil(mqtt.keepalive / 1000),
    sessionExpirySeconds: Math.ceil(mqtt.session_expiry / 1000),
    ...accessOptions(mqtt),
  };
}

/** Who we are to the broker, and how sure we want to be who it is. */
export function accessOptions(mqtt: Config['mqtt']): Pick<SessionOptions, 'username' | 'password' | 'tls'> {
  const { ca, cert, key } = mqtt;
  const { username, password } = { ...(mqtt.url !== 'embedded' && credentialsIn(mqtt.url)), ...given(mqtt) };
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    tls: {
      rejectUnauthorized: mqtt.reject_unauthorized,
      ...(ca !== undefined && { ca: Buffer.from(ca) }),
      ...(cert !== undefined && { cert: Buffer.from(cert) }),
      ...(key !== undefined && { key: Buffer.from(key) }),
    },
  };
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

/** What `mqtt.username` and `mqtt.password` say counts before what stands in the URL. */
function given({ username, password }: Config['mqtt']): Credentials {
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

function credentialsIn(url: string): Credentials {
  const { username, password } = new URL(url);
  return { ...(username && { username: decode(username) }), ...(password && { password: decode(password) }) };
}

/** A `%` that begins no escape stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
