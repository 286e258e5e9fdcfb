// The server on real sockets of loopback, in front of a gateway that is made up.

import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { HttpDoor } from '../../src/http/http-door.js';
import { HttpServer, type HttpServerOptions } from '../../src/http/http-server.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeGatewayView } from '../support/gateway-view.js';
import { ask } from '../support/http-ask.js';
import { freePort } from '../support/mosquitto.js';
import { RecordingLog } from '../support/recording-log.js';

async function serverFor(t: ExecutionContext, options: Partial<HttpServerOptions> = {}) {
  const gateway = new FakeGatewayView();
  const log = new RecordingLog();
  const address = { host: '127.0.0.1', port: 0 };
  const server = new HttpServer({ address, token: undefined, gateway, clock: systemClock, log, ...options });
  t.teardown(() => server.close());
  server.start();
  await eventually(() => server.address !== undefined, 'the server');
  return { server, gateway, log, port: server.address?.port ?? 0 };
}

async function socketTo(t: ExecutionContext, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Also after an error: how it ends is no matter here. */
function closeOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

test('it answers, says where it listens, and closes each connection after one answer', async (t) => {
  const { port, log } = await serverFor(t);
  const { status, headers, json } = await ask(port, '/health/live', { headers: { connection: 'keep-alive' } });
  t.deepEqual([status, json()], [200, { live: true }]);
  t.deepEqual([headers.connection, headers['cache-control']], ['close', 'no-store']);
  t.is(log.find('health and metrics on')?.fields.listen, `127.0.0.1:${port}`);
  const head = await ask(port, '/health', { method: 'HEAD' });
  t.deepEqual([head.status, head.body], [200, '']);
  t.true(Number(head.headers['content-length']) > 50);
});

test('metrics are there for Prometheus, and two scrapes at once are one', async (t) => {
  const { port, gateway } = await serverFor(t);
  const [one, two] = await Promise.all([ask(port, '/metrics'), ask(port, '/metrics')]);
  t.is(one.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.regex(one.body, /^ferrule_build_info\{version="1\.2\.3",node="[\d.]+"\} 1$/m);
  t.regex(two.body, /^ferrule_ready 1$/m);
  await ask(port, '/metrics');
  t.is(gateway.watchers.length, 1, 'the latency is watched once');
});

test('a gateway that throws gives 500, one line in the log, and goes on', async (t) => {
  const { port, gateway, log } = await serverFor(t);
  const report = gateway.report.bind(gateway);
  gateway.report = () => {
    throw new Error('a bug');
  };
  for (const path of ['/health', '/health/live', '/health']) t.is((await ask(port, path)).status, 500);
  t.is(log.matching('a bug').length, 1);
  gateway.report = report;
  t.is((await ask(port, '/health')).status, 200);
});

test('what is no HTTP, and headers without end, are turned away, and the next one is served', async (t) => {
  const { port } = await serverFor(t);
  for (const [text, answer] of [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET /health HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ] as const) {
    const socket = await socketTo(t, port);
    let got = '';
    socket.setEncoding('latin1').on('data', (part) => (got += part));
    socket.write(text);
    await closeOf(socket);
    t.regex(got, answer);
  }
  t.is((await ask(port, '/health/live')).status, 200);
});

test('connections beyond the limit are closed at once; where one ends there is room again', async (t) => {
  const { port } = await serverFor(t);
  const idle = await Promise.all(Array.from({ length: 64 }, () => socketTo(t, port)));
  const closed = idle.map(closeOf);
  await t.throwsAsync(ask(port, '/health/live'));
  idle.pop()?.destroy();
  await eventually(async () => (await ask(port, '/health/live').catch(() => undefined))?.status === 200, 'an answer');
  for (const socket of idle) socket.destroy();
  await Promise.all(closed);
  t.is((await ask(port, '/health/live')).status, 200);
});

test('a connection on which nothing moves is closed', async (t) => {
  const { port } = await serverFor(t, { stalledMs: 1000 });
  const [silent, half] = await Promise.all([socketTo(t, port), socketTo(t, port)]);
  half.write('GET /health HTTP/1.1\r\n');
  await Promise.all([closeOf(silent), closeOf(half)]);
  t.is((await ask(port, '/health/live')).status, 200);
});

test('a request that arrives byte by byte has an end too', async (t) => {
  const { port } = await serverFor(t, { requestMs: 300 });
  const socket = await socketTo(t, port);
  socket.write('GET /health HTTP/1.1\r\nx: ');
  const drip = setInterval(() => socket.write('y'), 50);
  t.teardown(() => clearInterval(drip));
  await closeOf(socket);
  t.is((await ask(port, '/health/live')).status, 200);
});

test('closing ends open connections at once, and frees the port', async (t) => {
  const { server, port } = await serverFor(t);
  const socket = await socketTo(t, port);
  socket.write('GET /health HTTP/1.1\r\n');
  const closed = closeOf(socket);
  await server.close();
  await closed;
  await server.close();
  const again = net.createServer().listen(port, '127.0.0.1');
  await once(again, 'listening');
  t.true(again.listening);
  again.close();
});

test('a taken port is said once, with the way out, and tried again until it is free', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const clock = new FakeClock();
  const log = new RecordingLog();
  const gateway = new FakeGatewayView();
  const address = { host: '127.0.0.1', port };
  const server = new HttpServer({ address, token: undefined, gateway, clock, log });
  t.teardown(() => server.close());
  server.start();
  await eventually(() => log.at('error').length === 1, 'the line');
  const said = `health and metrics are not served, cannot listen on 127.0.0.1:${port}: another process does already`;
  t.true(log.at('error')[0]?.message.startsWith(said));
  t.regex(log.at('error')[0]?.message ?? '', /set http\.listen to a port of its own, or http: false/);
  await eventually(async () => {
    await clock.advance(60_000);
    return log.at('debug').length >= 3;
  }, 'three more attempts');
  other.close();
  await eventually(async () => {
    await clock.advance(60_000);
    return server.address !== undefined;
  }, 'the port');
  t.is((await ask(port, '/health/live')).status, 200);
  t.is(log.at('error').length, 1);
});

test('a server that waits for its port can be closed', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as net.AddressInfo;
  const log = new RecordingLog();
  const options = { token: undefined, gateway: new FakeGatewayView(), clock: systemClock, log };
  const server = new HttpServer({ ...options, address: { host: '127.0.0.1', port } });
  server.start();
  await eventually(() => log.at('error').length === 1, 'the line');
  await server.close();
  t.is(server.address, undefined);
});

