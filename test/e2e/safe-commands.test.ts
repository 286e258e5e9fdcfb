// Commands that are safe when things go wrong: what comes twice acts once, what is too late never, what is held arrives in order,
// a device that does not answer is told, and a device without a broker is put into a safe state. Real gateway, real broker.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { faultProxyFor } from '../support/fault-proxy.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { Mosquitto } from '../support/mosquitto.js';
import { startRawBroker } from '../support/raw-broker.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';
import { badDriversDir } from '../support/worker-rig.js';

const BASE = 'ferrule/e2e';

/** A serial device that can be unplugged, and what the gateway has written to it. */
interface Relay extends VirtualLine {
  written(): string;
}

async function relayFor(t: ExecutionContext): Promise<Relay> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ferrule-relay-'));
  const line = await openPtyLine({ clock: systemClock, symlink: path.join(dir, 'relay') });
  t.teardown(async () => {
    await line.close();
    await rm(dir, { recursive: true, force: true });
  });
  let text = '';
  line.onData((chunk) => {
    text += chunk.toString('latin1');
  });
  return Object.assign(line, { written: () => text });
}

/** A gateway with that device, whatever its settings, on that port of loopback. */
function gatewayOn(t: ExecutionContext, port: number, device: object): GatewayProcess {
  return gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${port}`, reconnect: { first: '20ms', max: '100ms' } },
      drivers_dir: badDriversDir,
      devices: { relay: { driver: 'lines', reconnect: { first: '20ms', max: '100ms' }, ...device } },
    },
  });
}

interface Rig {
  readonly broker: Mosquitto;
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
}

async function rigFor(t: ExecutionContext, device: object): Promise<Rig> {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const gateway = gatewayOn(t, broker.port, device);
  await subscriber.says(`${BASE}/relay/availability`, { state: 'online' });
  return { broker, gateway, subscriber };
}

interface Answer {
  readonly status: string;
  readonly transaction: string;
  readonly error?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

function answers({ subscriber }: Pick<Rig, 'subscriber'>, transaction: string): Answer[] {
  const all: Answer[] = subscriber.texts(`${BASE}/relay/response`).map((text) => JSON.parse(text));
  return all.filter((answer) => answer.transaction === transaction);
}

async function answered(rig: Rig, transaction: string, status: string): Promise<Answer> {
  const find = (): Answer | undefined => answers(rig, transaction).find((answer) => answer.status === status);
  await eventually(() => find() !== undefined, `${status} for ${transaction}`);
  return find() ?? { status, transaction };
}

async function set({ subscriber }: Rig, value: string, transaction: string, expirySeconds?: number): Promise<void> {
  const properties = expirySeconds === undefined ? {} : { messageExpiryInterval: expirySeconds };
  const payload = JSON.stringify({ value, transaction });
  await subscriber.client.publishAsync(`${BASE}/relay/set`, payload, { qos: 1, properties });
}

brokerTest('a retained set at start-up does nothing and is reported', async (t) => {
  const relay = await relayFor(t);
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const payload = '{"value":"OPEN","transaction":"old"}';
  await subscriber.client.publishAsync(`${BASE}/relay/set`, payload, { qos: 1, retain: true });
  const rig = { broker, subscriber, gateway: gatewayOn(t, broker.port, { link: relay.link }) };
  const answer = await answered(rig, 'old', 'error');
  t.regex(answer.error ?? '', /^not done: retained commands are ignored/);
  await subscriber.says(`${BASE}/relay/availability`, { state: 'online' });
  await set(rig, 'CLOSE', 'new');
  await answered(rig, 'new', 'ok');
  t.is(relay.written(), 'CLOSE\n');
  t.deepEqual(answers(rig, 'old').length, 1);
});

brokerTest('the same transaction twice acts once, and the second is told how the first one went', async (t) => {
  const relay = await relayFor(t);
  const rig = await rigFor(t, { link: relay.link });
  await set(rig, 'TOGGLE', 't-1');
  await answered(rig, 't-1', 'ok');
  await set(rig, 'TOGGLE', 't-1');
  await eventually(() => answers(rig, 't-1').length === 4, 'the answer to the second');
  t.like(answers(rig, 't-1').at(-1), { status: 'ok', data: { duplicate: true, confirmed: false } });
  await set(rig, 'NEXT', 't-2');
  await answered(rig, 't-2', 'ok');
  t.is(relay.written(), 'TOGGLE\nNEXT\n');
  await rig.gateway.waitForLog('has come again');
});

test.serial('a QoS 1 command that the broker sends again acts once', async (t) => {
  const relay = await relayFor(t);
  const broker = await startRawBroker();
  t.teardown(() => broker.close());
  const gateway = gatewayOn(t, broker.port, { link: relay.link });
  await gateway.waitForLog('connected to the broker');
  await broker.subscription(`${BASE}/relay/set`);
  await eventually(
    () =>
      broker.published.some(
        ({ topic, payload }) => topic === `${BASE}/relay/availability` && payload.includes('online'),
      ),
    'the device',
  );
  const publish = { cmd: 'publish', topic: `${BASE}/relay/set`, qos: 1, retain: false } as const;
  broker.send({ ...publish, payload: 'TOGGLE', messageId: 7, dup: false });
  await eventually(() => relay.written() === 'TOGGLE\n', 'the command');
  broker.send({ ...publish, payload: 'TOGGLE', messageId: 7, dup: true });
  broker.send({ ...publish, payload: 'NEXT', messageId: 8, dup: false });
  await eventually(() => relay.written().includes('NEXT'), 'the next command');
  t.is(relay.written(), 'TOGGLE\nNEXT\n');
  await eventually(() => broker.acknowledged.length === 3, 'every delivery to be acknowledged');
  t.deepEqual(broker.acknowledged, [7, 7, 8]);
});

brokerTest('held commands arrive in order after a replug; one whose message has expired never', async (t) => {
  const relay = await relayFor(t);
  const rig = await rigFor(t, { link: relay.link, commands: { when_offline: 'hold', max_hold: '20s' } });
  await relay.unplug();
  await rig.subscriber.says(`${BASE}/relay/availability`, { state: 'offline' });
  for (const value of ['ONE', 'TWO', 'THREE']) await set(rig, value, value);
  await set(rig, 'LATE', 'LATE', 2);
  t.deepEqual((await answered(rig, 'ONE', 'accepted')).data, { held: true });
  const late = await answered(rig, 'LATE', 'expired');
  t.regex(late.error ?? '', /^not sent/);
  t.is(relay.written(), '');
  await relay.plug();
  for (const value of ['ONE', 'TWO', 'THREE']) await answered(rig, value, 'ok');
  t.is(relay.written(), 'ONE\nTWO\nTHREE\n');
});

brokerTest(
  'a device that answers confirms its commands; silence is an error, and what was due meanwhile expires',
  async (t) => {
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const link = `tcp://127.0.0.1:${device.port}`;
    const rig = await rigFor(t, { link, driver: 'answers', isolation: 'worker', commands: { timeout: '3s' } });
    const socket = await device.connection();
    await set(rig, 'first', 'a');
    await answered(rig, 'a', 'sent');
    socket.write('21.5\nACK done\n');
    t.deepEqual((await answered(rig, 'a', 'ok')).data, { text: 'ACK done', to: 'first' });
    await Promise.all([set(rig, 'second', 'b'), set(rig, 'third', 'c', 2), set(rig, 'fourth', 'd')]); // in this order
    t.regex((await answered(rig, 'b', 'error')).error ?? '', /^sent, but the device did not answer in time/);
    t.regex((await answered(rig, 'c', 'expired')).error ?? '', /^not sent: its time was over/);
    await answered(rig, 'd', 'sent');
    socket.write('NAK lid open\n');
    t.is((await answered(rig, 'd', 'error')).error, 'NAK lid open');
    t.is(device.received().toString(), 'first\nsecond\nfourth\n');
    t.deepEqual(rig.subscriber.texts(`${BASE}/relay`), ['{"text":"21.5"}']);
  },
);

