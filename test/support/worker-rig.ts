// A WorkerDecoder with everything around it, for tests: real Worker, real clock, drivers from test/support/bad-drivers or devices.

import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { FramingConfig } from '../../src/config/framing-schema.js';
import { framingSchema } from '../../src/config/framing-schema.js';
import { systemClock } from '../../src/core/clock.js';
import { ConnectionFlag } from '../../src/core/connection-flag.js';
import { builtInDriversDir } from '../../src/device/load.js';
import type { ReadingBatch } from '../../src/device/message.js';
import type { DecodeSink } from '../../src/group/decode-host.js';
import type { WorkerCrash } from '../../src/group/worker/worker-crash.js';
import { WorkerDecoder, type WorkerDecoderOptions } from '../../src/group/worker/worker-decoder.js';
import { CollectingSink } from './collecting-sink.js';
import { RecordingLog } from './recording-log.js';

export const badDriversDir: string = fileURLToPath(new URL('../../../test/support/bad-drivers/', import.meta.url));

/** Keeps the times of the readings too. */
export class TimedSink extends CollectingSink implements DecodeSink {
  readonly walls: number[] = [];

  override readings(batch: ReadingBatch, wall = 0): void {
    super.readings(batch);
    this.walls.push(wall);
  }
}

export interface WorkerRig {
  readonly decoder: WorkerDecoder;
  readonly sink: TimedSink;
  readonly log: RecordingLog;
  /** Resolves with the crash when there is one. */
  readonly crashed: Promise<WorkerCrash>;
  /** Pushes text, as having come now. */
  push(text: string | Buffer): void;
}

/** Line framing and no options if nothing else is said. Closed at the end of the test. */
export function workerRig(t: ExecutionContext, driver: string, given: Partial<WorkerDecoderOptions> = {}): WorkerRig {
  const sink = (given.out as TimedSink | undefined) ?? new TimedSink(); // tests give no others
  const log = new RecordingLog();
  let tell: (crash: WorkerCrash) => void = () => {};
  const crashed = new Promise<WorkerCrash>((resolve) => {
    tell = resolve;
  });
  const decoder = new WorkerDecoder({
    id: driver,
    driver: { name: driver, dirs: [builtInDriversDir, badDriversDir] },
    options: {},
    framing: framing('line'),
    clock: systemClock,
    log,
    flag: new ConnectionFlag(),
    ...given,
    out: sink,
    onCrash: (crash) => tell(crash),
  });
  t.teardown(() => decoder.close());
  const push = (text: string | Buffer): void => decoder.push(Buffer.from(text), systemClock.now(), systemClock.wall());
  return { decoder, sink, log, crashed, push };
}

/** Framing of that type with its defaults, and `given` over them. */
export function framing(type: string, given: Readonly<Record<string, unknown>> = {}): FramingConfig {
  return framingSchema.parse({ type, ...given });
}

/** The longest ms that the main thread's event loop stood still while `work` ran. */
export async function longestLag(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - before - 5);
    before = now;
  }, 5);
  await work();
  clearInterval(timer);
  return longest;
}
