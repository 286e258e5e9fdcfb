// The same short suite against every broker: what a device says arrives byte for byte, commands are answered, states are
// there for who comes late, the last will is said, and a restart of the broker in the middle loses nothing.

import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { BROKER_KINDS, type BrokerKind } from '../support/broker-kinds.js';
import type { BrokerServer } from '../support/broker-server.js';
import { LINE_BYTES, streamToPty, streamToTcp } from '../support/device-stream.js';
import { gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { type FaultProxy, faultProxyFor } from '../support/fault-proxy.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { openNamedPty } from '../support/named-pty.js';
import { numberedLine, tally } from '../support/numbered-lines.js';
import { isSoak } from '../support/soak.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';
const WITHIN_MS = 30_000;
const LINES_PER_SECOND = 200;
const STREAM_MS = 1000;
const AWAY_MS = 1000;
const TEST_LIMIT_MS = 180_000;

const DELIMITER = 0x0a;
/** Every byte value that is not the delimiter, text that is no UTF-8, and text. */
const LINES = [
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== DELIMITER)),
  Buffer.from([0xff, 0x00, 0xc3, 0x28]),
  Buffer.from('+0012.50 kg'),
];
const WIRE = Buffer.concat(LINES.flatMap((line) => [line, Buffer.of(DELIMITER)]));

interface Rig {
  readonly kind: BrokerKind;
  readonly broker: BrokerServer;
  /** What the gateway connects through. */
  readonly proxy: FaultProxy;
  readonly device: TcpDevice;
  readonly pty: Awaited<ReturnType<typeof openNamedPty>>;
  /** What the gateway has written to the pty. */
  written(): Buffer;
  /** Named like a test's own: outlives the broker's restart. */
  readonly judge: Subscriber;
}

async function rigFor(t: ExecutionContext, kind: BrokerKind): Promise<Rig> {
  const broker = await kind.start(t);
  const [device, pty] = [await startTcpDevice(), await openNamedPty()];
  t.teardown(() => Promise.all([pty.close(), device.close()]));
  const chunks: Buffer[] = [];
  pty.onData((chunk) => chunks.push(chunk));
  const { version } = kind;
  const judge = await subscriberFor(t, { port: broker.port, version, filter: `${BASE}/#`, session: 'judge' });
  const proxy = await faultProxyFor(t, broker.port);
  return { kind, broker, proxy, device, pty, written: () => Buffer.concat(chunks), judge };
}

function gatewayOf(t: ExecutionContext, { kind, proxy, device, pty }: Rig): GatewayProcess {
  return gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: {
        url: `mqtt://127.0.0.1:${proxy.port}`,
        version: kind.version,
        reconnect: { first: 100, max: 500 },
      },
      spool: { replay_order: 'in-order' },
      devices: {
        scale: { driver: 'lines', link: `serial:${pty.path}` },
        'hall/cell': { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
        quick: { driver: 'lines', qos: 0, link: { type: 'tcp-listen', port: 0, peer: 'peer-{n}' } },
      },
    },
  });
}

function payloads(subscriber: Subscriber, device: string): Buffer[] {
  return subscriber.on(`${BASE}/${device}`).map(({ payload }) => payload);
}

async function online({ judge }: Rig): Promise<void> {
  await judge.says(`${BASE}/bridge/state`, { state: 'online' }, WITHIN_MS);
  for (const name of ['scale', 'hall/cell']) await judge.says(`${BASE}/${name}/availability`, { state: 'online' });
}

/** Readings of QoS 1 and 0 arrive as they were sent. */
async function relaysBytes(t: ExecutionContext, { judge, device, pty }: Rig, gateway: GatewayProcess): Promise<void> {
  const { listen } = await gateway.waitForLog('listening on');
  const caller = net.connect(Number(String(listen).split(':').at(-1)), '127.0.0.1');
  t.teardown(() => caller.destroy());
  await pty.write(WIRE);
  (await device.connection()).write(WIRE);
  caller.write(WIRE);
  for (const [name, qos] of [
    ['scale', 1],
    ['hall/cell', 1],
    ['quick/peer-1', 0],
  ] as const) {
    await judge.count(`${BASE}/${name}`, LINES.length);
    t.deepEqual(payloads(judge, name), LINES, name);
    t.true(judge.on(`${BASE}/${name}`).every((message) => message.qos === qos && !message.retain));
  }
}

/** A command reaches the device, and each of its states is told. */
async function answersCommands(t: ExecutionContext, { judge, written }: Rig): Promise<void> {
  const before = written().length;
  await judge.client.publishAsync(`${BASE}/scale/set`, '{"value":"TARE","transaction":"t-1"}', { qos: 1 });
  await eventually(() => written().length > before + 4, 'the command on the line');
  t.is(written().subarray(before).toString(), 'TARE\n');
  await judge.count(`${BASE}/scale/response`, 3);
  const answers = judge.texts(`${BASE}/scale/response`).map((text) => JSON.parse(text));
  t.deepEqual(
    answers.map(({ status, transaction }) => `${status} ${transaction}`),
    ['accepted t-1', 'sent t-1', 'ok t-1'],
  );
}