brokerTest('a SCPI instrument is read on a schedule, and its errors are answers to commands', async (t) => {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const options = { readings: { voltage: 'MEAS:VOLT?' }, set: { voltage: 'VOLT {value}' }, every: 50 };
  const rig = await rigFor(t, { link: `tcp://127.0.0.1:${device.port}`, driver: 'scpi', options });
  const socket = await device.connection();
  let error = '0,"No error"';
  socket.on('data', (chunk) => {
    for (const line of chunk.toString().split('\n')) {
      if (line === 'VOLT -5') error = '-222,"Data out of range"';
      if (line === 'SYST:ERR?') socket.write(`${error}\n`);
      else if (line.startsWith('SYST:ERR?')) socket.write('0,"No error";4.98\n');
    }
  });
  const volts = (value: string, transaction: string): Promise<unknown> => {
    const payload = JSON.stringify({ value, transaction });
    return rig.subscriber.client.publishAsync(`${BASE}/relay/set/voltage`, payload, { qos: 1 });
  };
  await rig.subscriber.count(`${BASE}/relay`, 3);
  await volts('5', 'good');
  t.deepEqual((await answered(rig, 'good', 'ok')).data, { confirmed: true });
  await volts('-5', 'bad');
  t.is((await answered(rig, 'bad', 'error')).error, 'the instrument says: -222,"Data out of range"');
  t.deepEqual([...new Set(rig.subscriber.texts(`${BASE}/relay`))], ['{"voltage":4.98}']);
});

brokerTest(
  'on_uplink_lost reaches the device once the broker is away for so long, and not if it is back in time',
  async (t) => {
    const relay = await relayFor(t);
    const broker = await brokerFor(t);
    const proxy = await faultProxyFor(t, broker.port);
    const judge = await subscriberFor(t, { port: broker.port });
    const states = (): string[] => judge.texts(`${BASE}/bridge/state`);
    const afterMs = 2000;
    const gateway = gatewayOn(t, proxy.port, { link: relay.link, on_uplink_lost: { after: afterMs, write: 'SAFE' } });
    await judge.says(`${BASE}/relay/availability`, { state: 'online' });
    const before = states().length;
    await proxy.refuse();
    await eventually(() => states()[before] === '{"state":"offline"}', 'the last will');
    await proxy.forward();
    await judge.says(`${BASE}/bridge/state`, { state: 'online' });
    await new Promise((resolve) => setTimeout(resolve, afterMs + 300)); // nothing is to happen in this time
    t.is(relay.written(), '');

    const cutAt = performance.now();
    await proxy.refuse();
    await eventually(() => relay.written() !== '', 'the fail-safe bytes');
    const tookMs = performance.now() - cutAt;
    t.true(tookMs >= afterMs - 20, `after ${tookMs} ms`);
    await gateway.waitForLog('on_uplink_lost bytes written');
    await proxy.forward();
    await judge.says(`${BASE}/bridge/state`, { state: 'online' });
    t.is(relay.written(), 'SAFE');
    interface Shown {
      readonly counters: Readonly<Record<string, number>>;
    }
    const shown = (): Shown | undefined => (judge.last(`${BASE}/bridge/devices`) as Shown[] | undefined)?.[0];
    await eventually(() => shown()?.counters.uplink_lost_writes === 1, 'the counter on bridge/devices');
  },
);
