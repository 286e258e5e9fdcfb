// /metrics as Prometheus reads it: well-formed, well named, and what was counted.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { JUNK_KINDS } from '../../src/group/junk-kind.js';
import { LATENCY, METRICS, metricReference } from '../../src/http/metric-table.js';
import { Metrics } from '../../src/http/metrics.js';
import { deviceFiguresOf, FakeGatewayView, gatewayFigures } from '../support/gateway-view.js';
import { lintMetrics, type MetricFamily, parsePrometheus, sampleOf } from '../support/prometheus-text.js';

const ODD_NAME = 'line/"quoted"\\slash\nnew line';

async function scrape(metrics: Metrics): Promise<MetricFamily[]> {
  return parsePrometheus((await metrics.answer()).body);
}

function busyGateway(): FakeGatewayView {
  const gateway = new FakeGatewayView();
  const counters = {
    bytesIn: 1000,
    bytesOut: 20,
    frames: 90,
    readings: 88,
    junk: 5,
    junkByReason: { 'too-long': 3, 'bad-reading': 2 },
    droppedReadings: 4,
    droppedBytes: 6,
    commands: 7,
    reconnects: 8,
    crashes: 1,
    lastHeardAt: 1_700_000_000_500,
  };
  const connections = { open: 2, accepted: 10, refused: 1, unnamed: 3 };
  gateway.counted = gatewayFigures({
    isReady: false,
    devices: [
      {
        name: 'scale',
        figures: deviceFiguresOf(counters, { queuedItems: 3, queuedBytes: 512 }),
        isDisabled: false,
        dropped: 9,
      },
      { name: 'ears', figures: deviceFiguresOf({}, { connections, state: 'parked' }), isDisabled: false, dropped: 0 },
      { name: ODD_NAME, figures: undefined, isDisabled: true, dropped: 0 },
    ],
    commands: { ignoredRetained: 2, repeated: 3 },
  });
  return gateway;
}

test('every name and unit passes the lint, with everything filled in', async (t) => {
  const gateway = busyGateway();
  const metrics = new Metrics(gateway, systemClock);
  t.teardown(() => metrics.close());
  await scrape(metrics);
  gateway.watchers[0]?.(3);
  const families = await scrape(metrics);
  t.deepEqual(lintMetrics(families), []);
  t.deepEqual(families.map(({ name }) => name).sort(), [...METRICS, LATENCY].map(({ name }) => name).sort());
  t.true(families.every(({ name }) => name.startsWith('ferrule_')));
  for (const { name, samples } of families) t.true(samples.length > 0, name);
});

test('the figures of a device stand under its name', async (t) => {
  const metrics = new Metrics(busyGateway(), systemClock);
  t.teardown(() => metrics.close());
  const families = await scrape(metrics);
  const of = (name: string, labels = {}) => sampleOf(families, `ferrule_${name}`, { device: 'scale', ...labels });
  t.is(of('device_received_bytes_total'), 1000);
  t.is(of('device_sent_bytes_total'), 20);
  t.is(of('device_frames_total'), 90);
  t.is(of('device_readings_total'), 88);
  t.is(of('device_junk_total', { reason: 'too-long' }), 3);
  t.is(of('device_junk_total', { reason: 'bad-reading' }), 2);
  t.is(of('device_dropped_readings_total'), 4);
  t.is(of('device_dropped_bytes_total'), 6);
  t.is(of('device_dropped_messages_total'), 9);
  t.is(of('device_commands_total'), 7);
  t.is(of('device_reconnects_total'), 8);
  t.is(of('device_crashes_total'), 1);
  t.is(of('device_queue_items'), 3);
  t.is(of('device_queue_bytes'), 512);
  t.is(of('device_last_heard_timestamp_seconds'), 1_700_000_000.5);
  t.is(of('device_state', { state: 'online' }), 1);
  t.is(of('device_state', { state: 'parked' }), 0);
  t.is(sampleOf(families, 'ferrule_listener_connections', { device: 'ears' }), 2);
  t.is(sampleOf(families, 'ferrule_listener_refused_connections_total', { device: 'ears' }), 1);
  t.is(sampleOf(families, 'ferrule_device_last_heard_timestamp_seconds', { device: 'ears' }), undefined);
  t.is(sampleOf(families, 'ferrule_device_state', { device: ODD_NAME, state: 'disabled' }), 1);
  t.is(sampleOf(families, 'ferrule_device_readings_total', { device: ODD_NAME }), undefined);
  t.is(sampleOf(families, 'ferrule_ready'), 0);
  t.is(sampleOf(families, 'ferrule_commands_ignored_retained_total'), 2);
  t.is(sampleOf(families, 'ferrule_commands_repeated_total'), 3);
});

