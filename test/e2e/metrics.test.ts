// /metrics of a real gateway: scraped as Prometheus does it, well-formed, and in line with what really went over the wires.

import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ask } from '../support/http-ask.js';
import { freePort } from '../support/mosquitto.js';
import { lintMetrics, type MetricFamily, parsePrometheus, sampleOf } from '../support/prometheus-text.js';
import { startTcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';
const BRISK = { first: 20, max: 50 };

async function scrape(port: number): Promise<MetricFamily[]> {
  return parsePrometheus((await ask(port, '/metrics')).body);
}

async function until(
  port: number,
  what: string,
  holds: (families: MetricFamily[]) => boolean,
): Promise<MetricFamily[]> {
  let families: MetricFamily[] = [];
  const look = async (): Promise<boolean> => {
    families = await scrape(port);
    return holds(families);
  };
  await eventually(look, what);
  return families;
}

async function talkTo(t: ExecutionContext, port: number, text: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return socket;
}

brokerTest('what a device sent, got and lost is counted, and the text is one that Prometheus takes', async (t) => {
  const broker = await brokerFor(t);
  const scale = await startTcpDevice();
  t.teardown(() => scale.close());
  const port = await freePort();
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      http: { listen: `127.0.0.1:${port}` },
      devices: {
        scale: {
          driver: 'lines',
          link: `tcp://127.0.0.1:${scale.port}`,
          framing: { type: 'line', max_length: 64 },
          reconnect: BRISK,
        },
        off: { driver: 'lines', link: 'tcp://127.0.0.1:1', enabled: false },
      },
    },
  });
  await gateway.waitForLog('health and metrics on');
  const subscriber = await subscriberFor(t, { port: broker.port });
  await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  await scrape(port); // from now on the latency is measured

  const lines = '12.5 kg\n'.repeat(100);
  const junk = `${'x'.repeat(200)}\n`;
  const socket = await scale.connection();
  socket.write(lines + junk);
  await subscriber.count(`${BASE}/scale`, 100);
  await subscriber.client.publishAsync(`${BASE}/scale/set`, 'TARE');
  await eventually(() => scale.received().includes('TARE'), 'the command');
  socket.destroy();
  await eventually(() => scale.accepted === 2, 'the device to be back');

  const device = { device: 'scale' };
  const families = await until(port, 'all of it', (found) => {
    const isBack = sampleOf(found, 'ferrule_device_state', { ...device, state: 'online' }) === 1;
    return isBack && (sampleOf(found, 'ferrule_device_commands_total', device) ?? 0) > 0;
  });
  t.deepEqual(lintMetrics(families), []);
  const of = (name: string, labels = {}) => sampleOf(families, `ferrule_device_${name}`, { ...device, ...labels });
  t.is(of('received_bytes_total'), lines.length + junk.length);
  t.is(of('sent_bytes_total'), scale.received().length);
  t.is(of('readings_total'), 100);
  t.is(of('junk_total', { reason: 'too-long' }), 1);
  t.is(of('commands_total'), 1);
  t.is(of('reconnects_total'), 1);
  t.is(of('crashes_total'), 0);
  t.true(Math.abs((of('last_heard_timestamp_seconds') ?? 0) - Date.now() / 1000) < 60);
  t.is(sampleOf(families, 'ferrule_device_state', { device: 'off', state: 'disabled' }), 1);
  t.is(sampleOf(families, 'ferrule_uplink_connected'), 1);
  const acknowledged = sampleOf(families, 'ferrule_uplink_publish_latency_seconds_count') ?? 0;
  const latency = sampleOf(families, 'ferrule_uplink_publish_latency_seconds_sum') ?? 0;
  t.true(acknowledged > 0 && latency > 0 && latency / acknowledged < 5, `${latency} s in ${acknowledged} samples`);
  t.log(`${acknowledged} samples of the latency, ${((latency / acknowledged) * 1000).toFixed(2)} ms on average`);
  const rss = sampleOf(families, 'ferrule_process_resident_memory_bytes') ?? 0;
  t.true(rss > 20e6 && rss < 1e9);
});

brokerTest('connections of a listener are added up to it, and its sums never fall', async (t) => {
  const broker = await brokerFor(t);
  const [port, listenPort] = [await freePort(), await freePort()];
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      http: { listen: `127.0.0.1:${port}` },
      devices: {
        ears: {
          driver: 'lines',
          link: { type: 'tcp-listen', host: '127.0.0.1', port: listenPort, max_connections: 3, peer: '{n}' },
        },
      },
    },
  });
  const device = { device: 'ears' };
  await gateway.waitForLog('health and metrics on');
  const subscriber = await subscriberFor(t, { port: broker.port });
  await subscriber.says(`${BASE}/ears/availability`, { state: 'online' });
  const sockets = await Promise.all([1, 2, 3].map(() => talkTo(t, listenPort, 'hello\n'.repeat(10))));
  const readings = (families: MetricFamily[]) => sampleOf(families, 'ferrule_device_readings_total', device);
  const connections = (families: MetricFamily[]) => sampleOf(families, 'ferrule_listener_connections', device);
  await until(port, '30 readings of 3 connections', (found) => readings(found) === 30 && connections(found) === 3);
  await talkTo(t, listenPort, 'one too many\n');
  await until(
    port,
    'a refused one',
    (found) => sampleOf(found, 'ferrule_listener_refused_connections_total', device) === 1,
  );
  for (const socket of sockets) socket.destroy();
  const families = await until(port, 'no connections', (found) => {
    t.true((readings(found) ?? 0) >= 30, 'sums never fall');
    return connections(found) === 0;
  });
  t.is(readings(families), 30);
  t.is(sampleOf(families, 'ferrule_device_received_bytes_total', device), 180);
  t.is(sampleOf(families, 'ferrule_listener_accepted_connections_total', device), 3);
  const named = new Set(families.flatMap(({ samples }) => samples.map(({ labels }) => labels.device)));
  t.deepEqual([...named], [undefined, 'ears'], 'no connection has series of its own');
  t.deepEqual(lintMetrics(families), []);
});
