import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxBinding } from '@serialport/bindings-cpp';
import test from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { openPty, type Pty } from '../../src/hil/pty.js';
import { openDialLine } from '../../src/hil/virtual-dial-line.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { openTcpLine } from '../../src/hil/virtual-tcp-line.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';

/** A socket whose end is remembered. */
function dial(port: number): { socket: net.Socket; heard: () => string; isLost: () => boolean } {
  const socket = net.connect(port, '127.0.0.1');
  let heard = '';
  let isLost = false;
  socket.on('data', (chunk) => (heard += chunk));
  socket.on('error', () => {});
  socket.on('close', () => (isLost = true));
  return { socket, heard: () => heard, isLost: () => isLost };
}

function listen(onSocket: (socket: net.Socket) => void): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer(onSocket);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, port: (server.address() as net.AddressInfo).port }));
  });
}

test('a TCP line talks both ways, and unplugged nobody answers until it is plugged in again', async (t) => {
  const line = await openTcpLine();
  const port = Number(new URL(line.link).port);
  let got = '';
  line.onData((chunk) => (got += chunk));
  const first = dial(port);
  first.socket.write('down');
  await eventually(() => got === 'down', 'the bytes at the device');
  line.send('up');
  await eventually(() => first.heard() === 'up', 'the bytes at the gateway');

  await line.unplug();
  await eventually(first.isLost, 'the loss');
  const second = dial(port);
  await eventually(second.isLost, 'the refusal');

  await line.plug();
  t.is(line.link, `tcp://127.0.0.1:${port}`);
  const third = dial(port);
  third.socket.write('!');
  await eventually(() => got === 'down!', 'the bytes on the new connection');
  await line.close();
  await line.close();
  await eventually(third.isLost, 'the end');
});

test('a TCP line that is reset breaks its connections and takes the next at once', async (t) => {
  const line = await openTcpLine();
  const port = Number(line.link.split(':').at(-1));
  const first = dial(port);
  const gone = dial(port);
  await eventually(() => !first.socket.connecting && !gone.socket.connecting, 'the connections');
  line.send('x');
  gone.socket.end(); // a reset of a socket that is ending already would have Node spin
  await line.reset?.();
  await eventually(() => first.isLost() && gone.isLost(), 'the reset');
  const second = dial(port);
  let got = '';
  line.onData((chunk) => (got += chunk));
  second.socket.write('again');
  await eventually(() => got === 'again', 'the bytes on the new connection');
  t.false(second.isLost());
  await line.close();
});

test('a line that dials is there again after the gateway has dropped it, and stays away when unplugged', async (t) => {
  const sockets: net.Socket[] = [];
  const { server, port } = await listen((socket) => {
    sockets.push(socket.on('error', () => {}));
  });
  const line = openDialLine({ clock: systemClock, host: '127.0.0.1', port });
  t.is(line.link, `tcp-listen://127.0.0.1:${port}`);
  await eventually(() => sockets.length === 1, 'the connection');
  let heard = '';
  sockets[0]?.on('data', (chunk) => (heard += chunk));
  await eventually(() => {
    line.send('x');
    return heard !== '';
  }, 'bytes from the device');
  sockets[0]?.destroy();
  await eventually(() => sockets.length === 2, 'the next connection');
  let got = '';
  line.onData((chunk) => (got += chunk));
  sockets[1]?.write('hi');
  await eventually(() => got === 'hi', 'bytes at the device');

  await line.unplug();
  await eventually(
    () => sockets[1]?.destroyed === true || sockets[1]?.readableEnded === true || got === 'hi',
    'the end',
  );
  await line.plug();
  await eventually(() => sockets.length === 3, 'the connection after plugging in');
  await line.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('a pty line keeps its link over unplug and plug, and leaves nothing behind', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-line-'));
  const symlink = join(dir, 'ttySCALE');
  const line = await openPtyLine({ clock: systemClock, symlink });
  t.is(line.link, `serial:${symlink}`);
  await line.unplug();
  line.send('nobody hears this');
  t.deepEqual(readdirSync(dir), []);
  await line.plug();
  let got = '';
  line.onData((chunk) => (got += chunk));
  const port = await LinuxBinding.open({ path: symlink, baudRate: 9600 });
  await port.write(Buffer.from('tare\n'));
  await eventually(() => got === 'tare\n', 'the command at the device');
  line.send('OK');
  const { buffer, bytesRead } = await port.read(Buffer.alloc(16), 0, 16);
  t.is(buffer.toString('latin1', 0, bytesRead), 'OK');
  await port.close();
  await line.close();
  t.deepEqual(readdirSync(dir), []);
  rmSync(dir, { recursive: true });
});

/** A pty line, and every pty that it has ever opened. */
async function ptyLine(symlink: string) {
  const opened: Pty[] = [];
  const open = async (...options: Parameters<typeof openPty>): Promise<Pty> => {
    const pty = await openPty(...options);
    opened.push(pty);
    return pty;
  };
  const line = await openPtyLine({ clock: systemClock, symlink, open });
  return { line, opened, living: () => opened.filter(({ slavePath }) => existsSync(slavePath)).length };
}

test('a pty line that is closed while it is plugged in leaves nothing behind, and stays closed', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-line-'));
  const { line, living } = await ptyLine(join(dir, 'ttySCALE'));
  await line.unplug();
  await Promise.all([line.plug(), line.close()]);
  t.is(living(), 0);
  t.deepEqual(readdirSync(dir), []);
  await line.plug();
  t.is(living(), 0);
  rmSync(dir, { recursive: true });
});

