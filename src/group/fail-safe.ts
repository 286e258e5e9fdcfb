// The bytes that put a device into a safe state (`on_shutdown`): the last that the gateway writes to it.

import { sleep } from '../core/clock.js';
import type { DeviceContext } from './device-context.js';

/** Longest that they may take to leave, ms. */
const LIMIT_MS = 1000;

/** Writes them, if there are any; answers why they could not be written, or undefined. Never rejects. */
export async function writeFailSafe(
  ctx: Pick<DeviceContext, 'settings' | 'clock' | 'log' | 'flag' | 'lease' | 'stuckOn'>,
): Promise<string | undefined> {
  const bytes = ctx.settings.on_shutdown;
  if (bytes === undefined) return undefined;
  if (ctx.lease === undefined || !ctx.flag.isUp) return 'the link is down';
  // Behind a write that does not end they would only be promised to the system.
  if (ctx.stuckOn === ctx.lease) return 'the device takes no bytes';
  const done = new AbortController();
  const overrun = sleep(ctx.clock, LIMIT_MS, done.signal).then(() => 'overrun' as const);
  const outcome = await Promise.race([ctx.lease.resource.write(bytes), overrun]);
  done.abort();
  if (outcome === 'overrun') return `not taken within ${LIMIT_MS} ms`;
  if (outcome === 'lost') return 'the link was lost';
  ctx.log.info({ thread: 'manager', bytes: bytes.length }, 'on_shutdown bytes written');
  return undefined;
}

/** Tells that the bytes have not been written, and why. */
export function tellUnsafe({ settings, log }: Pick<DeviceContext, 'settings' | 'log'>, why: string): void {
  if (settings.on_shutdown === undefined) return;
  const text = `on_shutdown bytes could not be written (${why}): check that the device is in a safe state`;
  log.error({ thread: 'manager' }, text);
}