/** Who comes late finds the states. Asked for by name: RabbitMQ keeps none for filters with wildcards. */
async function keepsStates(t: ExecutionContext, { kind, broker }: Rig, expected: object): Promise<void> {
  const [state, availability] = [`${BASE}/bridge/state`, `${BASE}/scale/availability`];
  const late = await subscriberFor(t, { port: broker.port, version: kind.version, filter: state });
  await late.client.subscribeAsync(availability, { qos: 1 });
  await late.says(state, expected);
  t.true(late.on(state)[0]?.retain, 'a retained state');
  await late.says(availability, { state: 'online' });
  await late.close();
}

/** The broker goes away in the middle of a stream and comes back: everything arrives, in the order in which it came. */
async function survivesRestart(t: ExecutionContext, rig: Rig): Promise<void> {
  const { kind, judge, device, pty } = rig;
  const streams = {
    'hall/cell': streamToTcp(await device.connection(), LINES_PER_SECOND),
    scale: streamToPty(pty),
  };
  await pause(STREAM_MS);
  await (kind.isSlow && !isSoak ? cutNetwork(rig) : restartBroker(rig));
  await online(rig);
  await pause(STREAM_MS);
  for (const stream of Object.values(streams)) stream.stop();
  for (const [name, { lines }] of Object.entries(streams)) {
    const last = numberedLine(lines - 1, LINE_BYTES).trimEnd();
    await eventually(() => payloads(judge, name).at(-1)?.toString() === last, `the last line of ${name}`, WITHIN_MS);
    const { doubled, lost, ...found } = tally(payloads(judge, name).slice(LINES.length), LINE_BYTES);
    const expected = { received: lines + doubled - lost, outOfOrder: 0, damaged: 0, highest: lines - 1 };
    t.deepEqual(found, expected, name);
    t.true(lost <= kind.mayLose, `${name}: ${lost} lost`);
    t.log(`${name}: ${lines} lines, ${doubled} came twice, ${lost} lost by the broker`);
  }
}

async function restartBroker({ broker }: Rig): Promise<void> {
  await broker.stop();
  await pause(AWAY_MS);
  await broker.start();
}

async function cutNetwork({ proxy }: Rig): Promise<void> {
  await proxy.refuse();
  await pause(AWAY_MS);
  await proxy.forward();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Subscriptions are renewed with the new session. */
async function answersCommandsAgain(t: ExecutionContext, { judge, written }: Rig): Promise<void> {
  const before = written().length;
  await judge.client.publishAsync(`${BASE}/scale/write`, 'again', { qos: 1 });
  await eventually(() => written().length > before + 4, 'a command after the restart');
  t.is(written().subarray(before).toString(), 'again');
}

for (const kind of BROKER_KINDS) {
  const title = `${kind.name}: bytes, commands, states, a restart in the middle and the last will, as with any broker`;
  if (kind.skip !== undefined) {
    test.skip(`${title} (${kind.skip})`, () => {});
    continue;
  }
  test.serial(title, async (t) => {
    t.timeout(TEST_LIMIT_MS);
    const rig = await rigFor(t, kind);
    const gateway = gatewayOf(t, rig);
    await online(rig);
    await relaysBytes(t, rig, gateway);
    await answersCommands(t, rig);
    await keepsStates(t, rig, { state: 'online' });
    await survivesRestart(t, rig);
    await answersCommandsAgain(t, rig);
    gateway.signal('SIGKILL');
    await rig.judge.says(`${BASE}/bridge/state`, { state: 'offline' }, WITHIN_MS);
    await keepsStates(t, rig, { state: 'offline' });
  });
}

const nats = BROKER_KINDS.find(({ name }) => name === 'NATS');
const title = 'names that NATS does not take lead to a line in the log that names them as a cause';
if (nats === undefined || nats.skip !== undefined) test.skip(`${title} (${nats?.skip})`, () => {});
else {
  test.serial(title, async (t) => {
    const broker = await nats.start(t);
    const gateway = gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, version: 4, reconnect: { first: 50, max: 200 } },
        devices: { 'press.line': { driver: 'lines', link: 'tcp://127.0.0.1:1' } },
      },
    });
    const line = await gateway.waitForLog('a topic that it does not take');
    t.is(line.level, 'warn');
    t.regex(line.msg, /NATS takes none with "\." or spaces/);
    await gateway.waitForLog('sessions in a row lived only seconds');
    await gateway.stop();
    const dotted = gatewayFor(t, {
      config: {
        gateway: { id: 'pi.local' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, version: 4 },
        devices: {},
      },
    });
    const { msg } = await dotted.waitForLog('closed the connection instead of answering');
    t.regex(msg, /NATS also does so where mqtt\.base_topic has "\."/);
  });
}
