import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runPorts } from '../../src/cli/ports.js';

interface FakePort {
  /** Where on the bus: `1-1.4`. */
  readonly socket: string;
  readonly id: string;
  readonly serial?: string;
  readonly product?: string;
  readonly interface?: number;
  /** Name in /dev/serial/by-path. */
  readonly byPath?: string;
}

/** A /sys and /dev as the kernel and udev make them. */
class FakeMachine {
  readonly #root = mkdtempSync(join(tmpdir(), 'ferrule-udev-'));
  readonly roots = { sys: join(this.#root, 'sys'), dev: join(this.#root, 'dev'), proc: join(this.#root, 'proc') };

  constructor(t: ExecutionContext) {
    t.teardown(() => rmSync(this.#root, { recursive: true }));
    mkdirSync(join(this.roots.sys, 'class/tty'), { recursive: true });
  }

  usb(name: string, port: FakePort): void {
    const { socket, id, serial, product = 'FT232R USB UART', interface: number = 0, byPath } = port;
    const device = join(this.roots.sys, 'devices/platform/usb1', socket);
    const [vendor = '', productId = ''] = id.split(':');
    const identity = { idVendor: vendor, idProduct: productId, product, ...(serial !== undefined && { serial }) };
    for (const [file, text] of Object.entries(identity)) this.#file(join(device, file), `${text}\n`);
    this.#tty(name, join(device, `${socket}:1.${number}`, name));
    if (byPath !== undefined) this.#link(join(this.roots.dev, 'serial/by-path', byPath), `../../${name}`);
  }

  uart(name: string): void {
    this.#tty(name, join(this.roots.sys, 'devices/platform/soc', name));
  }

  /** The rules, without comments and empty lines. */
  async rules(): Promise<string[]> {
    return (await this.lines()).filter((line) => line !== '' && !line.startsWith('#'));
  }

  async lines(): Promise<string[]> {
    const lines: string[] = [];
    const code = await runPorts((line) => lines.push(line), { json: false, udev: true, ...this.roots });
    if (code !== 0) throw new Error(`exit code ${code}`);
    return lines;
  }

  #tty(name: string, device: string): void {
    mkdirSync(device, { recursive: true });
    this.#link(join(this.roots.sys, 'class/tty', name, 'device'), device);
    this.#file(join(this.roots.dev, name), '');
  }

  #file(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  #link(path: string, target: string): void {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
}

const REST = 'GROUP="dialout", MODE="0660"';
const QUIET = `${REST}, ENV{ID_MM_DEVICE_IGNORE}="1"`;

test('an adapter with a serial number is named by it, whatever its socket', async (t) => {
  const machine = new FakeMachine(t);
  machine.usb('ttyUSB0', { socket: '1-1.4', id: '0403:6001', serial: 'A50285BI' });
  t.deepEqual(await machine.rules(), [
    `SUBSYSTEM=="tty", ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6001", ATTRS{serial}=="A50285BI", SYMLINK+="ferrule/ft232r-usb-uart-a50285bi", ${QUIET}`,
  ]);
  const said = (await machine.lines()).find((line) => line.includes('ttyUSB0'));
  t.regex(said ?? '', /^# \/.*\/ttyUSB0: FT232R USB UART, serial number A50285BI$/);
});

test('an adapter without a serial number is named by its socket, as udev calls it', async (t) => {
  const machine = new FakeMachine(t);
  const ch340 = { id: '1a86:7523', product: 'USB Serial' };
  machine.usb('ttyUSB0', {
    ...ch340,
    socket: '1-1.4',
    byPath: 'platform-fd5.pcie-pci-0000:01:00.0-usb-0:1.4:1.0-port0',
  });
  machine.usb('ttyACM0', { ...ch340, socket: '1-1.2', byPath: 'platform-fd5.pcie-pci-0000:01:00.0-usb-0:1.2:1.0' });
  t.deepEqual(await machine.rules(), [
    `SUBSYSTEM=="tty", ENV{ID_PATH}=="platform-fd5.pcie-pci-0000:01:00.0-usb-0:1.2:1.0", SYMLINK+="ferrule/usb-serial-1-1.2-1.0", ${QUIET}`,
    `SUBSYSTEM=="tty", ENV{ID_PATH}=="platform-fd5.pcie-pci-0000:01:00.0-usb-0:1.4:1.0", ENV{.ID_PORT}=="0", SYMLINK+="ferrule/usb-serial-1-1.4-1.0", ${QUIET}`,
  ]);
});

test('without udev the socket is called as the kernel calls it', async (t) => {
  const machine = new FakeMachine(t);
  machine.usb('ttyUSB0', { socket: '1-1.4', id: '1a86:7523', product: 'USB Serial' });
  t.deepEqual(await machine.rules(), [
    `SUBSYSTEM=="tty", KERNELS=="1-1.4:1.0", SYMLINK+="ferrule/usb-serial-1-1.4-1.0", ${QUIET}`,
  ]);
});

test('two adapters with one and the same serial number are told apart by their sockets', async (t) => {
  const machine = new FakeMachine(t);
  machine.usb('ttyUSB0', { socket: '1-1', id: '10c4:ea60', serial: '0001' });
  machine.usb('ttyUSB1', { socket: '1-2', id: '10c4:ea60', serial: '0001' });
  const rules = await machine.rules();
  t.deepEqual(
    rules.map((rule) => /KERNELS=="([^"]+)"/.exec(rule)?.[1]),
    ['1-1:1.0', '1-2:1.0'],
  );
});

test('the ports of one adapter are told apart by their interfaces, or by their numbers on one interface', async (t) => {
  const machine = new FakeMachine(t);
  const dual = { socket: '1-1', id: '0403:6010', serial: 'FT4' };
  machine.usb('ttyUSB0', { ...dual, interface: 0 });
  machine.usb('ttyUSB1', { ...dual, interface: 1 });
  const moxa = { socket: '1-2', id: '110a:1410', serial: 'MX1' };
  machine.usb('ttyUSB2', { ...moxa, byPath: 'pci-0000:00:14.0-usb-0:2:1.0-port0' });
  machine.usb('ttyUSB3', { ...moxa, byPath: 'pci-0000:00:14.0-usb-0:2:1.0-port1' });
  const rules = await machine.rules();
  const differences = rules.map((rule) =>
    [...rule.matchAll(/ENV\{([\w.]+)\}=="(\w+)"/g)].map(([, key, value]) => `${key}=${value}`),
  );
  t.deepEqual(differences, [
    ['ID_USB_INTERFACE_NUM=00'],
    ['ID_USB_INTERFACE_NUM=01'],
    ['ID_USB_INTERFACE_NUM=00', '.ID_PORT=0'],
    ['ID_USB_INTERFACE_NUM=00', '.ID_PORT=1'],
  ]);
  t.is(new Set(rules.map((rule) => /SYMLINK\+="([^"]+)"/.exec(rule)?.[1])).size, 4);
});

test('a serial number that would mean something in a rule is not used in one', async (t) => {
  const machine = new FakeMachine(t);
  machine.usb('ttyUSB0', { socket: '1-1', id: '0403:6001', serial: 'A*", RUN+="/bin/sh' });
  machine.usb('ttyUSB1', { socket: '1-2', id: '0403:6001', serial: 'B\u0007?', product: 'x"\u001b[2J", RUN+="y' });
  const rules = await machine.rules();
  t.is(rules.length, 2);
  for (const rule of rules) {
    t.regex(
      rule,
      /^SUBSYSTEM=="tty", KERNELS=="1-[12]:1\.0", SYMLINK\+="ferrule\/[a-z0-9.-]+", GROUP="dialout", MODE="0660", ENV\{ID_MM_DEVICE_IGNORE\}="1"$/,
    );
  }
  for (const line of await machine.lines()) t.false(/\p{Cc}/u.test(line), line);
});

test('a UART on the board is named by its path, which does not change', async (t) => {
  const machine = new FakeMachine(t);
  machine.uart('ttyAMA0');
  t.deepEqual(await machine.rules(), [`SUBSYSTEM=="tty", KERNEL=="ttyAMA0", SYMLINK+="ferrule/ttyama0", ${REST}`]);
});

test('with no port the output is a rules file too: all of it comments', async (t) => {
  const lines = await new FakeMachine(t).lines();
  t.true(lines.length > 1);
  for (const line of lines) t.true(line.startsWith('#'), line);
});
