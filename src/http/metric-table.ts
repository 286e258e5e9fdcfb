// Every metric there is: name, kind, meaning. The registry of prom-client, the README's table and the test that lints names come
// from here. Names follow Prometheus: base units, `_total` for what only rises. Labels are few and bounded: devices of the
// config, states, kinds of junk; never a connection, a topic or a text.

export interface MetricSpec {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = <Name extends `ferrule_${string}_total`>(name: Name, help: string, ...labels: string[]) =>
  ({ name, type: 'counter', help, labels }) as const;
const gauge = <Name extends `ferrule_${string}`>(name: Name, help: string, ...labels: string[]) =>
  ({ name, type: 'gauge', help, labels }) as const;

/** What is set at each scrape. */
export const METRICS = [
  gauge('ferrule_build_info', 'Always 1; the versions are in the labels', 'version', 'node'),
  gauge('ferrule_ready', '1 while /health/ready answers 200'),
  gauge('ferrule_device_state', '1 for the state that the device is in, 0 for the others', 'device', 'state'),
  counter('ferrule_device_received_bytes_total', 'Bytes read from the device', 'device'),
  counter('ferrule_device_sent_bytes_total', 'Bytes written to the device', 'device'),
  counter('ferrule_device_frames_total', 'Frames cut out of the bytes', 'device'),
  counter('ferrule_device_readings_total', 'Readings made from the frames', 'device'),
  counter('ferrule_device_junk_total', 'Pieces that are no reading, by kind', 'device', 'reason'),
  counter('ferrule_device_dropped_bytes_total', 'Bytes dropped before framing: the gateway was behind', 'device'),
  counter('ferrule_device_dropped_readings_total', 'Readings dropped on their way to the uplink', 'device'),
  counter('ferrule_device_dropped_messages_total', 'Messages that will never reach the broker', 'device'),
  counter('ferrule_device_commands_total', 'Commands written to the device', 'device'),
  counter('ferrule_device_reconnects_total', 'Times that the link was opened again after a loss', 'device'),
  counter('ferrule_device_crashes_total', 'Crashes of the driver or a thread of the device', 'device'),
  gauge('ferrule_device_queue_items', 'Chunks, readings and commands in the queues of the device', 'device'),
  gauge('ferrule_device_queue_bytes', 'What they weigh', 'device'),
  gauge('ferrule_device_last_heard_timestamp_seconds', 'Unix time of the last bytes; absent before', 'device'),
  gauge('ferrule_listener_connections', 'Open connections of a tcp-listen device', 'device'),
  counter('ferrule_listener_accepted_connections_total', 'Connections accepted', 'device'),
  counter('ferrule_listener_refused_connections_total', 'Connections refused: max_connections were open', 'device'),
  counter('ferrule_listener_unnamed_connections_total', 'Connections closed for want of a name: first-frame', 'device'),
  gauge('ferrule_uplink_connected', '1 while there is a session with the broker'),
  gauge('ferrule_uplink_queue_bytes', 'Bytes in memory that wait for the broker or its acknowledgement'),
  gauge('ferrule_uplink_unacknowledged_messages', 'Messages written and not yet acknowledged'),
  counter('ferrule_uplink_resent_messages_total', 'Messages sent again after a loss: they may have arrived twice'),
  counter('ferrule_uplink_dropped_messages_total', 'Messages of all devices that will never reach the broker'),
  gauge('ferrule_spool_state', '1 for where kept messages go, 0 for the others', 'state'),
  gauge('ferrule_spool_messages', 'Messages kept for the broker'),
  gauge('ferrule_spool_bytes', 'Bytes that they take'),
  gauge('ferrule_spool_limit_bytes', 'spool.max_size'),
  gauge('ferrule_spool_full', '1 while the spool has no room and spool.when_full applies'),
  counter('ferrule_commands_ignored_retained_total', 'Retained commands, which are not done'),
  counter('ferrule_commands_repeated_total', 'Commands that came again and were not done again'),
  gauge('ferrule_event_loop_lag_mean_seconds', 'How late the event loop was on average since the last scrape'),
  gauge('ferrule_event_loop_lag_p99_seconds', 'The same, 99th percentile'),
  gauge('ferrule_event_loop_lag_max_seconds', 'The same, longest'),
  counter('ferrule_process_cpu_seconds_total', 'Processor time of the process, user and system'),
  gauge('ferrule_process_start_time_seconds', 'Unix time of its start'),
  gauge('ferrule_process_resident_memory_bytes', 'Resident memory'),
  gauge('ferrule_process_heap_used_bytes', 'JavaScript heap in use, without Workers'),
  gauge('ferrule_process_open_fds', 'Open file descriptors'),
] as const satisfies readonly MetricSpec[];

/** What gathers between scrapes; begins with the first one. */
export const LATENCY = {
  name: 'ferrule_uplink_publish_latency_seconds',
  type: 'histogram',
  help: 'Time from writing a QoS 1 message to its acknowledgement by the broker, in samples: one message at a time',
  labels: [],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
} as const satisfies MetricSpec & { readonly buckets: readonly number[] };

export type MetricName = (typeof METRICS)[number]['name'];

/** The table for people, in Markdown. */
export function metricReference(): string {
  const rows = [...METRICS, LATENCY].map(({ name, type, help, labels }) => {
    const named = labels.length === 0 ? '' : `{${labels.join(', ')}}`;
    return `| \`${name}${named}\` | ${type} | ${help} |`;
  });
  return ['| Metric | Kind | Meaning |', '|---|---|---|', ...rows, ''].join('\n');
}
