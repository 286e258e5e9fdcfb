// `ferrule monitor <device>`: the line of a device live, from any machine that reaches the broker. Reads in the config where
// that is; the rest is `monitor-session.ts`.

import { randomUUID } from 'node:crypto';
import mqtt, { type IClientOptions } from 'mqtt';
import { deviceNameTrouble } from '../config/device-name.js';
import type { Config } from '../config/schema.js';
import { systemClock } from '../core/clock.js';
import { EMBEDDED_VERSION } from '../uplink/embedded-broker.js';
import { makeTopics } from '../uplink/topics.js';
import { EXIT } from './exit-codes.js';
import { MonitorSession } from './monitor-session.js';
import { type ConfigPlace, readConfig } from './read-config.js';

export interface MonitorOptions extends ConfigPlace {
  /** A device's name, or `<listener>/<peer>`. */
  readonly device: string;
  /** How long, in seconds; absent: until a signal. */
  readonly seconds?: number | undefined;
  /** One JSON object per message instead of a line for people. */
  readonly json: boolean;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs the command until a signal, or until its time is over; gives the exit code. */
export async function runMonitor(options: MonitorOptions): Promise<number> {
  const { device, seconds, err } = options;
  const trouble = usageTrouble(device, seconds);
  if (trouble !== undefined) {
    err(trouble);
    return EXIT.usage;
  }
  const read = await readConfig(options);
  if (!read.ok) {
    for (const line of read.lines) err(line);
    return EXIT.config;
  }
  const { mqtt: settings } = read.config;
  if (settings.url === 'embedded' && settings.embedded.port === 0) {
    err('mqtt.embedded.port is 0: nobody knows where that broker listens; give it a port of its own');
    return EXIT.config;
  }
  const url = settings.url === 'embedded' ? embeddedUrl(settings.embedded) : settings.url;
  const client = mqtt.connect(url, clientOptions(settings));
  const topics = makeTopics(settings.base_topic);
  return new MonitorSession({ ...options, client, url, topics, clock: systemClock }).run();
}

function usageTrouble(device: string, seconds: number | undefined): string | undefined {
  const trouble = deviceNameTrouble(device);
  if (trouble !== undefined) return `"${device}" is no name of a device: it ${trouble}`;
  if (seconds === undefined || (seconds > 0 && Number.isFinite(seconds))) return undefined;
  return '--seconds: expected a number above 0';
}

function embeddedUrl({ host, port }: Config['mqtt']['embedded']): string {
  return `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** As the gateway connects, but under a name of its own. */
function clientOptions({ url, version, username, password, ca, cert, key, ...rest }: Config['mqtt']): IClientOptions {
  return {
    clientId: `ferrule-monitor-${randomUUID()}`,
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
