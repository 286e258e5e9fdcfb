// The serial ports of this machine, from /sys/class/tty: no udevadm, no native code, every driver (SerialPort.list() needs
// udevadm and misses some). Used by `ferrule ports`, `ferrule init`, usb links and error messages.

import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findHolders, type PortHolder } from './port-holder.js';

/** Where the system's trees are; tests give their own. */
export interface SystemRoots {
  /** Default /sys. */
  readonly sys?: string;
  /** Default /dev. */
  readonly dev?: string;
  /** Default /proc. */
  readonly proc?: string;
}

/** One serial port. The USB fields are absent where the port is not on USB; ids are four hexadecimal digits. */
export interface SerialPortInfo {
  readonly path: string;
  /** Its name in /dev/serial/by-id: stays the same across reboots and sockets. */
  readonly byId?: string;
  readonly vendorId?: string;
  readonly productId?: string;
  readonly serialNumber?: string;
  readonly manufacturer?: string;
  readonly product?: string;
  /** Kernel driver, e.g. `ftdi_sio`. */
  readonly driver?: string;
  /** Who has it open; only filled in by `listPortsWithHolders`. */
  readonly holder?: PortHolder;
}

type UsbFields = Pick<SerialPortInfo, 'vendorId' | 'productId' | 'serialNumber' | 'manufacturer' | 'product'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A USB device stands a few directories above its tty; further up there are only hubs. */
const MAX_LEVELS_UP = 6;
const SERIAL_BASE: ReadonlySet<string> = new Set(['port', 'ctrl']);

/** All serial ports that have hardware behind them, in natural order of their paths. */
export async function listPorts(roots: SystemRoots = {}): Promise<SerialPortInfo[]> {
  const { sys = '/sys', dev = '/dev' } = roots;
  const ttys = join(sys, 'class/tty');
  const byId = await linksById(dev);
  const names = await readdir(ttys).catch(() => []);
  const ports = await Promise.all(names.map((name) => portOf(join(ttys, name), join(dev, name), byId.get(name))));
  const found = ports.filter((port) => port !== undefined);
  return found.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}

/** As `listPorts`, and for each port who has it open. */
export async function listPortsWithHolders(roots: SystemRoots = {}): Promise<SerialPortInfo[]> {
  const ports = await listPorts(roots);
  const holders = await findHolders(
    ports.map((port) => port.path),
    roots,
  );
  return ports.map((port) => {
    const holder = holders.get(port.path);
    return holder ? { ...port, holder } : port;
  });
}

/** Undefined for what is no port: virtual consoles (no device), and 8250 slots with no chip in them (type 0). */
async function portOf(ttyDir: string, path: string, byId: string | undefined): Promise<SerialPortInfo | undefined> {
  const device = await realpath(join(ttyDir, 'device')).catch(() => undefined);
  if (device === undefined || (await textOf(join(ttyDir, 'type'))) === '0') return undefined;
  const driver = await driverOf(device);
  return {
    path,
    ...(byId !== undefined && { byId }),
    ...(await usbFieldsAbove(device)),
    ...(driver !== undefined && { driver }),
  };
}

/** Newer kernels put two levels of their own (`port`, `ctrl`) between a UART's tty and the driver that people know. */
async function driverOf(device: string): Promise<string | undefined> {
  let dir = device;
  for (let level = 0; level <= SERIAL_BASE.size; level++, dir = dirname(dir)) {
    const driver = await readlink(join(dir, 'driver')).catch(() => undefined);
    if (driver === undefined) return undefined;
    if (!SERIAL_BASE.has(basename(driver))) return basename(driver);
  }
  return undefined;
}

async function usbFieldsAbove(device: string): Promise<UsbFields> {
  let dir = device;
  for (let level = 0; level < MAX_LEVELS_UP; level++, dir = dirname(dir)) {
    const vendorId = await textOf(join(dir, 'idVendor'));
    if (vendorId) return usbFields(dir, vendorId);
  }
  return {};
}

async function usbFields(dir: string, vendorId: string): Promise<UsbFields> {
  const fields: Mutable<UsbFields> = { vendorId };
  const files = {
    productId: 'idProduct',
    serialNumber: 'serial',
    manufacturer: 'manufacturer',
    product: 'product',
  } as const;
  for (const key of ['productId', 'serialNumber', 'manufacturer', 'product'] as const) {
    const text = await textOf(join(dir, files[key]));
    if (text) fields[key] = text;
  }
  return fields;
}

/** tty name -> its link in /dev/serial/by-id. */
async function linksById(dev: string): Promise<Map<string, string>> {
  const dir = join(dev, 'serial/by-id');
  const links = new Map<string, string>();
  for (const name of await readdir(dir).catch(() => [])) {
    const target = await readlink(join(dir, name)).catch(() => undefined);
    if (target !== undefined) links.set(basename(target), join(dir, name));
  }
  return links;
}

async function textOf(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text?.trim();
}
