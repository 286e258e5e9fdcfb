// What the commands that watch the tap of a device have in common (`monitor`, `record`): what may be asked for, and where the
// config says that the broker is. A trouble becomes lines on stderr and an exit code.

import type { MqttClient } from 'mqtt';
import { deviceNameTrouble } from '../config/device-name.js';
import { type Clock, systemClock } from '../core/clock.js';
import { makeTopics, type Topics } from '../uplink/topics.js';
import { brokerAccess } from './broker-access.js';
import { EXIT } from './exit-codes.js';
import { CommandTrouble, openClient } from './gateway-client.js';
import { type ConfigPlace, readConfig } from './read-config.js';

export interface TapCommandOptions extends ConfigPlace {
  /** A device's name, or `<listener>/<peer>`. */
  readonly device: string;
  /** How long, in seconds; absent: until a signal. */
  readonly seconds?: number | undefined;
  readonly err: (line: string) => void;
}

/** The broker of the gateway. */
export interface TapBroker {
  readonly url: string;
  readonly topics: Topics;
  readonly clock: Clock;
  connect(): MqttClient;
}

/** Why that cannot be watched; undefined if it can. */
export function tapTrouble({ device, seconds }: TapCommandOptions): string | undefined {
  const trouble = deviceNameTrouble(device);
  if (trouble !== undefined) return `"${device}" is no name of a device: it ${trouble}`;
  if (seconds === undefined || (seconds > 0 && Number.isFinite(seconds))) return undefined;
  return '--seconds: expected a number above 0';
}

/** Runs `work` with the broker that the config names; gives the exit code. `who`: the command. */
export async function runAtBroker(
  options: TapCommandOptions,
  who: string,
  work: (broker: TapBroker) => Promise<number>,
): Promise<number> {
  const read = await readConfig(options);
  if (!read.ok) {
    for (const line of read.lines) options.err(line);
    return EXIT.config;
  }
  const settings = read.config.mqtt;
  const access = brokerAccess(settings, who);
  if (!access.ok) {
    options.err(access.sentence);
    return EXIT.config;
  }
  const { url } = access;
  const connect = (): MqttClient => openClient(url, access.options);
  try {
    return await work({ url, topics: makeTopics(settings.base_topic), clock: systemClock, connect });
  } catch (error) {
    if (!(error instanceof CommandTrouble)) throw error;
    options.err(error.message);
    return error.exitCode;
  }
}
