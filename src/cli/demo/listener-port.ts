// On which port a listening device was put by the system.

import { type Clock, sleep } from '../../core/clock.js';
import { ServerManager } from '../../group/server-manager.js';

/** How long it may take to listen, ms; it takes a few. */
const LIMIT_MS = 2000;
const LOOK_EVERY_MS = 5;

/** Waits until it listens; 0 if it does not. */
export async function portOfListener(device: unknown, clock: Clock): Promise<number> {
  if (!(device instanceof ServerManager)) return 0;
  for (const startedAt = clock.now(); device.port === 0 && clock.now() - startedAt < LIMIT_MS; ) {
    await sleep(clock, LOOK_EVERY_MS);
  }
  return device.port;
}
