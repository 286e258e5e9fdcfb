// Entry of a decode Worker: loads the driver, then serves. Started by WorkerDecoder with a WorkerSetup and nothing else: no
// environment, no arguments, no stdin.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { Decoder, type DecoderSink } from '../../device/decoder.js';
import type { FramedDriver } from '../../device/driver.js';
import { loadDriver } from '../../device/load.js';
import { makeFramer } from '../../device/make-framer.js';
import { runEntry } from './worker-entry.js';
import type { FromWorker, WorkerSetup } from './worker-protocol.js';
import { WorkerPulse } from './worker-pulse.js';
import { WorkerService } from './worker-service.js';
import { restored } from './worker-values.js';

const setup: WorkerSetup = workerData; // by contract of WorkerDecoder
const pulse = new WorkerPulse(setup.pulse);

function post(message: FromWorker, transfer: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}

function decoderOf(driver: FramedDriver, out: DecoderSink): Decoder {
  return new Decoder({
    framer: makeFramer(restored(setup.framing)),
    instance: driver.create(restored(setup.options)),
    out,
    ...(driver.commands && { commands: driver.commands }),
  });
}

async function serve(): Promise<void> {
  const driver = await loadDriver(setup.driver.name, setup.driver);
  if (driver.kind !== 'framed') throw new Error(`the driver ${setup.driver.name} is not a framed one any more`);
  const service = new WorkerService({ makeDecoder: (out) => decoderOf(driver, out), pulse, clock: systemClock, post });
  parentPort?.on('message', (message) => service.handle(message));
  pulse.leave();
  post({ kind: 'ready' }, []);
}

await runEntry(pulse, serve, post);
