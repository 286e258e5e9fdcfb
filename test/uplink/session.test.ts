// A session against real brokers: mosquitto where it is installed, and servers that are none.

import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { systemClock } from '../../src/core/clock.js';
import { startEmbeddedBroker } from '../../src/uplink/embedded-broker.js';
import { openSession } from '../../src/uplink/open-session.js';
import type { SessionHooks, SessionOptions } from '../../src/uplink/session.js';
import type { SessionError } from '../../src/uplink/session-error.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/mosquitto.js';
import { mosquittoTest } from '../support/mosquitto-test.js';
import { rawServerFor } from '../support/raw-server.js';
import { openRig, sessionOptions } from '../support/session-rig.js';

const noHooks: SessionHooks = { onMessage() {}, onAck() {}, onAcksRead() {}, onDrain() {}, onLost() {} };

async function failure(options: SessionOptions, signal = new AbortController().signal): Promise<SessionError> {
  try {
    const session = await openSession(options, noHooks, signal);
    session.destroy();
  } catch (error) {
    return error as SessionError; // openSession promises that
  }
  throw new Error('a session was opened');
}

const handles = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;

// Alone: the handles are those of the process, in which the other tests here open theirs.
test.serial('fifty refused attempts say so in words and leave no handle behind', async (t) => {
  const port = await freePort();
  const before = handles();
  for (let i = 0; i < 50; i++) {
    const error = await failure(sessionOptions(port));
    t.is(error.trouble, 'refused');
    t.regex(error.message, new RegExp(`broker 127.0.0.1:${port}: connection refused: no broker listens there`));
  }
  await eventually(() => handles() <= before, 'the handles of the attempts to be closed');
});

test('a host name that does not exist is named', async (t) => {
  const error = await failure(sessionOptions(1, { url: 'mqtt://no-such-host.invalid:1883' }));
  t.is(error.trouble, 'unknown-host');
  t.regex(error.message, /no-such-host\.invalid.*host name/);
});

test('a scheme that is no MQTT is refused', async (t) => {
  t.regex((await failure(sessionOptions(1, { url: 'http://127.0.0.1:1' }))).message, /none of mqtt, mqtts, ws, wss/);
});

test('a server that is no MQTT broker is recognised by its answer', async (t) => {
  const port = await rawServerFor(t, (socket) =>
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  );
  const error = await failure(sessionOptions(port));
  t.is(error.trouble, 'not-mqtt');
  t.regex(error.message, /not an MQTT broker/);
});

test('a server that never answers is given up in time', async (t) => {
  const port = await rawServerFor(t, () => {});
  const error = await failure(sessionOptions(port, { connectTimeoutMs: 1000 }));
  t.is(error.trouble, 'timeout');
  t.regex(error.message, /connected, but nothing there answered as an MQTT broker within 1 s/);
});

test('a server that hangs up instead of answering is told with a guess at TLS', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.on('data', () => socket.end()));
  const error = await failure(sessionOptions(port));
  t.is(error.trouble, 'closed');
  t.regex(error.message, /mqtts:\/\//);
});

test('a broker that speaks no MQTT 5 is told with the setting to change', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.on('data', () => socket.end(Buffer.of(0x20, 2, 0, 1))));
  const error = await failure(sessionOptions(port));
  t.is(error.trouble, 'version');
  t.regex(error.message, /mqtt\.version/);
});

test('a TLS URL to a plain server says so', async (t) => {
  const port = await rawServerFor(t, (socket) =>
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  );
  const error = await failure(sessionOptions(port, { url: `mqtts://127.0.0.1:${port}` }));
  t.is(error.trouble, 'tls');
  t.regex(error.message, /does not answer in TLS/);
});

test('an aborted attempt ends at once, before and during the connection', async (t) => {
  const port = await rawServerFor(t, () => {});
  const gone = AbortSignal.abort();
  t.is((await failure(sessionOptions(port), gone)).trouble, 'aborted');
  const later = new AbortController();
  const attempt = failure(sessionOptions(port), later.signal);
  setImmediate(() => later.abort());
  t.is((await attempt).trouble, 'aborted');
});

test('a broker that stops answering pings is lost by keepalive', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.once('data', () => socket.write(Buffer.of(0x20, 3, 0, 0, 0))));
  const rig = await openRig(sessionOptions(port, { keepaliveSeconds: 1 }));
  const loss = await rig.lost;
  t.is(loss.trouble, 'keepalive');
  t.is(rig.losses(), 1);
});

