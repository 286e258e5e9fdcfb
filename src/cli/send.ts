// `ferrule send <device> <payload>`: a command for a device of a running gateway, and what becomes of it, step by step.

import { deviceNameTrouble } from '../config/device-name.js';
import { nearest } from '../config/nearest.js';
import { ownerOf } from '../control/named-device.js';
import { EXIT } from './exit-codes.js';
import { CommandTrouble, type GatewayClient } from './gateway-client.js';
import { type RemoteOptions, runRemote } from './remote-command.js';
import { SentCommand } from './sent-command.js';

const WAIT_MS = 10_000;

export interface SendOptions extends RemoteOptions {
  /** A device's name, or `<listener>/<peer>`. */
  readonly device: string;
  /** Absent: none, as `get` mostly has it. */
  readonly payload?: string | undefined;
  readonly channel?: string | undefined;
  readonly verb: 'set' | 'get' | 'write';
  /** The payload is written in hexadecimal. */
  readonly hex: boolean;
  /** One JSON object per response. */
  readonly json: boolean;
}

/** Runs the command; gives the exit code: 0 once the device has it (and has answered, where it does). */
export async function runSend(options: SendOptions): Promise<number> {
  const { device, verb, channel, json, out, err } = options;
  const payload = bytesIn(options);
  if (typeof payload === 'string') {
    err(payload);
    return EXIT.usage;
  }
  return runRemote(options, 'send', WAIT_MS, async (client, waitMs) => {
    await mustExist(client, device);
    return new SentCommand({ client, device, verb, channel, payload, waitMs, json, out, err }).follow();
  });
}

/** The bytes to be sent; or a sentence about how the command was called. */
function bytesIn({ device, verb, channel, payload, hex }: SendOptions): Buffer | string {
  const trouble = deviceNameTrouble(device);
  if (trouble !== undefined) return `"${device}" is no name of a device: it ${trouble}`;
  if (payload === undefined && verb !== 'get') return 'the payload is missing: ferrule send <device> <payload>';
  if (channel !== undefined && verb === 'write')
    return '--channel: --write sends bytes to the line, which has no channels';
  if (channel !== undefined && !/^[^+#/\p{Cc}]+$/u.test(channel)) return '--channel: expected a word without + # /';
  if (!hex) return Buffer.from(payload ?? '');
  const digits = (payload ?? '').replaceAll(/[\s:]/g, '');
  if (/^(?:[0-9a-f]{2})*$/i.test(digits)) return Buffer.from(digits, 'hex');
  return `--hex: expected pairs of hexadecimal digits, such as "02 41 03", got ${JSON.stringify(payload)}`;
}

interface ListedDevice {
  readonly name: string;
  readonly state: string;
  /** As in the config: `tcp-listen://...`. */
  readonly link?: string;
}

/** Nobody listens on the topics of a device that does not exist: the command would just vanish. */
async function mustExist(client: GatewayClient, device: string): Promise<void> {
  const devices = (await client.request('devices')) as ListedDevice[]; // the answer of our own gateway
  const found = ownerOf(devices, device, ({ name, link }) => ({ name, isListener: isListener(link) }));
  if (found === undefined) throw new CommandTrouble(noSuchDevice(device, devices), EXIT.leftovers);
  if (found.state !== 'disabled') return;
  throw new CommandTrouble(`${found.name} is disabled: enable it with bridge/request/device/enable`, EXIT.leftovers);
}

function isListener(link: string | undefined): boolean {
  return link?.startsWith('tcp-listen:') === true;
}

function noSuchDevice(device: string, devices: readonly ListedDevice[]): string {
  const names = devices.map(({ name }) => name);
  const near = nearest(device, names);
  const hint = near === undefined ? `there are ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean "${near}"?`;
  return `no device "${device}"; ${hint}`;
}
