import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { runPorts } from '../../src/cli/ports.js';
import { LinkError } from '../../src/device/link.js';
import { findUsbPort } from '../../src/device/links/usb.js';
import { listPorts, listPortsWithHolders } from '../../src/device/ports.js';

/** A /sys, /dev and /proc of one's own. */
class FakeMachine {
  readonly root = mkdtempSync(join(tmpdir(), 'ferrule-ports-'));
  readonly roots = { sys: join(this.root, 'sys'), dev: join(this.root, 'dev'), proc: join(this.root, 'proc') };

  constructor() {
    for (const dir of ['sys/class/tty', 'dev/serial/by-id', 'proc/self'])
      mkdirSync(join(this.root, dir), { recursive: true });
  }

  file(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    symlinkSync(target, join(this.root, path));
  }

  /** An adapter as the kernel shows it: tty -> port -> interface -> USB device with its identity. */
  usbPort(name: string, usb: { id: string; serial?: string; driver?: string; byId?: string }): void {
    const device = `sys/devices/usb1/1-${name}`;
    const [vendor = '', product = ''] = usb.id.split(':');
    this.file(`${device}/idVendor`, `${vendor}\n`);
    this.file(`${device}/idProduct`, `${product}\n`);
    this.file(`${device}/manufacturer`, 'FTDI\n');
    this.file(`${device}/product`, 'FT232R USB UART\n');
    if (usb.serial) this.file(`${device}/serial`, `${usb.serial}\n`);
    this.link(`${device}/1-1:1.0/${name}/driver`, `../../drivers/${usb.driver ?? 'ftdi_sio'}`);
    this.link(`sys/class/tty/${name}/device`, join(this.root, device, '1-1:1.0', name));
    this.file(`dev/${name}`, '');
    if (usb.byId) this.link(`dev/serial/by-id/${usb.byId}`, `../../${name}`);
  }

  /** A UART on the board. `type` 0: a slot without a chip. */
  uart(name: string, type: number): void {
    mkdirSync(join(this.root, 'sys/devices/platform', name), { recursive: true });
    this.link(`sys/class/tty/${name}/device`, join(this.root, 'sys/devices/platform', name));
    this.file(`sys/class/tty/${name}/type`, `${type}\n`);
    this.file(`dev/${name}`, '');
  }

  holder(pid: number, command: string, port: string): void {
    this.file(`proc/${pid}/cmdline`, command.replaceAll(' ', '\0'));
    this.link(`proc/${pid}/fd/3`, join(this.roots.dev, port));
  }

  path(name: string): string {
    return join(this.roots.dev, name);
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

test('ports with hardware are listed in natural order; consoles and empty slots are not', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB10', { id: '0403:6001' });
  machine.usbPort('ttyUSB2', { id: '1a86:7523', driver: 'ch341-uart' });
  machine.uart('ttyAMA0', 1);
  machine.uart('ttyS0', 4);
  machine.uart('ttyS1', 0);
  mkdirSync(join(machine.roots.sys, 'class/tty/tty0'));
  const ports = await listPorts(machine.roots);
  t.deepEqual(
    ports.map((port) => port.path),
    ['ttyAMA0', 'ttyS0', 'ttyUSB2', 'ttyUSB10'].map((name) => machine.path(name)),
  );
  t.is(ports[2]?.driver, 'ch341-uart');
  machine.remove();
});

test('a USB port has its identity, its names and its lasting path', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB0', {
    id: '0403:6001',
    serial: 'A50285BI',
    byId: 'usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0',
  });
  t.deepEqual(await listPorts(machine.roots), [
    {
      path: machine.path('ttyUSB0'),
      byId: machine.path('serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0'),
      vendorId: '0403',
      productId: '6001',
      serialNumber: 'A50285BI',
      manufacturer: 'FTDI',
      product: 'FT232R USB UART',
      driver: 'ftdi_sio',
    },
  ]);
  machine.remove();
});

