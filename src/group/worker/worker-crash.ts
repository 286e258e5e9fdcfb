// A Worker has ended that should not have: its driver threw, hung, ate its memory or left. For the supervision it is what
// DriverCrash is inline: a bug in the driver, counted against its restarts.

import { FerruleError, messageOf } from '../../core/errors.js';
import type { CrashedMessage } from './worker-protocol.js';

export class WorkerCrash extends FerruleError {
  /** `message` names what happened; `cause` is what was thrown, with the stack in the driver's file. */
  constructor(message: string, options?: { cause?: unknown }) {
    super('driver-crash', message, options);
  }
}

/** The driver threw where the Worker could catch it. */
export function thrownInWorker({ message, stack }: CrashedMessage): WorkerCrash {
  const cause = new Error(message);
  if (stack !== undefined) cause.stack = stack;
  return new WorkerCrash(message, { cause });
}

/** The Worker's event `error`: out of memory, or thrown where nobody caught it. */
export function workerError(error: unknown, heapMb: number): WorkerCrash {
  const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (isMemory)
    return new WorkerCrash(`the driver took more than ${heapMb} MB of memory: terminated`, { cause: error });
  return new WorkerCrash(`the driver threw outside of decode and encode: ${messageOf(error)}`, { cause: error });
}
