// Outbox, session and stream together against real brokers: everything arrives, in order, whatever happens to the broker.

import test, { type ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import { EMBEDDED_VERSION, startEmbeddedBroker } from '../../src/uplink/embedded-broker.js';
import { Outbox } from '../../src/uplink/outbox.js';
import type { SessionOptions } from '../../src/uplink/session.js';
import { skipWithoutMosquitto, startMosquitto } from '../support/mosquitto.js';
import { openRig, sessionOptions } from '../support/session-rig.js';
import { textBatch } from '../support/text-batch.js';

const COUNT = 20_000;
const BATCH = 100;

interface Watcher {
  readonly received: number[];
  readonly client: mqtt.MqttClient;
  /** Resolves when `count` different numbers have come. */
  until(count: number): Promise<void>;
}

/** A plain mqtt.js subscriber of the numbers published on `readings`. */
async function watch(port: number, protocolVersion: 4 | 5, options: mqtt.IClientOptions = {}): Promise<Watcher> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion, ...options });
  const received: number[] = [];
  const seen = new Set<number>();
  let check: () => void = () => {};
  client.on('message', (_topic, payload) => {
    const value = Number(payload);
    received.push(value);
    seen.add(value);
    check();
  });
  await client.subscribeAsync('readings', { qos: 1 });
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      check = () => {
        if (seen.size >= count) resolve();
      };
      check();
    });
  return { received, client, until };
}

function fill(outbox: Outbox, from: number, to: number): void {
  const route = { topic: 'readings', qos: 1 as const, retain: false };
  for (let first = from; first < to; first += BATCH) {
    const texts = Array.from({ length: Math.min(BATCH, to - first) }, (_, i) => `${first + i}`.padStart(64));
    outbox.add({ device: 'scale', route, batch: textBatch(texts) });
  }
}

async function relay(t: ExecutionContext, options: SessionOptions, port: number): Promise<void> {
  const watcher = await watch(port, options.version);
  t.teardown(() => watcher.client.endAsync(true));
  const outbox = new Outbox();
  fill(outbox, 0, COUNT);
  const rig = await openRig(options, outbox);
  await watcher.until(COUNT);
  t.is(await outbox.whenIdle(AbortSignal.timeout(30_000)), 'idle');
  t.deepEqual(
    watcher.received,
    Array.from({ length: COUNT }, (_, i) => i),
  );
  t.is(outbox.bytes, 0);
  t.is(outbox.dropped, 0);
  await rig.session.end();
}

test('embedded broker: 20,000 messages at QoS 1 arrive once and in order', async (t) => {
  const broker = await startEmbeddedBroker({ port: 0 });
  t.teardown(() => broker.close());
  await relay(t, sessionOptions(broker.port, { version: EMBEDDED_VERSION }), broker.port);
});

// The queue for a subscriber that is slower than we are is mosquitto's own limit, 1000 by default.
const CONFIG = 'allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0';

const withBroker = skipWithoutMosquitto === undefined ? test : test.skip;

for (const version of [4, 5] as const) {
  withBroker(`mosquitto, MQTT ${version}: 20,000 messages at QoS 1 arrive once and in order`, async (t) => {
    const broker = await startMosquitto({ config: CONFIG });
    t.teardown(() => broker.stop());
    await relay(t, sessionOptions(broker.port, { version }), broker.port);
  });

  withBroker(
    `mosquitto, MQTT ${version}: ${version === 5 ? 'its Receive Maximum of 20 is' : 'our own window is'} honoured`,
    async (t) => {
      const broker = await startMosquitto({ config: 'allow_anonymous true\nmax_queued_messages 0' });
      t.teardown(() => broker.stop());
      const outbox = new Outbox();
      const rig = await openRig(sessionOptions(broker.port, { version }), outbox);
      t.is(rig.session.limits.receiveMaximum, version === 5 ? 20 : 65_535);
      fill(outbox, 0, 1000);
      outbox.pump(rig.session);
      t.is(outbox.unacknowledged, version === 5 ? 20 : 512);
      t.is(await outbox.whenIdle(AbortSignal.timeout(30_000)), 'idle');
      await rig.session.end();
    },
  );

  withBroker(
    `mosquitto, MQTT ${version}: killed in the middle and restarted, nothing is lost and order holds`,
    async (t) => {
      const first = await startMosquitto({ config: CONFIG });
      const outbox = new Outbox();
      const early = await watch(first.port, version, { reconnectPeriod: 0 });
      early.client.on('error', () => {});
      fill(outbox, 0, COUNT);
      const rig = await openRig(sessionOptions(first.port, { version }), outbox);
      await early.until(COUNT / 4);
      await first.kill();
      await rig.lost;
      const left = outbox.leftovers().get('scale') ?? 0;
      t.true(left > 0 && left < COUNT, `${left} left`);

      const second = await startMosquitto({ config: CONFIG, port: first.port });
      t.teardown(() => second.stop());
      const late = await watch(second.port, version);
      t.teardown(() => late.client.endAsync(true));
      const again = await openRig(sessionOptions(second.port, { version }), outbox);
      await late.until(left);
      t.is(await outbox.whenIdle(AbortSignal.timeout(30_000)), 'idle');
      t.deepEqual(
        late.received,
        Array.from({ length: left }, (_, i) => COUNT - left + i),
        'all that was not acknowledged, in order',
      );
      await again.session.end();
      early.client.end(true);
    },
  );
}
