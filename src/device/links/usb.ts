// A serial port by the identity of its USB device: whatever /dev/ttyUSBn it gets today. The identity is looked up in
// /sys at every open; then it is an ordinary serial port.

import type { UsbLinkConfig } from '../../config/link-schema.js';
import { type Link, LinkError, type LinkOpener } from '../link.js';
import { listPorts, type SerialPortInfo } from '../ports.js';
import type { LinkDeps } from './link-deps.js';
import { nodeAppears, ttysIdentity } from './node-watch.js';
import { openSerial } from './serial.js';

/** An opener for `usb:VID:PID?serial=...`. */
export function usbOpener(config: UsbLinkConfig, deps: LinkDeps): LinkOpener {
  const name = `usb ${identity(config)}`;
  /** What was there when it was last tried. */
  let known = '';
  return {
    name,
    async open(signal): Promise<Link> {
      known = ttysIdentity(deps.dev);
      const port = await findUsbPort(config, deps);
      return openSerial(port.path, `${name} (${port.path})`, config, deps, signal);
    },
    changed: (signal) => nodeAppears({ path: 'any-tty', known }, deps, signal),
  };
}

/** The one port of that identity. Throws `missing` or `ambiguous` with what is there instead. */
export async function findUsbPort(
  config: Pick<UsbLinkConfig, 'id' | 'serial'>,
  deps: Pick<LinkDeps, 'sys' | 'dev' | 'proc'>,
): Promise<SerialPortInfo> {
  const onUsb = (await listPorts(deps)).filter((port) => port.vendorId !== undefined);
  const fitting = onUsb.filter((port) => fits(port, config));
  const [first] = fitting;
  if (!first) throw new LinkError('missing', `no USB serial device ${identity(config)}; ${whatIsHere(onUsb)}`);
  if (fitting.length > 1) throw ambiguous(config, fitting);
  return first;
}

function fits(port: SerialPortInfo, config: Pick<UsbLinkConfig, 'id' | 'serial'>): boolean {
  const isSameModel = `${port.vendorId}:${port.productId}`.toLowerCase() === config.id.toLowerCase();
  return isSameModel && (config.serial === undefined || config.serial === port.serialNumber);
}

function identity(config: Pick<UsbLinkConfig, 'id' | 'serial'>): string {
  return config.serial === undefined ? config.id : `${config.id} serial ${config.serial}`;
}

function whatIsHere(ports: readonly SerialPortInfo[]): string {
  if (ports.length === 0) return 'there are no USB serial devices here; is it plugged in?';
  const each = ports.map((port) => `${port.vendorId}:${port.productId} ${describe(port)}`);
  return `here: ${each.join(', ')}`;
}

function ambiguous(config: Pick<UsbLinkConfig, 'id' | 'serial'>, ports: readonly SerialPortInfo[]): LinkError {
  const serials = new Set(ports.map((port) => port.serialNumber));
  const hasSerials = serials.size === ports.length && !serials.has(undefined);
  const wayOut = hasSerials
    ? 'choose one with the link key `serial:`'
    : 'their serial numbers do not tell them apart, so link by /dev/serial/by-path/... instead';
  const each = ports.map(describe).join(', ');
  return new LinkError('ambiguous', `USB identity ${identity(config)} fits ${ports.length} ports: ${each}; ${wayOut}`);
}

function describe(port: SerialPortInfo): string {
  return `${port.path} (${port.serialNumber === undefined ? 'no serial number' : `serial ${port.serialNumber}`})`;
}
