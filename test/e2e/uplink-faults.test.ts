// What the network and the broker do to a gateway in the field: killed again and again, cut half-open, slow. At QoS 1 nothing
// may be lost, what comes twice must be explained, and the order of each device must hold in the way that was asked for.
//
//   live-first (default)   live messages in order, kept ones in order (`historical`, by `seq`), both together complete
//   in-order               all in the order in which the device said them

import type { ExecutionContext } from 'ava';
import { type DeviceStream, LINE_BYTES, streamToPty, streamToTcp } from '../support/device-stream.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { faultProxyFor } from '../support/fault-proxy.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { ask } from '../support/http-ask.js';
import { type JudgedBroker, judgedBrokerFor } from '../support/lasting-judge.js';
import { freePort } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import { numberedLine, tally } from '../support/numbered-lines.js';
import { residentMiB } from '../support/process-figures.js';
import { parsePrometheus, sampleOf } from '../support/prometheus-text.js';
import { allowForSoak, isSoak, repeats } from '../support/soak.js';
import type { Received, Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

type Order = 'live-first' | 'in-order';

const BASE = 'ferrule/e2e';
const LINES_PER_SECOND = 200;
const AWAY_MS = isSoak ? 10_000 : 1500;
const BETWEEN_MS = 700;
/** Most messages on their way at once: what a loss may double. */
const WINDOW = 512;
const KEEPALIVE_MS = 1000;
const WITHIN_MS = 60_000;
/** What was kept of two devices comes back at `spool.replay_rate`, 1000 a second. */
const MS_PER_LINE = 2;
const SLOW_BYTES_PER_SECOND = 10_000;

interface Rig {
  /** Of its metrics. */
  readonly httpPort: number;
  readonly gateway: GatewayProcess;
  readonly device: TcpDevice;
  readonly streams: Readonly<Record<string, DeviceStream>>;
}

/** A gateway with a pty and a socket that talk; online. */
async function rigFor(t: ExecutionContext, judge: Subscriber, mqtt: object, order: Order): Promise<Rig> {
  const [pty, device, httpPort] = [await openNamedPty(), await startTcpDevice(), await freePort()];
  t.teardown(() => Promise.all([pty.close(), device.close()]));
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      http: { listen: `127.0.0.1:${httpPort}` },
      mqtt: { ...mqtt, reconnect: { first: 100, max: 400 } },
      spool: { replay_order: order },
      devices: {
        cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
        scale: { driver: 'lines', link: `serial:${pty.path}` },
      },
    },
  });
  for (const name of ['cell', 'scale']) await judge.says(`${BASE}/${name}/availability`, { state: 'online' });
  const cell = streamToTcp(await device.connection(), LINES_PER_SECOND);
  const scale = streamToPty(pty);
  t.teardown(() => {
    cell.stop();
    scale.stop();
  });
  return { httpPort, gateway, device, streams: { cell, scale } };
}

/** Everything came; what came twice was unacknowledged when a session was lost; the order is as asked for. */
async function nothingLost(t: ExecutionContext, judge: Subscriber, rig: Rig, order: Order, losses: number) {
  let twice = 0;
  for (const [name, stream] of Object.entries(rig.streams)) {
    stream.stop();
    await allThere(judge, name, stream.lines);
    const messages = judge.on(`${BASE}/${name}`);
    const { doubled, outOfOrder, ...found } = tallyOf(messages);
    const all = { received: stream.lines + doubled, lost: 0, damaged: 0, highest: stream.lines - 1 };
    t.deepEqual(found, all, name);
    twice += doubled;
    const kept = messages.filter(({ user }) => user?.historical === 'true');
    if (order === 'in-order') t.is(outOfOrder, 0, name);
    else bothOrders(t, name, messages);
    checkMarks(t, name, kept);
    t.log(`${name}: ${stream.lines} lines, ${losses} losses, ${kept.length} kept, ${doubled} came twice`);
  }
  const resent = await resentBy(rig);
  t.true(twice <= resent, `${twice} came twice, and only ${resent} were sent again`);
  t.true(resent <= losses * WINDOW, `${resent} sent again in ${losses} losses`);
  t.log(`${resent} unacknowledged messages sent again in ${losses} losses, of which ${twice} came twice`);
  const troubles = rig.gateway.log.filter(({ group, level }) => group !== 'bridge/mqtt' && level !== 'info');
  t.deepEqual(troubles, [], 'no device noticed anything');
  t.is(rig.device.accepted, 1, 'the socket was never let go');
}

