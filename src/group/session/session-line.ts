// Main thread: what a session writes, on its way to the link. It takes its turn with the other writes of the device (raw bytes,
// fail-safe bytes), slice by slice, so that a long one does not hold up the others, and ends with its session.

import type { Lease } from '../../core/lease.js';
import type { Link } from '../../device/link.js';
import type { BoundedOutcome } from '../bounded-write.js';
import type { DeviceContext } from '../device-context.js';
import { writeToDevice } from '../device-write.js';

const SLICE = 4096;
const NEVER = new AbortController().signal;

/** Writes to that link and to none that comes after it, and nothing more once the session is over. Never rejects. */
export async function writeForSession(
  ctx: DeviceContext,
  lease: Lease<Link> | undefined,
  bytes: Buffer,
  isOver: () => boolean,
): Promise<BoundedOutcome> {
  for (let at = 0; at < bytes.length; at += SLICE) {
    if (lease === undefined || isOver()) return 'lost';
    const outcome = await writeToDevice(ctx, lease, bytes.subarray(at, at + SLICE), NEVER);
    if (outcome !== 'written') return outcome;
  }
  return 'written';
}