test('other settings after a reload take effect, the same ones touch nothing, and false serves nothing', async (t) => {
  const log = new RecordingLog();
  const door = new HttpDoor({ gateway: new FakeGatewayView(), clock: systemClock, log });
  t.teardown(() => door.close());
  const [first, second] = [await freePort(), await freePort()];
  const listening = (count: number) =>
    eventually(() => log.matching('health and metrics on').length === count, `${count} servers`);
  await door.apply(false);
  await door.apply({ listen: `127.0.0.1:${first}` });
  await listening(1);
  await door.apply({ listen: `127.0.0.1:${first}` });
  await door.apply({ listen: `127.0.0.1:${second}`, token: 'correct-horse' });
  await listening(2);
  await t.throwsAsync(ask(first, '/health'), { code: 'ECONNREFUSED' });
  t.is((await ask(second, '/health')).status, 401);
  t.is((await ask(second, '/health', { token: 'correct-horse' })).status, 200);
  await door.apply({ listen: `127.0.0.1:${second}`, token: 'battery-staple' });
  await listening(3);
  t.is((await ask(second, '/health', { token: 'correct-horse' })).status, 401);
  await door.apply(false);
  await t.throwsAsync(ask(second, '/health'), { code: 'ECONNREFUSED' });
  await door.close();
  await door.apply({ listen: `127.0.0.1:${first}` });
  await t.throwsAsync(ask(first, '/health'), { code: 'ECONNREFUSED' });
});
