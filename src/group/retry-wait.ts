// The wait before the next attempt to open a device's link. It ends when its time is over, and early when the device may be back,
// when a restart is asked for, when a thread crashes meanwhile, or when the group closes.

import { type Clock, sleep } from '../core/clock.js';
import type { LinkOpener } from '../device/link.js';
import type { DeviceContext } from './device-context.js';
import type { Ending, Pause } from './recovery.js';

/** A hint that the device is back is not acted on sooner than this, ms: hints that never end must not spin. */
const SHORTEST_RETRY_MS = 20;

export interface RetryWaitParts {
  readonly ctx: Pick<DeviceContext, 'clock' | 'managing'>;
  readonly opener: LinkOpener;
  /** Takes the messages that woke the wait; answers what they mean for it, undefined if nothing. */
  readonly early: () => Ending | undefined;
}

/** Answers why the next attempt is made, or what has happened instead. `stop` ends the wait at once. */
export async function waitOut(
  { delayMs, isWeather }: Pause,
  { ctx: { clock, managing }, opener, early }: RetryWaitParts,
  stop: AbortSignal,
): Promise<string | Ending> {
  const over = new AbortController();
  const end = (): void => over.abort();
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  const waits = [sleep(clock, delayMs, over.signal).then(() => 'time to try again')];
  if (isWeather && opener.changed) waits.push(deviceChanged(opener.changed(over.signal), clock, over.signal));
  let next: string | Ending | undefined;
  while (next === undefined) {
    const woken = await Promise.race([...waits, managing.ready(over.signal)]);
    next = woken === 'ready' ? early() : woken;
  }
  over.abort();
  stop.removeEventListener('abort', end);
  return next;
}

async function deviceChanged(changed: Promise<void>, clock: Clock, over: AbortSignal): Promise<string> {
  await changed;
  await sleep(clock, SHORTEST_RETRY_MS, over);
  return 'the device node has changed';
}