test('a device that is gone is gone from the next scrape, and nothing is added up twice', async (t) => {
  const gateway = busyGateway();
  const metrics = new Metrics(gateway, systemClock);
  t.teardown(() => metrics.close());
  await scrape(metrics);
  t.is(sampleOf(await scrape(metrics), 'ferrule_device_received_bytes_total', { device: 'scale' }), 1000);
  gateway.counted = gatewayFigures();
  t.is(sampleOf(await scrape(metrics), 'ferrule_device_received_bytes_total', { device: 'scale' }), undefined);
});

test('latency is told in seconds, in buckets', async (t) => {
  const gateway = new FakeGatewayView();
  const metrics = new Metrics(gateway, systemClock);
  t.teardown(() => metrics.close());
  await scrape(metrics);
  for (const ms of [0.4, 3, 3, 70, 20_000]) gateway.watchers[0]?.(ms);
  const families = await scrape(metrics);
  const bucket = (le: string) => sampleOf(families, `${LATENCY.name}_bucket`, { le });
  t.deepEqual(['0.001', '0.0025', '0.005', '0.1', '10', '+Inf'].map(bucket), [1, 1, 3, 4, 4, 5]);
  t.is(sampleOf(families, `${LATENCY.name}_count`), 5);
});

test('a hundred devices take a bounded number of series each', async (t) => {
  const gateway = new FakeGatewayView();
  const junkByReason = Object.fromEntries(JUNK_KINDS.map((kind) => [kind, 1]));
  const figures = deviceFiguresOf({ lastHeardAt: 1, junkByReason });
  const devices = Array.from({ length: 100 }, (_, i) => ({ name: `d${i}`, figures, isDisabled: false, dropped: 0 }));
  gateway.counted = gatewayFigures({ devices });
  const metrics = new Metrics(gateway, systemClock);
  t.teardown(() => metrics.close());
  await metrics.answer();
  const startedAt = performance.now();
  const families = await scrape(metrics);
  const perDevice = families.flatMap(({ samples }) => samples).filter(({ labels }) => labels.device === 'd7').length;
  t.log(`${perDevice} series a device at most; 100 devices in ${(performance.now() - startedAt).toFixed(1)} ms`);
  t.true(perDevice <= 36);
});

test('the README shows the table of metrics as it is', (t) => {
  const readme = readFileSync('README.md', 'utf8');
  const between = /<!-- metrics:begin -->\n([\s\S]*?)<!-- metrics:end -->/.exec(readme)?.[1];
  t.is(between?.trim(), metricReference().trim(), 'print it: see src/http/README.md');
  t.true(metricReference().includes('| `ferrule_device_junk_total{device, reason}` | counter | '));
});

test('the lint of this test finds what it is there for', (t) => {
  const lint = (text: string) => lintMetrics(parsePrometheus(text));
  t.deepEqual(lint('# HELP a_seconds x\n# TYPE a_seconds gauge\na_seconds 1\n'), []);
  for (const [name, type] of [
    ['a_ms', 'gauge'],
    ['a_milliseconds_total', 'counter'],
    ['a_total', 'gauge'],
    ['a', 'counter'],
    ['a_gauge', 'gauge'],
    ['aB', 'gauge'],
    ['a_count', 'gauge'],
    ['a_kb', 'gauge'],
  ]) {
    t.is(lint(`# HELP ${name} x\n# TYPE ${name} ${type}\n${name} 1\n`).length, 1, name);
  }
  t.is(lint('# TYPE a gauge\na 1\n').length, 1);
  for (const bad of [
    'a 1\n',
    '# TYPE a gauge\na{b=c} 1\n',
    '# TYPE a gauge\na 1\na 2\n',
    '# TYPE a gauge\na x\n',
    '# TYPE a gauge\na 1',
  ])
    t.throws(() => parsePrometheus(bad), undefined, bad);
});