test('the process that has a port open is named with its command', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB0', { id: '0403:6001' });
  machine.usbPort('ttyUSB1', { id: '0403:6001' });
  machine.holder(4711, 'minicom -D /dev/ttyUSB1', 'ttyUSB1');
  const [first, second] = await listPortsWithHolders(machine.roots);
  t.is(first?.holder, undefined);
  t.deepEqual(second?.holder, { pid: 4711, command: 'minicom -D /dev/ttyUSB1' });
  machine.remove();
});

test('a machine without a tty class has no ports', async (t) => {
  t.deepEqual(await listPorts({ sys: '/nonexistent', dev: '/nonexistent' }), []);
});

async function lookUp(machine: FakeMachine, id: string, serial?: string): Promise<string> {
  try {
    return (await findUsbPort({ id, ...(serial !== undefined && { serial }) }, machine.roots)).path;
  } catch (error) {
    if (error instanceof LinkError) return `${error.trouble}: ${error.message}`;
    throw error;
  }
}

test('a USB identity finds its port, whatever the case of its digits', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyACM0', { id: '2a03:00bf' });
  machine.usbPort('ttyUSB0', { id: '0403:6001' });
  t.is(await lookUp(machine, '2A03:00BF'), machine.path('ttyACM0'));
  machine.remove();
});

test('an identity that fits several ports is ambiguous unless the serial number tells them apart', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB0', { id: '0403:6001', serial: 'AAA' });
  machine.usbPort('ttyUSB1', { id: '0403:6001', serial: 'BBB' });
  const both = await lookUp(machine, '0403:6001');
  t.true(both.startsWith('ambiguous: USB identity 0403:6001 fits 2 ports: '), both);
  t.true(both.includes(`${machine.path('ttyUSB1')} (serial BBB)`) && both.endsWith('the link key `serial:`'), both);
  t.is(await lookUp(machine, '0403:6001', 'BBB'), machine.path('ttyUSB1'));
  machine.usbPort('ttyUSB2', { id: '1a86:7523' });
  machine.usbPort('ttyUSB3', { id: '1a86:7523' });
  t.true((await lookUp(machine, '1a86:7523')).endsWith('link by /dev/serial/by-path/... instead'));
  machine.remove();
});

test('an identity that is not plugged in is missing, and the message lists what is', async (t) => {
  const machine = new FakeMachine();
  t.true((await lookUp(machine, '0403:6001')).includes('is it plugged in?'));
  machine.usbPort('ttyUSB0', { id: '1a86:7523' });
  const message = await lookUp(machine, '0403:6001', 'AAA');
  t.is(
    message,
    `missing: no USB serial device 0403:6001 serial AAA; here: 1a86:7523 ${machine.path('ttyUSB0')} (no serial number)`,
  );
  machine.remove();
});

async function printed(machine: FakeMachine, json = false): Promise<string[]> {
  const lines: string[] = [];
  const code = await runPorts((line) => lines.push(line), { json, ...machine.roots });
  if (code !== 0) throw new Error(`exit code ${code}`);
  return lines;
}

test('`ferrule ports` prints one aligned row per port', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB0', { id: '0403:6001', serial: 'AAA' });
  machine.uart('ttyAMA0', 1);
  machine.holder(99, 'screen /dev/ttyUSB0', 'ttyUSB0');
  const [head = '', uart = '', usb = ''] = await printed(machine);
  t.is(usb.indexOf('0403:6001'), head.indexOf('USB ID'));
  t.is(usb.indexOf('99 (screen /dev/ttyUSB0)'), head.indexOf('HELD BY'));
  t.true(uart.startsWith(machine.path('ttyAMA0')));
  machine.remove();
});

test('`ferrule ports --json` prints the same as data', async (t) => {
  const machine = new FakeMachine();
  machine.usbPort('ttyUSB0', { id: '0403:6001' });
  t.deepEqual(JSON.parse((await printed(machine, true)).join('\n')), await listPorts(machine.roots));
  machine.remove();
});

test('`ferrule ports` with no port says what to check', async (t) => {
  const machine = new FakeMachine();
  const text = (await printed(machine)).join('\n');
  for (const word of ['cable', 'dmesg', 'driver']) t.true(text.includes(word), word);
  machine.remove();
});