async function allThere(judge: Subscriber, name: string, lines: number): Promise<void> {
  const seen = new Set<string>();
  let read = 0;
  const count = (): boolean => {
    const messages = judge.on(`${BASE}/${name}`);
    for (; read < messages.length; read += 1) seen.add(messages[read]?.payload.toString('latin1', 0, 8) ?? '');
    return seen.size >= lines;
  };
  const withinMs = WITHIN_MS + lines * MS_PER_LINE;
  await eventually(count, `all ${lines} lines of ${name}`, withinMs).catch(() => {}); // the tally says what is missing
}

/** Messages that the gateway says it sent again after losses. */
async function resentBy({ httpPort }: Rig): Promise<number> {
  const families = parsePrometheus((await ask(httpPort, '/metrics')).body);
  return sampleOf(families, 'ferrule_uplink_resent_messages_total') ?? Number.NaN;
}

function tallyOf(messages: readonly Received[]) {
  return tally(
    messages.map(({ payload }) => payload),
    LINE_BYTES,
  );
}

/** Live among live, kept among kept. */
function bothOrders(t: ExecutionContext, name: string, messages: readonly Received[]): void {
  for (const isKept of [true, false]) {
    const some = messages.filter(({ user }) => (user?.historical === 'true') === isKept);
    t.is(tallyOf(some).outOfOrder, 0, `${name}, ${isKept ? 'kept' : 'live'}`);
  }
}

/** Kept messages carry a sequence number and the time of their reading, both rising with the numbers of the lines. */
function checkMarks(t: ExecutionContext, name: string, kept: readonly Received[]): void {
  const bySeq = [...kept].sort((a, b) => Number(a.user?.seq) - Number(b.user?.seq));
  t.is(tallyOf(bySeq).outOfOrder, 0, `${name} by seq`);
  const times = bySeq.map(({ user }) => Number(user?.ts));
  t.true(
    times.every((ts, i) => ts >= (times[i - 1] ?? 1_600_000_000_000)),
    `${name}: ts rises with seq`,
  );
}

