// udev rules that give ports a name that stays: by the serial number of the adapter, else by the socket it is plugged into. Pure.

import type { SerialPortInfo } from '../device/ports.js';
import type { UdevPlace } from './udev-place.js';

export interface PlacedPort {
  readonly port: SerialPortInfo;
  readonly place: UdevPlace;
}

const ACCESS = 'GROUP="dialout", MODE="0660"';
/** A value of a rule is a pattern in quotes: what would mean something there is not used. */
const PLAIN = /^[\w .:@+,-]+$/;
const MAX_NAME_CHARS = 60;

/** The lines of a rules file for these ports. */
export function udevRules(ports: readonly PlacedPort[]): string[] {
  return [
    '# Made by `ferrule ports --udev`. Choose the names, then put this into /etc/udev/rules.d/99-ferrule.rules and run',
    '# sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=tty --action=add',
    ...ports.flatMap((placed) => ['', ...ruleOf(placed, ports)]),
  ];
}

function ruleOf(placed: PlacedPort, all: readonly PlacedPort[]): string[] {
  const { port } = placed;
  const matches = matchesOf(placed, all);
  if (matches === undefined) return [...comment(port), `# nothing tells it from others: no serial number, no place`];
  const { words, name } = matches;
  const isUsb = port.vendorId !== undefined;
  // Without it ModemManager tries AT commands on a port that it does not know.
  const quiet = isUsb ? ', ENV{ID_MM_DEVICE_IGNORE}="1"' : '';
  return [...comment(port), `SUBSYSTEM=="tty", ${words.join(', ')}, SYMLINK+="ferrule/${name}", ${ACCESS}${quiet}`];
}

function comment({ path, manufacturer, product, driver, serialNumber }: SerialPortInfo): string[] {
  const what = [manufacturer, product].filter(Boolean).join(' ') || driver || 'a serial port';
  const serial = serialNumber === undefined ? 'no serial number' : `serial number ${serialNumber}`;
  return [`# ${path}: ${what}, ${serial}`.replace(/\p{Cc}+/gu, ' ')];
}

interface Matches {
  readonly words: readonly string[];
  /** Of the symlink. */
  readonly name: string;
}

function matchesOf({ port, place }: PlacedPort, all: readonly PlacedPort[]): Matches | undefined {
  if (port.vendorId === undefined) {
    const kernel = port.path.replace(/^.*\//, '');
    return { words: [`KERNEL=="${kernel}"`], name: slug([kernel]) };
  }
  return bySerial({ port, place }, all) ?? byPlace({ port, place });
}

/** Undefined where the serial number does not tell the adapter from others: some makers give all the same. */
function bySerial({ port, place }: PlacedPort, all: readonly PlacedPort[]): Matches | undefined {
  const { vendorId, productId, serialNumber, product } = port;
  if (serialNumber === undefined || !PLAIN.test(serialNumber)) return undefined;
  const same = all.filter(({ port: other }) => isSameAdapter(other, port));
  if (same.some(({ place: other }) => other.usbDevice !== place.usbDevice)) return undefined;
  const which = same.length === 1 ? [] : whichPort(place, same);
  return {
    words: [
      `ATTRS{idVendor}=="${vendorId}"`,
      `ATTRS{idProduct}=="${productId}"`,
      `ATTRS{serial}=="${serialNumber}"`,
      ...which.map(([key, value]) => `ENV{${key}}=="${value}"`),
    ],
    name: slug([product, serialNumber, ...which.map(([, value]) => value)]),
  };
}

function isSameAdapter(a: SerialPortInfo, b: SerialPortInfo): boolean {
  return a.vendorId === b.vendorId && a.productId === b.productId && a.serialNumber === b.serialNumber;
}

/** Tells the ports of one adapter apart: by their interfaces, and by their numbers where they share one. */
function whichPort(
  { interfaceNumber, portNumber }: UdevPlace,
  same: readonly PlacedPort[],
): (readonly [key: string, value: string])[] {
  const sharing = same.filter(({ place }) => place.interfaceNumber === interfaceNumber);
  return [
    ...(interfaceNumber === undefined ? [] : ([['ID_USB_INTERFACE_NUM', interfaceNumber]] as const)),
    ...(sharing.length === 1 || portNumber === undefined ? [] : ([['.ID_PORT', portNumber]] as const)),
  ];
}

function byPlace({ port, place }: PlacedPort): Matches | undefined {
  const { idPath, usbInterface, portNumber } = place;
  const which = portNumber === undefined ? [] : [`ENV{.ID_PORT}=="${portNumber}"`];
  const name = slug([port.product, usbInterface ?? idPath, portNumber === '0' ? undefined : portNumber]);
  if (idPath !== undefined && PLAIN.test(idPath)) return { words: [`ENV{ID_PATH}=="${idPath}"`, ...which], name };
  return usbInterface === undefined ? undefined : { words: [`KERNELS=="${usbInterface}"`, ...which], name };
}

/** `FT232R USB UART`, `A50285BI` -> `ft232r-usb-uart-a50285bi`. */
function slug(parts: readonly (string | undefined)[]): string {
  const text = parts.filter(Boolean).join('-').toLowerCase();
  return (
    text
      .replace(/[^a-z0-9.]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(-MAX_NAME_CHARS) || 'port'
  );
}
