// A write to the device, as the send thread and a session do it: to that link and to none that comes after it, bounded, counted,
// copied to the taps. A device that keeps its link and takes nothing is told once, and its link is opened anew.

import type { Lease } from '../core/lease.js';
import type { Link } from '../device/link.js';
import { type BoundedOutcome, writeBounded } from './bounded-write.js';
import type { DeviceContext } from './device-context.js';

/** Never rejects. `stop`: nobody waits for it any longer. */
export async function writeToDevice(
  ctx: DeviceContext,
  lease: Lease<Link>,
  bytes: Buffer,
  stop: AbortSignal,
): Promise<BoundedOutcome> {
  if (ctx.lease !== lease || !ctx.flag.isUp) return 'lost';
  if (ctx.stuckOn === lease) return 'stuck';
  const outcome = await writeBounded(lease.resource, bytes, ctx.clock, stop);
  if (outcome === 'stuck') tellStuck(ctx, lease, bytes.length, stop.aborted);
  if (outcome === 'written') {
    ctx.counters.bytesOut += bytes.length;
    ctx.tap?.take('out', bytes, ctx.clock.wall());
  }
  return outcome;
}

function tellStuck(ctx: DeviceContext, lease: Lease<Link>, bytes: number, isClosing: boolean): void {
  ctx.stuckOn = lease;
  const reason = 'the device takes no bytes';
  const next = isClosing ? 'given up, the device is being closed' : 'closing it and opening it again';
  ctx.log.warn({ thread: 'send', bytes }, `${reason} although its link is open: ${next}`);
  ctx.managing.put({ kind: 'restart', reason });
}