test('a broker that acknowledges but is too busy for pings is not lost by keepalive', async (t) => {
  const ack = Buffer.of(0x40, 2, 0xff, 0xff); // of a message of ours: their ids are the high ones
  const port = await rawServerFor(t, (socket) =>
    socket.once('data', () => {
      socket.write(Buffer.of(0x20, 3, 0, 0, 0));
      const timer = setInterval(() => socket.write(ack), 20);
      t.teardown(() => clearInterval(timer));
    }),
  );
  const rig = await openRig(sessionOptions(port, { keepaliveSeconds: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 2500)); // without them it would be over after 1.5 s
  t.is(rig.losses(), 0);
});

test('ending a session against a broker that does not close is bounded', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.once('data', () => socket.write(Buffer.of(0x20, 3, 0, 0, 0))));
  const rig = await openRig(sessionOptions(port));
  const from = systemClock.now();
  await rig.session.end(100);
  t.true(systemClock.now() - from < 15_000);
  t.is((await rig.lost).trouble, 'closed');
});

for (const version of [4, 5] as const) {
  const anonymous = { config: 'allow_anonymous true' };

  mosquittoTest(
    `MQTT ${version}: subscribes, receives, unsubscribes, ends with one loss`,
    anonymous,
    async (t, broker) => {
      const rig = await openRig(sessionOptions(broker.port, { version }));
      t.deepEqual(await rig.session.subscribe(Array.from({ length: 20 }, (_, i) => `dev/${i}/set`)), []);
      const sender = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: version });
      t.teardown(() => sender.endAsync());
      await sender.publishAsync('dev/19/set', 'ON', {
        qos: 1,
        properties: { responseTopic: 'me', correlationData: Buffer.from('c'), messageExpiryInterval: 60 },
      });
      await sender.publishAsync('dev/0/set', 'kept', { qos: 1, retain: true });
      while (rig.messages.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
      const [first, second] = rig.messages;
      t.like(first, { topic: 'dev/19/set', retain: false, qos: 1, dup: false });
      t.is(first?.payload.toString(), 'ON');
      t.is(first?.responseTopic, version === 5 ? 'me' : undefined);
      t.is(first?.correlation?.toString(), version === 5 ? 'c' : undefined);
      t.is(first?.expirySeconds, version === 5 ? 60 : undefined);
      t.is(second?.retain, version === 5);
      t.is(await rig.session.unsubscribe(['dev/19/set']), 'done');
      await rig.session.end();
      t.is((await rig.lost).trouble, 'closed');
      await rig.session.end();
      t.is(rig.losses(), 1);
      t.is(await rig.session.subscribe(['x']), 'lost');
      t.is(rig.session.buffered, Number.POSITIVE_INFINITY);
    },
  );

  mosquittoTest(
    `MQTT ${version}: a session taken over is lost once, with the client id in the reason`,
    anonymous,
    async (t, broker) => {
      const rig = await openRig(sessionOptions(broker.port, { version, clientId: 'twin' }));
      const other = await openRig(sessionOptions(broker.port, { version, clientId: 'twin' }));
      const loss = await rig.lost;
      t.is(loss.trouble, 'closed-silently'); // mosquitto 2.0.11 sends no DISCONNECT, nor does MQTT 3.1.1 know one
      t.regex(loss.detail, /"twin"/);
      await other.session.end();
    },
  );

  mosquittoTest(
    `MQTT ${version}: a user that the broker does not know is told what to check`,
    { config: 'allow_anonymous false' },
    async (t, broker) => {
      const error = await failure(sessionOptions(broker.port, { version, username: 'u', password: 'wrong' }));
      t.is(error.trouble, 'credentials');
      t.regex(error.message, /not authorized; check mqtt\.username and mqtt\.password.*\(code (5|135)\)/);
    },
  );

  mosquittoTest(
    `MQTT ${version}: the last will is published when the session is destroyed, not when it is ended`,
    anonymous,
    async (t, broker) => {
      const will = { topic: 'state', payload: Buffer.from('offline'), retain: true };
      const ended = await openRig(sessionOptions(broker.port, { version, will }));
      await ended.session.end();
      const watcher = await openRig(sessionOptions(broker.port, { version }));
      await watcher.session.subscribe(['state']);
      const destroyed = await openRig(sessionOptions(broker.port, { version, will }));
      destroyed.session.destroy();
      while (watcher.messages.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
      t.is(watcher.messages.length, 1);
      await watcher.session.end();
    },
  );
}

/** A broker that answers CONNECT, and each packet after it as the test says. */
function scripted(t: ExecutionContext, answer: (packet: Packet) => Packet | undefined): Promise<number> {
  return rawServerFor(t, (socket) => {
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      const reply: Packet | undefined =
        packet.cmd === 'connect' ? { cmd: 'connack', reasonCode: 0, sessionPresent: false } : answer(packet);
      if (reply) socket.write(mqttPacket.generate(reply, { protocolVersion: 5 }));
    });
    socket.on('data', (bytes) => parser.parse(bytes));
  });
}

