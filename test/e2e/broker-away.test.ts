// The broker is weather: absent at the start, killed in the middle, back again. Devices go on as if nothing had happened, and
// what they say meanwhile arrives in order.

import type { ExecutionContext } from 'ava';
import { type DeviceStream, LINE_BYTES, streamToPty, streamToTcp } from '../support/device-stream.js';
import { brokerTest, gatewayFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { judgedBrokerFor } from '../support/lasting-judge.js';
import { openNamedPty } from '../support/named-pty.js';
import { numberedLine, tally } from '../support/numbered-lines.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';

/** Fast enough that a kill finds lines on their way. */
const TCP_LINES_PER_SECOND = 10_000;
const AWAY_MS = 1000;
/** Come back soon: the test waits for it. */
const RECONNECT = { first: 100, max: 400 };
/** The judge goes by the plain order of arrival; what overtakes what by default: uplink-faults.test.ts. */
const IN_ORDER = { replay_order: 'in-order' };

function payloads(subscriber: Subscriber, topic: string): Buffer[] {
  return subscriber.on(topic).map(({ payload }) => payload);
}

/** Everything written arrived in order; what was on its way when the broker died may have come twice. */
async function nothingLost(t: ExecutionContext, subscriber: Subscriber, name: string, { lines }: DeviceStream) {
  const topic = `ferrule/e2e/${name}`;
  const last = numberedLine(lines - 1, LINE_BYTES).trimEnd();
  await eventually(() => payloads(subscriber, topic).at(-1)?.toString() === last, `the last line of ${name}`);
  const found = tally(payloads(subscriber, topic), LINE_BYTES);
  const { doubled } = found;
  t.deepEqual(
    found,
    { received: lines + doubled, doubled, lost: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 },
    name,
  );
  t.log(`${name}: ${lines} lines over two kills, ${doubled} came twice`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

brokerTest('without a broker at the start devices are online and their readings are kept until it comes', async (t) => {
  const broker = await judgedBrokerFor(t);
  const { port, judge: subscriber } = broker;
  await broker.kill();

  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${port}`, reconnect: RECONNECT },
      spool: IN_ORDER,
      devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
    },
  });
  await gateway.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
  const { msg } = await gateway.waitForLog('devices go on');
  t.regex(msg, new RegExp(`${port}`), 'the log names the broker');
  const connection = await device.connection();
  for (let n = 0; n < 1000; n += 1) connection.write(numberedLine(n, LINE_BYTES));

  await broker.start();
  const startedAt = performance.now();
  await subscriber.count('ferrule/e2e/cell', 1000);
  t.log(`1000 kept readings delivered ${Math.round(performance.now() - startedAt)} ms after the broker was there`);
  connection.write(numberedLine(1000, LINE_BYTES));
  await subscriber.count('ferrule/e2e/cell', 1001);
  const perfect = { received: 1001, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: 1000 };
  t.deepEqual(tally(payloads(subscriber, 'ferrule/e2e/cell'), LINE_BYTES), perfect);
  await subscriber.says('ferrule/e2e/cell/availability', { state: 'online' });
  t.is(device.accepted, 1, 'the device was never let go');
});

brokerTest('a broker killed twice in a stream: nothing lost at QoS 1, order kept, links untouched', async (t) => {
  const broker = await judgedBrokerFor(t);
  const { port, judge: subscriber } = broker;
  const [pty, device] = [await openNamedPty(), await startTcpDevice()];
  t.teardown(() => Promise.all([pty.close(), device.close()]));
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${port}`, reconnect: RECONNECT },
      spool: IN_ORDER,
      devices: {
        cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` },
        scale: { driver: 'lines', link: `serial:${pty.path}` },
      },
    },
  });
  await subscriber.says('ferrule/e2e/scale/availability', { state: 'online' });
  const connection = await device.connection();
  const streams = { cell: streamToTcp(connection, TCP_LINES_PER_SECOND), scale: streamToPty(pty) };
  for (const kill of [1, 2]) {
    await pause(500 + 137 * kill); // somewhere in the stream
    await new Promise((resolve) => subscriber.client.once('message', resolve)); // with others behind it on their way
    await broker.kill();
    await pause(AWAY_MS);
    await eventually(() => connection.writableLength < 64 * 1024, 'the device to go on while the broker is away');
    const heard = subscriber.on('ferrule/e2e/cell').length;
    await broker.start();
    await eventually(() => subscriber.on('ferrule/e2e/cell').length > heard, 'readings again');
  }
  for (const stream of Object.values(streams)) stream.stop();
  for (const [name, stream] of Object.entries(streams)) await nothingLost(t, subscriber, name, stream);
  t.is(streams.scale.dropped, 0, 'the pty was read all the time');
  t.is(device.accepted, 1, 'the socket was never let go');
  const troubles = gateway.log.filter(
    ({ group, level }) => (group === 'cell' || group === 'scale') && level !== 'info',
  );
  t.deepEqual(troubles, [], 'no device noticed anything');
});
