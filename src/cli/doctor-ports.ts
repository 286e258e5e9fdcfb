// `ferrule doctor` on the serial ports: what is plugged in, who holds it, whether this user may open what the config names.
// Nothing is opened: opening sets the line, and resets every Arduino.

import { readFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { DeviceConfig } from '../config/schema.js';
import { LinkError } from '../device/link.js';
import { checkPort } from '../device/links/serial-check.js';
import { findUsbPort } from '../device/links/usb.js';
import { findHolders } from '../device/port-holder.js';
import { listPortsWithHolders, type SerialPortInfo, type SystemRoots } from '../device/ports.js';
import { type Examination, type Finding, fail, info, ok, warn } from './doctor-finding.js';

/** What holds a port for the gateway itself. */
const GATEWAY_COMMAND = /(?:ferrule|main\.js) run\b/;

/** All ports, and who holds them. */
export async function examinePorts(roots: SystemRoots): Promise<Examination> {
  const ports = await listPortsWithHolders(roots);
  if (ports.length === 0)
    return { findings: [info('no serial ports here; see `ferrule ports` for what to check')], data: { ports } };
  return { findings: ports.map((port) => info(portWords(port))), data: { ports } };
}

/** Whether each configured serial port is there, free, and this user's to open. */
export async function examineLinks(
  devices: Readonly<Record<string, DeviceConfig>>,
  roots: SystemRoots,
): Promise<Examination> {
  const serial = Object.entries(devices).filter(
    ([, { enabled, link }]) => enabled && (link.type === 'serial' || link.type === 'usb'),
  );
  return { findings: await Promise.all(serial.map(([name, { link }]) => examineLink(name, link, roots))) };
}

/** The groups of this user: on most systems serial ports belong to `dialout`. */
export function examineGroups(groupFile = '/etc/group'): Examination {
  const { name, ids } = whoAmI();
  const known = groupNames(groupFile);
  const groups = ids.map((id) => known.get(id) ?? String(id));
  const data = { user: { name, groups } };
  if (process.getuid?.() === 0) {
    return {
      findings: [info('run as root, who may open everything: run it as the user of the service for what that may')],
      data,
    };
  }
  const words = `user ${name}, groups ${groups.join(', ')}`;
  const hasDialout = [...known.values()].includes('dialout');
  if (groups.includes('dialout') || !hasDialout) return { findings: [ok(words)], data };
  const todo = `sudo usermod -aG dialout ${name}, then log in again; in a container: group_add`;
  return { findings: [warn(`${words}: not in dialout, to which serial ports belong`, todo)], data };
}

async function examineLink(name: string, link: DeviceConfig['link'], roots: SystemRoots): Promise<Finding> {
  try {
    const path = await pathOf(link, roots);
    await checkPort(path, roots).catch((error) => passIfOurs(error, path, roots));
    return ok(`${name}: ${path} is there, and this user may open it`);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return fail(`${name}: ${error.message}`);
  }
}

async function pathOf(link: DeviceConfig['link'], roots: SystemRoots): Promise<string> {
  if (link.type === 'usb') return (await findUsbPort(link, roots)).path;
  if (link.type === 'serial') return link.path;
  throw new TypeError(`no serial link: ${link.type}`);
}

/** A gateway that runs holds its ports, as it should. */
async function passIfOurs(error: unknown, path: string, roots: SystemRoots): Promise<void> {
  if (!(error instanceof LinkError) || error.trouble !== 'busy') throw error;
  const node = await realpath(path);
  const holder = (await findHolders([node], roots)).get(node);
  if (holder === undefined || !GATEWAY_COMMAND.test(commandLine(holder.pid, roots))) throw error;
}

/** All of it: what a holder is shown with is cut, and Node's and Ferrule's own paths may be longer than that. */
function commandLine(pid: number, { proc = '/proc' }: SystemRoots): string {
  try {
    return readFileSync(`${proc}/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it has ended meanwhile
  }
}

function portWords({ path, vendorId, productId, serialNumber, product, driver, holder }: SerialPortInfo): string {
  const usb = vendorId === undefined ? [] : [`${vendorId}:${productId}`];
  const serial = serialNumber === undefined ? [] : [`serial ${serialNumber}`];
  const held = holder === undefined ? 'held by nobody that can be seen' : `held by ${holder.pid} (${holder.command})`;
  return `${path}: ${[...usb, product ?? driver ?? 'a port', ...serial, held].join(', ')}`;
}

function whoAmI(): { readonly name: string; readonly ids: readonly number[] } {
  const ids = process.getgroups?.() ?? [];
  try {
    return { name: userInfo().username, ids };
  } catch {
    return { name: String(process.getuid?.()), ids }; // a uid without a name, as in many containers
  }
}

function groupNames(file: string): ReadonlyMap<number, string> {
  try {
    const rows = readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    return new Map(rows.filter(({ length }) => length >= 3).map(([name = '', , id]) => [Number(id), name]));
  } catch {
    return new Map();
  }
}
