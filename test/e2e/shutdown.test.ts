// SIGTERM: what was read is at the broker before the process ends, whatever the moment; what cannot be delivered is named,
// and the deadline holds.
//
// How the test knows what the gateway has read: the sender counts what the system took from it before the signal, and the
// gateway's last log line on each device counts bytes and readings. What arrived must be exactly those readings, without a gap.

import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { LINE_BYTES, streamToPty, streamToTcp } from '../support/device-stream.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { faultProxyFor } from '../support/fault-proxy.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import { numberedLine, tally } from '../support/numbered-lines.js';
import { linesOf } from '../support/poured-lines.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { allowForSoak, repeats } from '../support/soak.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';

const BURST_LINES = 5000;
const ROUNDS = repeats(5, 30);
const LINES_PER_SECOND = 2000;
const FAIL_SAFE = 'VALVE CLOSE\r\n';
/** Most of it is waited for a broker, the rest is for the disk. */
const DEADLINE_MS = 3000;
/** From the deadline to the end that this process sees, on a machine that others use too. */
const TOLERANCE_MS = 3000;
/** Sooner than a third of this is at once. */
const LONG_MS = 30_000;

interface DeliveryCheck {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly topic: string;
  readonly device: string;
  /** Bytes that the system had taken from the sender before the signal. */
  readonly takenBefore: number;
}

/** Compares what arrived with what the gateway says it has read, and with what was there for it to read. */
async function allDelivered(t: ExecutionContext, check: DeliveryCheck): Promise<void> {
  const { gateway, subscriber, topic, device, takenBefore } = check;
  const { counters } = await gateway.waitForLog(({ group, msg }) => group === device && msg.startsWith('closed:'));
  const { readings, bytesIn } = counters as { readings: number; bytesIn: number };
  await eventually(() => subscriber.on(topic).length >= readings, `${readings} readings`).catch(() => {}); // told below
  const payloads = subscriber.on(topic).map(({ payload }) => payload);
  const perfect = { received: readings, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: readings - 1 };
  t.deepEqual(tally(payloads, LINE_BYTES), perfect, `${topic}: every reading of the gateway, in order`);
  t.is(readings, Math.floor(bytesIn / LINE_BYTES), `${topic}: every whole line it had read became a reading`);
  t.true(bytesIn >= takenBefore, `${topic}: ${takenBefore} bytes were there before the signal, ${bytesIn} were read`);
}

/** One gateway with two streams, stopped `afterMs` into them. Gives the ms from the signal to the exit. */
async function stopInStream(t: ExecutionContext, subscriber: Subscriber, url: string, id: string, afterMs: number) {
  const pty = await openNamedPty();
  const device = await startTcpDevice();
  let written = '';
  pty.onData((chunk) => (written += chunk));
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id },
      mqtt: { url },
      devices: {
        cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
        valve: { driver: 'lines', link: `serial:${pty.path}`, on_shutdown: FAIL_SAFE },
      },
    },
  });
  await subscriber.says(`ferrule/${id}/bridge/state`, { state: 'online' });
  await subscriber.says(`ferrule/${id}/valve/availability`, { state: 'online' });
  const streams = { cell: streamToTcp(await device.connection(), LINES_PER_SECOND), valve: streamToPty(pty) };
  await new Promise((resolve) => setTimeout(resolve, afterMs)); // the random moment

  const takenBefore = { cell: streams.cell.taken, valve: streams.valve.taken };
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  for (const stream of Object.values(streams)) stream.stop();
  t.is(end.code, 0, gateway.log.at(-1)?.msg);
  for (const name of ['cell', 'valve'] as const) {
    const topic = `ferrule/${id}/${name}`;
    await allDelivered(t, { gateway, subscriber, topic, device: name, takenBefore: takenBefore[name] });
    await subscriber.says(`${topic}/availability`, { state: 'offline' });
  }
  await subscriber.says(`ferrule/${id}/bridge/state`, { state: 'offline' });
  await eventually(() => written === FAIL_SAFE, 'the on_shutdown bytes on the pty');
  await Promise.all([pty.close(), device.close()]);
  return Math.round(end.at - signalledAt);
}

brokerTest(`SIGTERM at ${ROUNDS} random moments of a stream: exit 0, every line read is at the broker`, async (t) => {
  allowForSoak(t);
  t.log(`FERRULE_TEST_SEED=${SEED}`);
  const random = seededRandom(SEED);
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const afterMs = 20 + Math.round(random() * 700);
    took.push(await stopInStream(t, subscriber, `mqtt://127.0.0.1:${broker.port}`, `round-${round}`, afterMs));
  }
  t.log(`from SIGTERM to exit, ms: ${took.join(' ')}`);
});

brokerTest('SIGTERM while a peer sends as fast as it can: every line read is at the broker', async (t) => {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port, filter: 'ferrule/e2e/#' });
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
    },
  });
  const topic = 'ferrule/e2e/cell';
  const connection = await device.connection();
  await subscriber.says('ferrule/e2e/bridge/state', { state: 'online' });
  const firehose = sprayTo(connection);
  await subscriber.count(topic, BURST_LINES);
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  t.is(end.code, 0, gateway.log.at(-1)?.msg);
  // What the system still holds for the gateway may be more than it reads in its last moments: the peer is told by a reset.
  await allDelivered(t, { gateway, subscriber, topic, device: 'cell', takenBefore: BURST_LINES * LINE_BYTES });
  const tookMs = Math.round(end.at - signalledAt);
  t.log(
    `${subscriber.on(topic).length} of ${firehose.lines} lines read and delivered, exit ${tookMs} ms after SIGTERM`,
  );
});

