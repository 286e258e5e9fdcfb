// Where in the machine a serial port is plugged in, as udev would say it: which USB device and interface it belongs to, and the
// path of its socket. Read from /sys and /dev/serial/by-path.

import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SystemRoots } from '../device/ports.js';

/** Absent: what could not be found, or does not apply (a UART on the board is on no USB). */
export interface UdevPlace {
  /** Folder of the USB device: the same for all ports of one adapter. */
  readonly usbDevice?: string;
  /** The kernel's name of the USB interface, e.g. `1-1.4:1.0`: bus, sockets, interface. */
  readonly usbInterface?: string;
  /** Its number, two hexadecimal digits: ID_USB_INTERFACE_NUM of udev. */
  readonly interfaceNumber?: string;
  /** Number of the port where one interface has several: .ID_PORT of udev. */
  readonly portNumber?: string;
  /** ID_PATH of udev: stays the same as long as nobody moves the plug. */
  readonly idPath?: string;
}

const MAX_LEVELS_UP = 6;
const INTERFACE = /^\d+-[\d.]+:\d+\.(\d+)$/;

/** Finds the place of a port (`/dev/ttyUSB0`). Never rejects: what cannot be read is absent. */
export async function udevPlace(path: string, { sys = '/sys', dev = '/dev' }: SystemRoots = {}): Promise<UdevPlace> {
  const name = basename(path);
  const device = await realpath(join(sys, 'class/tty', name, 'device')).catch(() => undefined);
  return { ...(device !== undefined && (await usbPlace(device))), ...(await socketPlace(name, dev)) };
}

async function usbPlace(device: string): Promise<UdevPlace> {
  let found: UdevPlace = {};
  let dir = device;
  for (let level = 0; level < MAX_LEVELS_UP; level++, dir = dirname(dir)) {
    const [usbInterface, number] = INTERFACE.exec(basename(dir)) ?? [];
    if (usbInterface !== undefined) {
      found = { usbInterface, interfaceNumber: Number(number).toString(16).padStart(2, '0') };
    }
    const isDevice = await stat(join(dir, 'idVendor')).then(
      () => true,
      () => false,
    );
    if (isDevice) return { ...found, usbDevice: dir };
  }
  return {};
}

/** From its name in /dev/serial/by-path, which udev makes of ID_PATH and, for the drivers of usb-serial, `-port<n>`. */
async function socketPlace(name: string, dev: string): Promise<UdevPlace> {
  const dir = join(dev, 'serial/by-path');
  // Newer ones have two names, `...-usb-0:1:1.0` and `...-usbv2-0:1:1.0`: all versions have the first.
  for (const link of (await readdir(dir).catch(() => [])).sort()) {
    const target = await readlink(join(dir, link)).catch(() => '');
    if (basename(target) !== name) continue;
    const [, idPath = link, portNumber] = /^(.*?)(?:-port(\d+))?$/.exec(link) ?? [];
    return { idPath, ...(portNumber !== undefined && { portNumber }) };
  }
  return {};
}
