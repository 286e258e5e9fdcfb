// What a driver sends by itself: `hello` when the link has come up, `poll` on a schedule while it is. Both go through the
// lane of the commands, so that they never cut into one.

import type { Timer } from '../core/clock.js';
import type { Poll } from '../device/driver.js';
import type { DeviceContext, Payload } from './device-context.js';

/** Payloads as they go down the wire. */
export interface Greeting {
  readonly hello: readonly Buffer[];
  readonly polls: readonly Poll[];
}

/** No poll is more frequent than this, ms, whatever a driver says. */
const SHORTEST_POLL_MS = 10;

type Lane = Pick<DeviceContext, 'clock' | 'down'>;

/** Queues the hello and starts the polls; answers how to stop them, if there are any. */
export function greet(lane: Lane, { hello, polls }: Greeting): (() => void) | undefined {
  for (const bytes of hello) lane.down.put({ kind: 'payload', bytes, why: 'hello', isWaiting: true });
  if (polls.length === 0) return undefined;
  const timers = polls.map((poll) => pollEvery(lane, Buffer.from(poll.payload), poll.everyMs));
  return () => {
    for (const timer of timers) timer.cancel();
  };
}

function pollEvery({ clock, down }: Lane, bytes: Buffer, everyMs: number): Timer {
  const item: Payload = { kind: 'payload', bytes, why: 'poll', isWaiting: false };
  const waitMs = Math.max(SHORTEST_POLL_MS, everyMs || 0);
  let timer = clock.after(waitMs, tick);
  function tick(): void {
    // A poll that still waits is not queued again: the device is behind already, and commands need the lane.
    if (!item.isWaiting && down.put(item) === 'queued') item.isWaiting = true;
    timer = clock.after(waitMs, tick);
  }
  return { cancel: () => timer.cancel() };
}
