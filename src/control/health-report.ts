// The whole health at a moment, as served over HTTP: is it alive, is it ready, is something degraded, and how each device is.
// Pure: from the same facts as `bridge/health`.
//
//   live      no thread is stuck. Whoever sees this false, or gets no answer, should restart the gateway
//   ready     readings reach the broker or would be kept: started, broker there, spool with room, not shutting down
//   degraded  something wants a look, be it a single device

import type { StuckThread } from '../core/thread-group.js';
import { type DeviceHealth, type Health, type HealthInput, healthOf, spoolTroubles } from './health.js';

export interface HealthReportInput extends HealthInput {
  /** All devices have been started. */
  readonly isStarted: boolean;
  /** Threads that have been busy with one thing for longer than anything may take. */
  readonly stuck: readonly StuckThread[];
}

interface StateAndReason {
  readonly state: DeviceHealth['state'];
  readonly reason: string;
}

export interface HealthReport {
  readonly live: boolean;
  /** Why it is not; empty if it is. */
  readonly not_live: readonly string[];
  readonly ready: boolean;
  /** Why it is not; empty if it is. */
  readonly not_ready: readonly string[];
  readonly degraded: boolean;
  /** What degrades it. */
  readonly reasons: readonly string[];
  readonly broker: StateAndReason;
  readonly devices: Readonly<Record<string, StateAndReason>>;
  /** Messages that will never reach the broker, since the start. */
  readonly dropped: number;
  readonly spool?: Health['spool'];
}

/** The report that follows from the facts. */
export function healthReportOf(input: HealthReportInput): HealthReport {
  const { status, reasons, dropped, spool } = healthOf(input);
  const notLive = notLiveReasons(input);
  const notReady = notReadyReasons(input);
  return {
    live: notLive.length === 0,
    not_live: notLive,
    ready: notReady.length === 0,
    not_ready: notReady,
    degraded: status === 'degraded' || notLive.length + notReady.length > 0,
    reasons,
    broker: stateOf(input.broker ?? { state: 'idle', reason: 'not started' }),
    devices: Object.fromEntries(input.devices.map((device) => [device.name, stateOf(device)])),
    dropped,
    ...(spool !== undefined && { spool }),
  };
}

/** A shutdown has a deadline of its own; nobody should cut it short. */
function notLiveReasons({ isShuttingDown, stuck }: HealthReportInput): string[] {
  if (isShuttingDown) return [];
  return stuck.map(({ group, thread, doing, busyMs }) => {
    return `${group}/${thread} is stuck, ${doing} for ${Math.round(busyMs / 1000)} s`;
  });
}

function notReadyReasons({ isStarted, isShuttingDown, broker, spool }: HealthReportInput): string[] {
  if (isShuttingDown) return ['the gateway is shutting down'];
  return [
    ...(isStarted ? [] : ['the gateway is starting']),
    ...(broker?.state === 'online' ? [] : [`broker: ${words(broker)}`]),
    ...spoolTroubles(spool),
  ];
}

function words(group: StateAndReason | undefined): string {
  if (group === undefined) return 'not started';
  const { state, reason } = group;
  return reason === '' || reason === state ? state : `${state}: ${reason}`;
}

function stateOf({ state, reason }: StateAndReason): StateAndReason {
  return { state, reason };
}