test('a pty line that is plugged in twice at once has one pty, and unplugged meanwhile none', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ferrule-line-'));
  const { line, living } = await ptyLine(join(dir, 'ttySCALE'));
  await line.unplug();
  await Promise.all([line.plug(), line.plug()]);
  t.is(living(), 1);
  await line.unplug();
  await Promise.all([line.plug(), line.unplug()]);
  t.is(living(), 0);
  await line.close();
  rmSync(dir, { recursive: true });
});

test('a TCP line that is closed while it is plugged in takes no connection any more', async (t) => {
  const line = await openTcpLine();
  const port = Number(new URL(line.link).port);
  await line.unplug();
  await Promise.all([line.plug(), line.close()]);
  const { socket, isLost } = dial(port);
  let isTaken = false;
  socket.on('connect', () => (isTaken = true));
  await eventually(() => isTaken || isLost(), 'an answer');
  t.false(isTaken);
  socket.destroy();
});

test('a TCP line whose port somebody has taken meanwhile says so each time, and takes it again when it is free', async (t) => {
  const line = await openTcpLine();
  const port = Number(new URL(line.link).port);
  await line.unplug();
  const thief = net.createServer();
  await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', onWarning);
  for (let count = 0; count < 12; count += 1) await t.throwsAsync(line.plug(), { code: 'EADDRINUSE' });
  await new Promise((resolve) => thief.close(resolve));
  await line.plug();
  const { socket, isLost } = dial(port);
  await eventually(() => line.isOpen === true, 'the connection');
  t.false(isLost());
  socket.destroy();
  await line.close();
  process.off('warning', onWarning);
  t.deepEqual(warnings, [], 'no listener stays behind a failed try');
});

/** A line that dials, the connections that have come of it, and how many of them are open. */
async function dialled() {
  const sockets: net.Socket[] = [];
  const { server, port } = await listen((socket) => {
    sockets.push(socket.on('error', () => {}).resume());
  });
  const clock = new FakeClock();
  const line = openDialLine({ clock, host: '127.0.0.1', port });
  await eventually(() => sockets.length === 1 && line.isOpen === true, 'the connection');
  const end = async (): Promise<void> => {
    await line.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { line, clock, sockets, open: () => sockets.filter(({ readyState }) => readyState === 'open').length, end };
}

test('a line that dials, unplugged and plugged in at once, has one connection, and closed none', async (t) => {
  const { line, clock, sockets, open, end } = await dialled();
  await Promise.all([line.unplug(), line.plug()]);
  await eventually(() => sockets.length === 2 && open() === 1, 'the next connection');
  t.is(clock.pending, 0, 'nobody waits to dial once more');
  await line.close();
  await eventually(() => open() === 0, 'the end');
  await line.plug();
  t.is(clock.pending, 0);
  t.false(line.isOpen);
  await end();
});

test('a line that dials drops a gateway that does not read, rather than keep a megabyte for it, and dials again', async (t) => {
  const { line, clock, sockets, end } = await dialled();
  sockets[0]?.pause();
  const chunk = Buffer.alloc(64 * 1024);
  for (let count = 0; count < 1024 && line.isOpen; count += 1) line.send(chunk);
  t.false(line.isOpen);
  await eventually(() => clock.pending === 1, 'the loss');
  await clock.advance(500);
  await eventually(() => sockets.length === 2, 'the next connection');
  await end();
});
