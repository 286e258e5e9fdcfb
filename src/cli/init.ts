// `ferrule init`: writes a commented ferrule.yaml from the serial ports that are there. What it writes passes `ferrule check`
// as it is; it never overwrites anything.

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { reasonOf } from '../config/file-value.js';

const EXIT_USAGE = 64;

/** A serial port as `ferrule ports` finds it. */
export interface FoundPort {
  readonly path: string;
  /** `/dev/serial/by-id/...`: stays the same when ports are plugged in another order. */
  readonly byId?: string | undefined;
  /** What the USB device calls itself. */
  readonly product?: string | undefined;
}

export interface InitOptions {
  readonly ports: readonly FoundPort[];
  readonly cwd: string;
  /** The file to write; default ferrule.yaml. */
  readonly path?: string | undefined;
  /** Written as `gateway.data_dir`: where a service keeps its data, for those who call `ferrule check` beside it. */
  readonly dataDir?: string | undefined;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs the command; gives the exit code. */
export function runInit({ ports, dataDir, cwd, path = 'ferrule.yaml', out, err }: InitOptions): number {
  try {
    writeFileSync(resolve(cwd, path), initialConfig(ports, dataDir), { flag: 'wx' });
  } catch (error) {
    const exists = (error as { code?: unknown }).code === 'EEXIST';
    err(exists ? `${path} exists already; nothing was written` : `cannot write ${path}: ${reasonOf(error)}`);
    return EXIT_USAGE;
  }
  out(`wrote ${path} with ${ports.length === 1 ? '1 serial port' : `${ports.length} serial ports`}`);
  out('set the baud rates, then: ferrule check && ferrule run');
  return 0;
}

/** The text of a first config. */
function initialConfig(ports: readonly FoundPort[], dataDir: string | undefined): string {
  const gateway = dataDir === undefined ? GATEWAY_EXAMPLE : gatewayWith(dataDir);
  return `${HEAD}${gateway}${ports.length === 0 ? NO_PORTS : `devices:\n${ports.map(device).join('\n')}`}${TCP_EXAMPLE}`;
}

const HEAD = `# Ferrule: devices on serial ports and sockets, relayed to MQTT. Check this file with \`ferrule check\`.

mqtt:
  url: mqtt://localhost:1883     # mqtts://, ws://, wss://; \`embedded\` = a broker inside Ferrule, on this machine only
  # username: gateway
  # password: !file /run/secrets/mqtt_password     # or \${MQTT_PASSWORD}

`;

const GATEWAY_EXAMPLE = `# gateway:
#   id: my-gateway               # names this gateway in topics: ferrule/my-gateway/...; default: the host name

`;

/** Not `devices: {}`: below that, a device whose # is taken away would be no YAML. */
const NO_PORTS = `devices:                         # no serial port was found here; \`ferrule ports\` looks again
#  scale:
#    driver: lines
#    link: { type: serial, path: /dev/ttyUSB0, baud_rate: 9600 }
`;

const TCP_EXAMPLE = `
#  cell:                         # a device on the network: Ferrule connects to it
#    driver: lines
#    link: tcp://10.0.0.5:4001
#  sensors:                      # devices that connect to Ferrule, each on its own topic
#    driver: lines
#    link: { type: tcp-listen, host: 127.0.0.1, port: 7000 }
`;

function gatewayWith(dataDir: string): string {
  return `gateway:
  data_dir: ${JSON.stringify(dataDir)}   # what outlives a restart: readings that wait, changes over MQTT
  # id: my-gateway               # names this gateway in topics: ferrule/my-gateway/...; default: the host name

`;
}

function device({ path, byId, product }: FoundPort, index: number): string {
  const about = product === undefined ? path : `${product} on ${path}`;
  return `  serial-${index + 1}:                      # ${oneLine(about)}; the name is yours, topics use it
    driver: lines                # text lines as they come; others: raw, json-lines, nmea0183
    link:
      type: serial
      path: ${JSON.stringify(byId ?? path)}
      baud_rate: 9600
`;
}

/** What a USB device calls itself may hold anything. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ').slice(0, 100);
}
