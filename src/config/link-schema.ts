// How a device is reached: the `link` key. Every link has an object form and a string form; `link-string.ts` turns the
// string into the object before this schema sees it.
//
//   serial:/dev/ttyUSB0?baud_rate=9600      { type: serial, path: /dev/ttyUSB0, baud_rate: 9600 }
//   usb:0403:6001?serial=A50285BI           { type: usb, id: "0403:6001", serial: A50285BI }
//   tcp://10.0.0.5:4001                     { type: tcp, host: 10.0.0.5, port: 4001 }
//   tcp-listen://0.0.0.0:7000               { type: tcp-listen, host: 0.0.0.0, port: 7000 }

import { z } from 'zod';
import { duration, integer, oneOf, port, regExp } from './values.js';

const line = {
  baud_rate: integer(50, 4_000_000).optional().describe("Bits per second; default: the driver's, else 9600"),
  data_bits: oneOf(5, 6, 7, 8).default(8).describe('Data bits'),
  parity: z.enum(['none', 'even', 'odd']).default('none').describe('Parity: none, even or odd'),
  stop_bits: oneOf(1, 2).default(1).describe('Stop bits'),
  rtscts: z.boolean().default(false).describe('Hardware flow control: the device waits while Ferrule cannot take more'),
  idle_timeout: duration()
    .prefault(0)
    .describe('Nothing received for this long: the port is closed and opened again; 0 = never'),
};

const host = () =>
  z.string().regex(/^[^\s/?#@[\]]{1,255}$/, { error: 'a host name or IP address (IPv6 without brackets)' });

/** A serial port by path (also /dev/serial/by-id/...). */
export const serialLink = z.strictObject({
  type: z.literal('serial'),
  path: z.string().min(1).describe('Device node, e.g. /dev/ttyUSB0 or /dev/serial/by-id/...'),
  ...line,
});

/** A serial port by the identity of its USB device, whatever path it gets. */
export const usbLink = z.strictObject({
  type: z.literal('usb'),
  id: z
    .string()
    .regex(/^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$/, { error: 'VID:PID in hexadecimal, e.g. "0403:6001"' })
    .describe('VID:PID of the USB device, in hexadecimal'),
  serial: z
    .string()
    .min(1)
    .optional()
    .describe('Its serial number, needed where several devices have the same VID:PID'),
  ...line,
});

export const tcpLink = z.strictObject({
  type: z.literal('tcp'),
  host: host().describe('Host name or IP address to connect to'),
  port: port().describe('TCP port to connect to'),
  connect_timeout: duration({ min: 100, max: 120_000 }).prefault('10s').describe('How long a connect may take'),
  idle_timeout: duration()
    .prefault(0)
    .describe('Nothing received for this long: the connection is closed and opened again; 0 = never'),
});

/** The value of `peer` with which a connection is called what its device calls itself. */
export const FIRST_FRAME = 'first-frame';

const PEER_FIELDS = /\{(?:ip|port|n)\}/g;

/** The fixed text of a template goes into a topic: one segment, no wildcard, no stray brace. */
function isPeerTemplate(peer: string): boolean {
  return peer.match(PEER_FIELDS) !== null && /^[^{}/+#\s]*$/.test(peer.replaceAll(PEER_FIELDS, ''));
}

const peer = z.string().refine((text) => text === FIRST_FRAME || text === 'shared' || isPeerTemplate(text), {
  error: '"shared", "first-frame" or a template with {ip}, {port} or {n}, such as "{ip}-{port}", without / + #',
});

export const tcpListenLink = z.strictObject({
  type: z.literal('tcp-listen'),
  host: host().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 = all'),
  port: port(0).describe('TCP port to listen on; 0 lets the system choose, the log says which'),
  max_connections: integer(1, 65535).default(1024).describe('Connections beyond this many are refused'),
  idle_timeout: duration()
    .prefault('5m')
    .describe('Nothing received for this long: the connection is closed; 0 = never'),
  peer: peer
    .default('{ip}-{port}')
    .describe(
      "Names each connection: a template of {ip}, {port}, {n}; `first-frame`: what `peer_pattern` finds in the first thing that it says; or `shared`: all on the listener's own topic",
    ),
  peer_pattern: regExp()
    .default('.+')
    .describe('With `first-frame`: the name is group 1 of this regular expression, or all that matches'),
  peer_timeout: duration({ min: 100, max: 600_000 })
    .prefault('10s')
    .describe('With `first-frame`: a connection that has said nothing by then is closed'),
});

const notALink = (issue: { code?: string | undefined }): string | undefined =>
  issue.code === 'invalid_type'
    ? 'a link such as "serial:/dev/ttyUSB0", "tcp://host:port" or { type: ... }'
    : undefined;

export const linkSchema = z.discriminatedUnion('type', [serialLink, usbLink, tcpLink, tcpListenLink], {
  error: notALink,
});

/** Of `defaults`: a link without its address, whose keys fill in the links of the same type. */
export const linkDefaultsSchema = z.discriminatedUnion('type', [
  serialLink.partial({ path: true }),
  usbLink.partial({ id: true }),
  tcpLink.partial({ host: true, port: true }),
  tcpListenLink.partial({ port: true }),
]);

export type LinkConfig = z.output<typeof linkSchema>;
/** A link as people write it, in object form. */
export type LinkInput = z.input<typeof linkSchema>;
export type SerialLinkConfig = z.output<typeof serialLink>;
export type UsbLinkConfig = z.output<typeof usbLink>;
export type TcpLinkConfig = z.output<typeof tcpLink>;
export type TcpListenLinkConfig = z.output<typeof tcpListenLink>;