async function killAgainAndAgain(broker: JudgedBroker, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await pause(BETWEEN_MS + 37 * kill); // somewhere in the stream
    await new Promise((resolve) => broker.judge.client.once('message', resolve)); // with others behind it on their way
    await broker.kill();
    await pause(AWAY_MS);
    const heard = broker.judge.all.length;
    await broker.start();
    await eventually(() => broker.judge.all.length > heard + LINES_PER_SECOND / 4, 'readings again', WITHIN_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

for (const order of ['live-first', 'in-order'] as const) {
  const kills = repeats(2, 20);
  brokerTest(
    `a broker killed ${kills} times in 200 lines/s, ${order}: nothing lost at QoS 1, order kept`,
    async (t) => {
      allowForSoak(t);
      const broker = await judgedBrokerFor(t);
      const rig = await rigFor(t, broker.judge, { url: `mqtt://127.0.0.1:${broker.port}` }, order);
      await killAgainAndAgain(broker, kills);
      await nothingLost(t, broker.judge, rig, order, kills);
    },
  );
}

for (const order of ['live-first', 'in-order'] as const) {
  const cuts = repeats(1, 20);
  brokerTest(`a network cut half-open ${cuts}x, ${order}: found by keepalive, nothing lost, order kept`, async (t) => {
    allowForSoak(t);
    const broker = await brokerFor(t);
    const judge = await subscriberFor(t, { port: broker.port });
    const proxy = await faultProxyFor(t, broker.port);
    const mqtt = { url: `mqtt://127.0.0.1:${proxy.port}`, keepalive: KEEPALIVE_MS };
    const rig = await rigFor(t, judge, mqtt, order);
    const lossesSaid = (): number => rig.gateway.log.filter(({ msg }) => msg.includes('did not answer a ping')).length;
    for (let cut = 0; cut < cuts; cut += 1) {
      await pause(BETWEEN_MS);
      const before = lossesSaid();
      proxy.hold();
      await eventually(() => lossesSaid() > before, 'the loss by keepalive');
      await pause(AWAY_MS);
      const heard = judge.all.length;
      await proxy.forward();
      await eventually(() => judge.all.length > heard + LINES_PER_SECOND, 'readings again', WITHIN_MS);
    }
    await nothingLost(t, judge, rig, order, cuts);
  });
}

brokerTest('a network that resets connections loses nothing either, and the log says what broke', async (t) => {
  const broker = await brokerFor(t);
  const judge = await subscriberFor(t, { port: broker.port });
  const proxy = await faultProxyFor(t, broker.port);
  const rig = await rigFor(t, judge, { url: `mqtt://127.0.0.1:${proxy.port}` }, 'in-order');
  allowForSoak(t);
  const cuts = repeats(5, 100);
  for (let cut = 0; cut < cuts; cut += 1) {
    await pause(100);
    const accepted = proxy.accepted;
    proxy.cut();
    await eventually(() => proxy.accepted > accepted, 'the next connection');
  }
  await nothingLost(t, judge, rig, 'in-order', cuts);
  const broke = /connection broke.*ECONNRESET|it broke the connection/;
  t.truthy(await rig.gateway.waitForLog(({ msg }) => broke.test(msg)));
});

brokerTest(
  'a slow broker: memory bounded, a TCP device waits, losses of a serial line are counted, commands arrive',
  async (t) => {
    const broker = await brokerFor(t);
    const judge = await subscriberFor(t, { port: broker.port });
    const proxy = await faultProxyFor(t, broker.port);
    const [pty, device] = [await openNamedPty(), await startTcpDevice()];
    t.teardown(() => Promise.all([pty.close(), device.close()]));
    const written: Buffer[] = [];
    pty.onData((chunk) => written.push(chunk));
    const gateway = gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${proxy.port}` },
        devices: {
          cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
          scale: { driver: 'lines', link: `serial:${pty.path}`, queue_size: '4KiB' },
        },
      },
    });
    for (const name of ['cell', 'scale']) await judge.says(`${BASE}/${name}/availability`, { state: 'online' });
    const before = residentMiB(gateway.pid);
    proxy.limit(SLOW_BYTES_PER_SECOND);
    const connection = await device.connection();
    const scale = streamToPty(pty);
    t.teardown(() => scale.stop());
    const flood = floodTo(connection);
    t.teardown(() => flood.stop());

    await eventually(() => flood.isStalled(500), 'the writes of the TCP device to stall');
    await eventually(async () => (await droppedOf(judge, 'scale')) > 0, 'the drops of the serial line');
    const rss = residentMiB(gateway.pid);
    t.true(rss < before + 64, `${before} MiB before, ${rss} MiB under pressure`);
    t.is(await droppedOf(judge, 'cell'), 0, 'a device that can wait loses nothing');
    await gateway.waitForLog(({ group, level }) => group === 'scale' && level === 'warn');

    const from = performance.now();
    await judge.client.publishAsync(`${BASE}/scale/set`, 'TARE', { qos: 1 });
    await eventually(() => Buffer.concat(written).toString() === 'TARE\n', 'the command on the line');
    t.log(
      `command down after ${Math.round(performance.now() - from)} ms; ${before} -> ${rss} MiB; TCP device stalled at ${flood.taken()} bytes`,
    );
    t.true(
      gateway.log.every(({ msg }) => !msg.includes('did not answer')),
      'the session has lived all the time',
    );
  },
);

interface Flood {
  /** Bytes that the system has taken. */
  taken(): number;
  /** Nothing was taken for this long, ms. */
  isStalled(ms: number): Promise<boolean>;
  stop(): void;
}

/** Lines as fast as the socket takes them. */
function floodTo(socket: import('node:net').Socket): Flood {
  const lines = Buffer.from(Array.from({ length: 512 }, (_, n) => numberedLine(n, LINE_BYTES)).join(''));
  let isOn = true;
  const write = (): void => {
    while (isOn && socket.write(lines));
  };
  socket.on('drain', write);
  write();
  const taken = (): number => socket.bytesWritten - socket.writableLength;
  return {
    taken,
    isStalled: async (ms) => {
      const at = taken();
      await pause(ms);
      return taken() === at && at > 0;
    },
    stop: () => {
      isOn = false;
    },
  };
}

interface ListedDevice {
  readonly name: string;
  readonly dropped: number;
  readonly counters: { readonly dropped_readings: number };
}

/** Asks the gateway: `bridge/devices` is published when states change, not with every count. */
async function droppedOf(judge: Subscriber, device: string): Promise<number> {
  const answer = `${BASE}/bridge/response/devices`;
  const before = judge.on(answer).length;
  await judge.client.publishAsync(`${BASE}/bridge/request/devices`, '{}', { qos: 1 });
  await judge.count(answer, before + 1);
  const { data } = judge.last(answer) as { data: ListedDevice[] };
  const found = data.find(({ name }) => name === device);
  return (found?.dropped ?? 0) + (found?.counters.dropped_readings ?? 0);
}
