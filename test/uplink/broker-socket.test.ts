// What every connection to a broker does the same, whatever it goes through.

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { type BrokerTls, openBrokerSocket } from '../../src/uplink/broker-socket.js';
import { authorityFor, pem, skipWithoutOpenssl } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { slowName } from '../support/slow-name.js';

/** More than is read at once, and than the system keeps for a reader that pauses. */
const MUCH = 16 * 1024 * 1024;

interface Far {
  /** The other end of the next connection. */
  readonly peer: Promise<Duplex>;
  readonly url: string;
  readonly security: BrokerTls;
}

function listening(server: net.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)); // it listens on a port
  });
}

async function tcp(t: ExecutionContext): Promise<Far> {
  const server = net.createServer();
  t.teardown(() => server.close());
  const peer = new Promise<Duplex>((resolve) => server.once('connection', resolve));
  return { peer, url: `mqtt://127.0.0.1:${await listening(server)}`, security: {} };
}

async function encrypted(t: ExecutionContext): Promise<Far> {
  const authority = authorityFor(t);
  const { cert, key } = authority.sign('localhost');
  const server = tls.createServer({ cert: pem(cert), key: pem(key) });
  t.teardown(() => server.close());
  const peer = new Promise<Duplex>((resolve) => server.once('secureConnection', resolve));
  return { peer, url: `mqtts://localhost:${await listening(server)}`, security: { ca: pem(authority.ca) } };
}

async function webSocket(t: ExecutionContext): Promise<Far> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const peer = new Promise<Duplex>((resolve) =>
    server.once('connection', (socket) => resolve(createWebSocketStream(socket))),
  );
  return { peer, url: `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}`, security: {} };
}

for (const [name, listen] of Object.entries({ TCP: tcp, TLS: encrypted, WebSocket: webSocket })) {
  const title = `${name}: what comes is read in order, nothing while paused, and the end after the last of it`;
  if (name === 'TLS' && skipWithoutOpenssl !== undefined) test.skip(`${title} (${skipWithoutOpenssl})`, () => {});
  else test(title, (t) => isRead(t, listen));
}

for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss']) {
  test.serial(
    `${scheme}: the first address of a name with several has its time, also where a connect takes a second`,
    async (t) => {
      const { port, met } = await slowName(t);
      const given = new AbortController();
      const opening = openBrokerSocket(new URL(`${scheme}://broker.test:${port}`), {}, given.signal);
      await Promise.race([met, opening]);
      given.abort();
      const socket = await opening.catch(() => undefined);
      socket?.destroy();
      await t.notThrowsAsync(met);
    },
  );
}

async function isRead(t: ExecutionContext, listen: (t: ExecutionContext) => Promise<Far>): Promise<void> {
  const { peer, url, security } = await listen(t);
  const socket = await openBrokerSocket(new URL(url), security, new AbortController().signal);
  t.teardown(() => socket.destroy());
  let received = 0;
  let isInOrder = true;
  let hasEnded = false;
  socket.on('data', (lent: Buffer) => {
    // Numbered by its place, in words: a buffer that is used over and over would show here.
    for (let at = (4 - (received % 4)) % 4; at + 4 <= lent.length; at += 4)
      if (lent.readUInt32LE(at) !== received + at) isInOrder = false;
    received += lent.length;
  });
  socket.on('end', () => (hasEnded = true));
  const far = await peer;
  far.on('error', () => {}).on('data', () => {});
  const bytes = Buffer.alloc(MUCH);
  for (let at = 0; at < MUCH; at += 4) bytes.writeUInt32LE(at, at);
  far.write(bytes.subarray(0, 8));
  await eventually(() => received === 8, 'the first bytes');
  socket.pause();
  far.write(bytes.subarray(8));
  await new Promise<void>((resolve) => socket.write('x', () => resolve()));
  await new Promise(setImmediate);
  t.is(received, 8);
  t.true(far.writableLength > 0);
  socket.resume();
  await eventually(() => received === MUCH, 'all of it');
  t.true(isInOrder);
  t.false(hasEnded);
  far.end();
  await eventually(() => hasEnded, 'the end');
}
