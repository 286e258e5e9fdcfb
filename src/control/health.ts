// How the gateway is, computed from what its groups say. `healthy` is for whoever may kill the process: it says that the
// gateway works, whatever its broker and its devices do. `status` is for whoever looks after all of them. Pure.

import type { GroupState } from '../core/lifecycle.js';
import type { StateMachine } from '../core/state-machine.js';

/** Reasons that are told; the rest is only counted. */
const TOLD_REASONS = 20;

interface StateAndReason {
  readonly state: GroupState;
  /** Why it is in that state. */
  readonly reason: string;
}

/** What the health of a group depends on. */
export interface GroupHealth extends StateAndReason {
  /** The state before, with its reason; undefined for one that has not changed yet. */
  readonly before?: StateAndReason | undefined;
}

export interface DeviceHealth extends Omit<GroupHealth, 'state'> {
  readonly name: string;
  readonly state: GroupState | 'disabled';
}

export interface HealthInput {
  readonly isShuttingDown: boolean;
  /** The uplink; undefined while it is not there yet. */
  readonly broker: GroupHealth | undefined;
  readonly devices: readonly DeviceHealth[];
  /** Messages that will never reach the broker, since the start. */
  readonly dropped: number;
  /** What the spool has to say, if there is one. */
  readonly spool?: SpoolHealth | undefined;
}

export interface SpoolHealth {
  /** Where kept messages go: `off` nowhere. */
  readonly state: string;
  /** Kept at present. */
  readonly messages: number;
  readonly bytes: number;
  /** It has no room: messages are dropped, or devices made to wait, by `spool.when_full`. */
  readonly full?: true;
}

/** What the uplink counts of its spool. */
interface SpoolCounts {
  readonly spoolState: string;
  readonly spoolMessages: number;
  readonly spoolBytes: number;
  readonly spoolIsFull: boolean;
}

/** As on `bridge/health`. */
export interface Health {
  /** False only while it shuts down; a gateway that does not work does not answer. */
  readonly healthy: boolean;
  /** `degraded`: something in `reasons` wants a look. */
  readonly status: 'ok' | 'degraded';
  readonly broker: DeviceHealth['state'];
  /** How many devices are in which state. */
  readonly devices: Readonly<Partial<Record<DeviceHealth['state'], number>>>;
  readonly reasons: readonly string[];
  readonly dropped: number;
  readonly spool?: SpoolHealth | undefined;
}

/** The health that follows from what the groups say. */
export function healthOf({ isShuttingDown, broker, devices, dropped, spool }: HealthInput): Health {
  const reasons = [
    ...(isShuttingDown ? ['the gateway is shutting down'] : []),
    ...troubles('broker', broker),
    ...spoolTroubles(spool),
    ...devices.flatMap((device) => troubles(device.name, device)),
  ];
  const more = reasons.length - TOLD_REASONS;
  return {
    healthy: !isShuttingDown,
    status: reasons.length === 0 ? 'ok' : 'degraded',
    broker: broker === undefined ? 'idle' : settled(broker).state,
    devices: countStates(devices),
    reasons: more > 0 ? [...reasons.slice(0, TOLD_REASONS), `and ${more} more`] : reasons,
    dropped,
    ...(spool !== undefined && { spool }),
  };
}

/** The text for `bridge/health`: without the figures that change all the time, which would be old as soon as they are told. */
export function retainedHealth({ spool, ...health }: Health): string {
  const { state, full } = spool ?? {};
  return JSON.stringify({ ...health, ...(spool && { spool: { state, full } }) });
}

/** What health needs to know of a group's state machine. */
export function groupHealthOf({
  state,
  reason,
  history,
}: Pick<StateMachine<GroupState>, 'state' | 'reason' | 'history'>): GroupHealth {
  const last = history.at(-1);
  const before = last && { state: last.from, reason: history.at(-2)?.reason ?? '' };
  return { state, reason, before };
}

/** The same in the words of the health. */
export function spoolHealthOf({ spoolState, spoolMessages, spoolBytes, spoolIsFull }: SpoolCounts): SpoolHealth {
  return { state: spoolState, messages: spoolMessages, bytes: spoolBytes, ...(spoolIsFull && { full: true }) };
}

/** Words for a spool that wants a look. */
export function spoolTroubles(spool: SpoolHealth | undefined): string[] {
  return [
    ...(spool?.full ? ['spool: full: messages give way by spool.when_full'] : []),
    ...(spool?.state === 'memory' ? ['spool: the disk cannot be used, messages are kept in memory'] : []),
  ];
}

/** Why this group degrades the whole, in words; empty if it does not. */
export function troubles(name: string, group: Omit<DeviceHealth, 'name'> | undefined): string[] {
  if (group === undefined) return [`${name}: not started`];
  const { state, reason } = settled(group);
  switch (state) {
    case 'online':
    case 'idle':
    case 'connecting':
    case 'disabled':
      return [];
    case 'silent':
    case 'backing-off':
    case 'parked':
    case 'closing':
    case 'closed':
      return [reason === '' ? `${name}: ${state}` : `${name}: ${state}: ${reason}`];
  }
}

/** A further attempt to connect is still the same trouble: else the health would change with every one. */
function settled({ state, reason, before }: Omit<DeviceHealth, 'name'>): Pick<DeviceHealth, 'state' | 'reason'> {
  const isRetry = state === 'connecting' && before !== undefined && before.state !== 'idle';
  return isRetry ? before : { state, reason };
}

function countStates(devices: readonly DeviceHealth[]): Health['devices'] {
  const counts: Partial<Record<DeviceHealth['state'], number>> = {};
  for (const device of devices) {
    const { state } = settled(device);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}
