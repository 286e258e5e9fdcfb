// Who is stuck: threads that have been busy with one and the same thing for longer than anything may take. Whoever may kill the
// process asks here (the systemd watchdog, the liveness of `http`). A thread that waits for its inbox, for a device or for the
// broker is not busy: those may take for ever, and a restart would not help. Pure.

import type { StuckThread, ThreadGroup } from '../core/thread-group.js';

/** Longer than any open, subscription or decode is given: those end by themselves within a minute. A write is up to the device. */
const LONGEST_WORK_MS = 120_000;

/** What of a config says how long a thread may be busy. */
export interface BusyTimes {
  readonly devices: Readonly<Record<string, { readonly commands: { readonly timeout: number } }>>;
}

/** How long a thread may be busy with one thing, ms: waiting for a device's answer takes what its config says. */
export function busyLimitMs({ devices }: BusyTimes): number {
  return LONGEST_WORK_MS + Math.max(0, ...Object.values(devices).map(({ commands }) => commands.timeout));
}

/**
 * The threads that are stuck, also those of children. Asked for several times a minute: it looks at the threads themselves and
 * makes no view of them, which for 5,000 connections would hold the event loop for some 20 ms.
 */
export function stuckThreads(groups: readonly Pick<ThreadGroup, 'overdue'>[], limitMs: number): StuckThread[] {
  return groups.flatMap((group) => group.overdue(limitMs));
}
