// Entry of a session Worker: loads the driver, opens the session, serves. Started by WorkerSession with a SessionSetup and nothing
// else: no environment, no arguments, no stdin.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { loadDriver } from '../../device/load.js';
import { runEntry } from '../worker/worker-entry.js';
import { WorkerPulse } from '../worker/worker-pulse.js';
import { restored } from '../worker/worker-values.js';
import type { FromSession, SessionSetup, ToSession } from './session-protocol.js';
import { SessionService } from './session-service.js';

const setup: SessionSetup = workerData; // by contract of WorkerSession
const pulse = new WorkerPulse(setup.pulse);

function post(message: FromSession, transfer: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}

async function serve(): Promise<void> {
  const { name } = setup.driver;
  const driver = await loadDriver(name, setup.driver);
  if (driver.kind !== 'session') throw new Error(`the driver ${name} is not a session driver any more`);
  const service = new SessionService({ driver, options: restored(setup.options), clock: systemClock, pulse, post });
  parentPort?.on('message', (message: ToSession) => service.handle(message));
  pulse.leave();
  post({ kind: 'loaded' }, []);
  await service.open();
}

await runEntry(pulse, serve, post);
