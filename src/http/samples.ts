// From what the gateway counts to samples of the metrics. Pure.

import type { DeviceFigures } from '../group/device-figures.js';
import type { DeviceView, GatewayFigures } from './gateway-view.js';
import type { MetricName } from './metric-table.js';

export interface Sample {
  readonly name: MetricName;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

const DEVICE_STATES = [
  'idle',
  'connecting',
  'online',
  'silent',
  'backing-off',
  'parked',
  'closing',
  'closed',
  'disabled',
] as const;

const SPOOL_STATES = ['off', 'idle', 'disk', 'memory', 'closed'] as const;

/** All samples of the gateway; those of the process are in `process-figures.ts`. */
export function samplesOf({
  version,
  isReady,
  devices,
  uplink,
  spoolLimitBytes,
  commands,
}: GatewayFigures): readonly Sample[] {
  return [
    { name: 'ferrule_build_info', value: 1, labels: { version, node: process.versions.node } },
    { name: 'ferrule_ready', value: Number(isReady) },
    ...devices.flatMap(deviceSamples),
    { name: 'ferrule_uplink_connected', value: Number(uplink.isOnline) },
    { name: 'ferrule_uplink_queue_bytes', value: uplink.queuedBytes },
    { name: 'ferrule_uplink_unacknowledged_messages', value: uplink.unacknowledged },
    { name: 'ferrule_uplink_resent_messages_total', value: uplink.resent },
    { name: 'ferrule_uplink_dropped_messages_total', value: uplink.dropped },
    ...stateSamples('ferrule_spool_state', SPOOL_STATES, uplink.spoolState, {}),
    { name: 'ferrule_spool_messages', value: uplink.spoolMessages },
    { name: 'ferrule_spool_bytes', value: uplink.spoolBytes },
    { name: 'ferrule_spool_limit_bytes', value: spoolLimitBytes },
    { name: 'ferrule_spool_full', value: Number(uplink.spoolIsFull) },
    { name: 'ferrule_commands_ignored_retained_total', value: commands.ignoredRetained },
    { name: 'ferrule_commands_repeated_total', value: commands.repeated },
  ];
}

function deviceSamples({ name: device, figures, isDisabled, dropped }: DeviceView): Sample[] {
  const labels = { device };
  const state = figures?.state ?? (isDisabled ? 'disabled' : 'closed');
  return [
    ...stateSamples('ferrule_device_state', DEVICE_STATES, state, labels),
    { name: 'ferrule_device_dropped_messages_total', value: dropped, labels },
    ...(figures === undefined ? [] : figureSamples(figures, labels)),
  ];
}

function figureSamples(figures: DeviceFigures, labels: { readonly device: string }): Sample[] {
  const { counters, queuedItems, queuedBytes, connections } = figures;
  const heard = counters.lastHeardAt / 1000;
  return [
    { name: 'ferrule_device_received_bytes_total', value: counters.bytesIn, labels },
    { name: 'ferrule_device_sent_bytes_total', value: counters.bytesOut, labels },
    { name: 'ferrule_device_frames_total', value: counters.frames, labels },
    { name: 'ferrule_device_readings_total', value: counters.readings, labels },
    ...Object.entries(counters.junkByReason).map(
      ([reason, value]) => ({ name: 'ferrule_device_junk_total', value, labels: { ...labels, reason } }) as const,
    ),
    { name: 'ferrule_device_dropped_bytes_total', value: counters.droppedBytes, labels },
    { name: 'ferrule_device_dropped_readings_total', value: counters.droppedReadings, labels },
    { name: 'ferrule_device_commands_total', value: counters.commands, labels },
    { name: 'ferrule_device_reconnects_total', value: counters.reconnects, labels },
    { name: 'ferrule_device_crashes_total', value: counters.crashes, labels },
    { name: 'ferrule_device_queue_items', value: queuedItems, labels },
    { name: 'ferrule_device_queue_bytes', value: queuedBytes, labels },
    ...(heard > 0 ? [{ name: 'ferrule_device_last_heard_timestamp_seconds', value: heard, labels } as const] : []),
    ...(connections === undefined ? [] : listenerSamples(connections, labels)),
  ];
}

function listenerSamples(
  { open, accepted, refused, unnamed }: NonNullable<DeviceFigures['connections']>,
  labels: { readonly device: string },
): Sample[] {
  return [
    { name: 'ferrule_listener_connections', value: open, labels },
    { name: 'ferrule_listener_accepted_connections_total', value: accepted, labels },
    { name: 'ferrule_listener_refused_connections_total', value: refused, labels },
    { name: 'ferrule_listener_unnamed_connections_total', value: unnamed, labels },
  ];
}

function stateSamples<State extends string>(
  name: MetricName,
  states: readonly State[],
  current: State,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  return states.map((state) => ({ name, value: Number(state === current), labels: { ...labels, state } }));
}
