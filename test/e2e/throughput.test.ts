// Much at once: nothing is lost, doubled or put out of order on its way through the real process to mosquitto.

import { LINE_BYTES, streamToPty } from '../support/device-stream.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { openNamedPty } from '../support/named-pty.js';
import { numberedLine, type Tally, tally } from '../support/numbered-lines.js';
import { allowForSoak, repeats } from '../support/soak.js';
import { startTcpDevice } from '../support/tcp-device.js';

const FIREHOSE_LINES = 100_000;
const PTYS = 8;
const PACED_MS = repeats(5000, 60_000);

function perfect(lines: number): Tally {
  return { received: lines, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 };
}

brokerTest(
  '100,000 lines through one TCP connection at QoS 1: none lost, none doubled, none out of order',
  async (t) => {
    const broker = await brokerFor(t);
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const subscriber = await subscriberFor(t, { port: broker.port, filter: 'ferrule/e2e/cell' });
    const gateway = gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
        devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
      },
    });
    await gateway.waitForLog('connected to the broker');
    const connection = await device.connection();
    const wire = Buffer.from(Array.from({ length: FIREHOSE_LINES }, (_, n) => numberedLine(n, LINE_BYTES)).join(''));
    const startedAt = performance.now();
    connection.write(wire);
    await subscriber.count('ferrule/e2e/cell', FIREHOSE_LINES, 60_000);
    const tookMs = performance.now() - startedAt;
    t.log(
      `${FIREHOSE_LINES} lines in ${Math.round(tookMs)} ms: ${Math.round(FIREHOSE_LINES / (tookMs / 1000))} lines/s`,
    );
    t.deepEqual(tally(payloads(subscriber.on('ferrule/e2e/cell')), LINE_BYTES), perfect(FIREHOSE_LINES));
  },
);

brokerTest(`8 ptys at the pace of 115200 baud for ${PACED_MS / 1000} s: none lost, each in order`, async (t) => {
  allowForSoak(t);
  const broker = await brokerFor(t);
  const ptys = await Promise.all(Array.from({ length: PTYS }, () => openNamedPty()));
  t.teardown(() => Promise.all(ptys.map((pty) => pty.close())));
  const subscriber = await subscriberFor(t, { port: broker.port });
  const devices = ptys.map(({ path }, i) => [
    `line-${i}`,
    { driver: 'lines', link: `serial:${path}?baud_rate=115200` },
  ]);
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: Object.fromEntries(devices),
    },
  });
  await gateway.waitForLog('connected to the broker');
  for (const i of ptys.keys()) await subscriber.says(`ferrule/e2e/line-${i}/availability`, { state: 'online' });

  const streams = ptys.map((pty) => streamToPty(pty));
  await new Promise((resolve) => setTimeout(resolve, PACED_MS)); // the length of the test, not a wait for something
  for (const stream of streams) stream.stop();
  for (const [i, stream] of streams.entries()) {
    await subscriber.count(`ferrule/e2e/line-${i}`, stream.lines);
    const found = tally(payloads(subscriber.on(`ferrule/e2e/line-${i}`)), LINE_BYTES);
    t.deepEqual(found, perfect(stream.lines), `line-${i}`);
    t.is(stream.dropped, 0, 'every byte entered the pty');
  }
  const lines = streams.reduce((sum, stream) => sum + stream.lines, 0);
  t.log(`${lines} lines, ${Math.round(lines / (PACED_MS / 1000))} a second, over ${PTYS} ptys`);
});

function payloads(messages: readonly { readonly payload: Buffer }[]): Buffer[] {
  return messages.map(({ payload }) => payload);
}
