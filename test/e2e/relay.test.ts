// What a device says arrives on its topic byte for byte, and what the gateway says of itself stands on the bridge topics:
// the real process, real ptys and sockets, against mosquitto with MQTT 5 and 3.1.1, and against the embedded broker.

import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';
const DELIMITER = 0x0a;

/** Every byte value that is not the delimiter, and text that is no UTF-8. */
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== DELIMITER));
const LINES = [Buffer.from('+0012.50 kg'), EVERY_BYTE, Buffer.from([0xff, 0x00, 0xc3, 0x28]), Buffer.from('last')];
const WIRE = Buffer.concat(LINES.flatMap((line) => [line, Buffer.of(DELIMITER)]));

interface Rig {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
}

/** The lines of every kind of link, written in three pieces that end inside lines, arrive as they were sent. */
async function relaysAllLinks(t: ExecutionContext, mqtt: object, brokerPort: number, version: 4 | 5): Promise<Rig> {
  const pty = await openNamedPty();
  const device = await startTcpDevice();
  t.teardown(() => Promise.all([pty.close(), device.close()]));
  const lines = { driver: 'lines' };
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt,
      devices: {
        scale: { ...lines, link: `serial:${pty.path}?baud_rate=115200` },
        'hall/cell': { ...lines, link: `tcp://127.0.0.1:${device.port}` },
        sensors: { ...lines, link: { type: 'tcp-listen', port: 0, peer: 'peer-{n}' } },
      },
    },
  });
  const listening = await gateway.waitForLog('listening on');
  const subscriber = await subscriberFor(t, { port: brokerPort, version });
  await gateway.waitForLog('connected to the broker');
  await gateway.waitForLog(({ group, msg }) => group === 'scale' && msg.startsWith('online'));
  const caller = net.connect(Number(String(listening.listen).split(':').at(-1)), '127.0.0.1');
  t.teardown(() => caller.destroy());
  const called = await device.connection();
  await subscriber.says(`${BASE}/bridge/state`, { state: 'online' });
  for (const piece of [WIRE.subarray(0, 5), WIRE.subarray(5, 100), WIRE.subarray(100)]) {
    await pty.write(piece);
    called.write(piece);
    caller.write(piece);
  }
  for (const name of ['scale', 'hall/cell', 'sensors/peer-1']) {
    await subscriber.count(`${BASE}/${name}`, LINES.length);
    t.deepEqual(
      subscriber.on(`${BASE}/${name}`).map(({ payload }) => payload),
      LINES,
      name,
    );
    t.true(subscriber.on(`${BASE}/${name}`).every(({ retain, qos }) => !retain && qos === 1));
    await subscriber.says(`${BASE}/${name}/availability`, { state: 'online' });
  }
  return { gateway, subscriber };
}

for (const version of [5, 4] as const) {
  brokerTest(
    `lines of a pty and of TCP sockets arrive byte for byte at mosquitto with MQTT version ${version}`,
    async (t) => {
      const broker = await brokerFor(t);
      const url = `mqtt://127.0.0.1:${broker.port}`;
      await relaysAllLinks(t, { url, version }, broker.port, version);
    },
  );
}

test.serial('lines of a pty and of TCP sockets arrive byte for byte at the embedded broker', async (t) => {
  const port = await freePort();
  // The subscriber needs the broker that the gateway brings along: it comes right after it.
  await relaysAllLinks(t, { url: 'embedded', embedded: { port } }, port, 4);
});

brokerTest(
  'a device that goes away is offline on its availability topic, and online again when it is back',
  async (t) => {
    const broker = await brokerFor(t);
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const subscriber = await subscriberFor(t, { port: broker.port });
    gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
        devices: {
          cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}`, reconnect: { first: 300, max: 300 } },
        },
      },
    });
    const availability = `${BASE}/cell/availability`;
    await subscriber.says(availability, { state: 'online' });
    const connection = await device.connection();
    connection.write('before\n');
    await subscriber.count(`${BASE}/cell`, 1);
    connection.destroy();
    await eventually(() => subscriber.texts(availability).includes('{"state":"offline"}'), 'offline');
    await subscriber.says(availability, { state: 'online' });
    (await device.connection()).write('after\n');
    await subscriber.count(`${BASE}/cell`, 2);
    t.deepEqual(subscriber.texts(`${BASE}/cell`), ['before', 'after']);
    t.deepEqual(subscriber.texts(availability), ['{"state":"online"}', '{"state":"offline"}', '{"state":"online"}']);
  },
);

brokerTest(
  'late subscribers find state, info without secrets, and devices; kill -9 leaves the last will',
  async (t) => {
    const broker = await brokerFor(t);
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const mqtt = { url, username: 'board', password: 'not-for-everybody' };
    const { gateway } = await relaysAllLinks(t, mqtt, broker.port, 5);
    const devices = `${BASE}/bridge/devices`;
    const late = await subscriberFor(t, { port: broker.port });
    await late.says(`${BASE}/bridge/state`, { state: 'online' });
    await late.says(`${BASE}/scale/availability`, { state: 'online' });
    await late.count(`${BASE}/bridge/info`, 1);
    await eventually(() => statesOf(late.last(devices)).every((state) => state === 'online'), 'all devices online');
    for (const topic of ['bridge/state', 'bridge/info', 'bridge/devices', 'scale/availability']) {
      t.true(late.on(`${BASE}/${topic}`)[0]?.retain, `${topic} is retained`);
    }
    const info = late.texts(`${BASE}/bridge/info`).at(-1) ?? '';
    t.false(info.includes('not-for-everybody'), 'the password');
    t.like(JSON.parse(info), { config: { gateway: { id: 'e2e' }, mqtt: { url, password: '***' } } });
    const listed = late.last(devices) as { name: string }[];
    t.deepEqual(
      listed.map(({ name }) => name),
      ['scale', 'hall/cell', 'sensors'],
    );

    gateway.signal('SIGKILL');
    await late.says(`${BASE}/bridge/state`, { state: 'offline' });
    const later = await subscriberFor(t, { port: broker.port });
    await later.says(`${BASE}/bridge/state`, { state: 'offline' });
    t.true(later.on(`${BASE}/bridge/state`)[0]?.retain);
  },
);

function statesOf(devices: unknown): string[] {
  return Array.isArray(devices) ? devices.map(({ state }) => state) : ['nothing yet'];
}