/** Numbered lines as fast as the socket takes them, until it is closed. */
function sprayTo(socket: net.Socket): { readonly lines: number } {
  let lines = 0;
  const spray = (): void => {
    while (socket.writable && socket.write(linesOf(lines, lines + BURST_LINES))) lines += BURST_LINES;
    lines += BURST_LINES; // the last burst waits for room
  };
  socket.on('drain', spray);
  spray();
  return {
    get lines() {
      return lines;
    },
  };
}

/** A gateway whose broker never comes, with one device online. */
async function brokerlessGateway(t: ExecutionContext, deadlineMs: number) {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e', shutdown_deadline: deadlineMs },
      mqtt: { url: `mqtt://127.0.0.1:${await freePort()}` },
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
    },
  });
  await gateway.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
  return { gateway, connection: await device.connection() };
}

test('SIGTERM while the broker is away and readings wait: exit 0 within the deadline, they are kept on the disk', async (t) => {
  const { gateway, connection } = await brokerlessGateway(t, DEADLINE_MS);
  connection.write(Array.from({ length: 100 }, (_, n) => numberedLine(n, LINE_BYTES)).join(''));
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  t.is(end.code, 0);
  const tookMs = Math.round(end.at - signalledAt);
  t.log(`from SIGTERM to exit: ${tookMs} ms, with a deadline of ${DEADLINE_MS} ms`);
  t.true(tookMs < DEADLINE_MS + TOLERANCE_MS, `${tookMs} ms`);
  t.truthy(gateway.log.find(({ msg }) => msg.startsWith('100 messages are kept on the disk')));
});

/** A gateway with a broker of its own and a device that has to be left in a safe state. */
async function failSafeGateway(t: ExecutionContext): Promise<GatewayProcess> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  return gatewayFor(t, {
    config: {
      mqtt: { url: 'embedded', embedded: { port: 0 } },
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}`, on_shutdown: FAIL_SAFE } },
    },
  });
}

test('SIGTERM, and another one at once, while it is only starting: an orderly end all the same', async (t) => {
  const gateway = await failSafeGateway(t);
  await gateway.waitForLog(({ msg }) => msg.endsWith(' starts'));
  gateway.signal('SIGTERM');
  gateway.signal('SIGINT'); // the same one again might come as one
  t.like(await gateway.end(), { code: 0, signal: null });
  t.regex(gateway.log.at(-1)?.msg ?? '', /^stopped cleanly/);
});

test('a SIGTERM that comes twice, as from `timeout` or by way of a wrapper: an orderly end all the same', async (t) => {
  const gateway = await failSafeGateway(t);
  await gateway.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
  gateway.signal('SIGTERM');
  await gateway.waitForLog('shutting down');
  gateway.signal('SIGTERM');
  t.like(await gateway.end(), { code: 0, signal: null });
  t.regex(gateway.log.at(-1)?.msg ?? '', /^stopped cleanly/);
});

/** A gateway whose broker has stopped answering, with a reading on its way there: an end in order takes a while. */
async function unansweredGateway(t: ExecutionContext) {
  const proxy = await faultProxyFor(t, (await brokerFor(t)).port);
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e', shutdown_deadline: LONG_MS },
      mqtt: { url: `mqtt://127.0.0.1:${proxy.port}` },
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
    },
  });
  await gateway.waitForLog('connected to the broker');
  const connection = await device.connection();
  proxy.hold();
  connection.write(numberedLine(0, LINE_BYTES));
  return gateway;
}

brokerTest('a second SIGTERM, half a second after the first or later, exits at once with 1', async (t) => {
  const gateway = await unansweredGateway(t);
  gateway.signal('SIGTERM');
  await gateway.waitForLog('shutting down');
  await new Promise((resolve) => setTimeout(resolve, 600));
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  t.is(end.code, 1);
  t.true(end.at - signalledAt < LONG_MS / 3, `${end.at - signalledAt} ms`);
  t.regex(gateway.log.at(-1)?.msg ?? '', /SIGTERM again/);
});

test('a SIGTERM that comes twice while the broker is away: what waits is kept on the disk all the same', async (t) => {
  const { gateway, connection } = await brokerlessGateway(t, LONG_MS);
  connection.write(numberedLine(0, LINE_BYTES));
  gateway.signal('SIGTERM');
  await gateway.waitForLog('shutting down');
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0);
  t.truthy(gateway.log.find(({ msg }) => msg.startsWith('1 messages are kept on the disk')));
});

test('SIGTERM while the broker is away and nothing waits: exit 0 at once', async (t) => {
  const { gateway } = await brokerlessGateway(t, LONG_MS);
  const signalledAt = performance.now();
  gateway.signal('SIGTERM');
  const end = await gateway.end();
  t.is(end.code, 0, gateway.log.at(-1)?.msg);
  t.log(`from SIGTERM to exit: ${Math.round(end.at - signalledAt)} ms`);
  t.true(end.at - signalledAt < LONG_MS / 3, `${end.at - signalledAt} ms`);
});