test('filters that the broker refuses are named, with its reason', async (t) => {
  const port = await scripted(t, (packet) =>
    packet.cmd === 'subscribe'
      ? {
          cmd: 'suback',
          messageId: packet.messageId ?? 0,
          granted: packet.subscriptions.map(({ topic }) => (topic === 'b' ? 135 : 1)),
        }
      : undefined,
  );
  const rig = await openRig(sessionOptions(port));
  t.deepEqual(await rig.session.subscribe(['a', 'b', 'c']), [{ filter: 'b', reason: 'Not authorized (code 135)' }]);
  t.deepEqual(await rig.session.subscribe(['d/#/e']), [{ filter: 'd/#/e', reason: 'Topic Filter invalid (code 143)' }]);
  rig.session.destroy();
});

test('many filters take few round trips, and are not sent all at once', async (t) => {
  const waiting: (() => void)[] = [];
  const filters = Array.from({ length: 200 }, (_, index) => `dev/${index}/set`);
  const port = await rawServerFor(t, (socket) => {
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    const say = (packet: Packet): void => void socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect') say({ cmd: 'connack', reasonCode: 0, sessionPresent: false });
      if (packet.cmd !== 'subscribe') return;
      const granted = packet.subscriptions.map(({ topic }) => (topic === 'dev/150/set' ? 135 : 1));
      waiting.push(() => say({ cmd: 'suback', messageId: packet.messageId ?? 0, granted }));
    });
    socket.on('data', (bytes) => parser.parse(bytes));
  });
  const rig = await openRig(sessionOptions(port));
  const subscribing = rig.session.subscribe(filters);
  await eventually(() => waiting.length === 16, 'the first packets');
  for (const answer of waiting.splice(0).reverse()) answer();
  await eventually(() => waiting.length === 9, 'the others');
  for (const answer of waiting.splice(0)) answer();
  t.deepEqual(await subscribing, [{ filter: 'dev/150/set', reason: 'Not authorized (code 135)' }]);
  rig.session.destroy();
});

test('a subscription that is waiting when the session is lost answers lost', async (t) => {
  const port = await scripted(t, () => undefined);
  const rig = await openRig(sessionOptions(port));
  const waiting = rig.session.subscribe(['a']);
  rig.session.destroy();
  t.is(await waiting, 'lost');
});

test('a DISCONNECT of the broker gives the reason of the loss, taken over told apart', async (t) => {
  for (const [reasonCode, trouble, words] of [
    [142, 'taken-over', /another client connected with our client id/],
    [139, 'server-disconnect', /Server shutting down \(code 139\)/],
  ] as const) {
    const port = await scripted(t, () => ({ cmd: 'disconnect', reasonCode }));
    const rig = await openRig(sessionOptions(port));
    rig.session.subscribe(['a']);
    const loss = await rig.lost;
    t.is(loss.trouble, trouble);
    t.regex(loss.detail, words);
    t.is(rig.losses(), 1);
  }
});

mosquittoTest(
  'the limits that mosquitto announces are read',
  { config: 'allow_anonymous true\nmax_packet_size 5000\nmax_inflight_messages 7' },
  async (t, broker) => {
    const rig = await openRig(sessionOptions(broker.port));
    t.deepEqual(rig.session.limits, {
      receiveMaximum: 7,
      maximumPacketSize: 5000,
      topicAliasMaximum: 10,
      sessionPresent: false,
    });
    await rig.session.end();
  },
);

test('a WebSocket URL works the same', async (t) => {
  const broker = await startEmbeddedBroker({ port: 0 });
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(async () => {
    server.close();
    await broker.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {});
    stream.pipe(net.connect(broker.port, '127.0.0.1')).pipe(stream);
  });
  const { port } = server.address() as net.AddressInfo;
  const rig = await openRig(sessionOptions(port, { url: `ws://127.0.0.1:${port}/mqtt`, version: 4 }));
  t.deepEqual(await rig.session.subscribe(['echo']), []);
  rig.session.writePackets(Buffer.from(`30070004${Buffer.from('echo').toString('hex')}41`, 'hex'), () => {});
  while (rig.messages.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(rig.messages[0]?.payload.toString(), 'A');
  await rig.session.end();
  t.is((await rig.lost).trouble, 'closed');
});

test('a web server without MQTT behind its WebSocket path says so', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.on('data', () => socket.end('HTTP/1.1 404 Not Found\r\n\r\n')));
  const error = await failure(sessionOptions(port, { url: `ws://127.0.0.1:${port}/` }));
  t.is(error.trouble, 'not-mqtt');
  t.regex(error.message, /404/);
});
