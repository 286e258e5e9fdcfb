// In the Worker: how its entry runs. What is thrown before the driver is at work is told as a crash.

import type { CrashedMessage } from './worker-protocol.js';
import { ELSEWHERE, type WorkerPulse } from './worker-pulse.js';
import { crashedMessage } from './worker-service.js';

/** Runs `serve`, which loads the driver and leaves the pulse when it is there. Never rejects. */
export async function runEntry(
  pulse: WorkerPulse,
  serve: () => Promise<void>,
  post: (message: CrashedMessage, transfer: readonly ArrayBuffer[]) => void,
): Promise<void> {
  // A Worker may not end the process, with one exception that Node leaves open: a signal to the process's own id.
  process.kill = () => {
    throw new Error('a driver cannot send signals');
  };
  pulse.enter(ELSEWHERE);
  try {
    await serve();
  } catch (error) {
    post(crashedMessage(error), []);
  }
}
