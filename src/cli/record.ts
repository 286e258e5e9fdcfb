// `ferrule record <device>`: what goes over the line of a device of a running gateway, chunk by chunk with its timing, into a
// file that `ferrule replay` plays again. From any machine that reaches the broker; the rest is `record-session.ts`.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { openRecordingFile } from '../hil/recording-writer.js';
import { EXIT } from './exit-codes.js';
import { type RecordingTotals, RecordSession } from './record-session.js';
import { runAtBroker, type TapCommandOptions, tapTrouble } from './tap-command.js';
import { untilSignal } from './until-signal.js';

export interface RecordOptions extends TapCommandOptions {
  /** The file; `-` = stdout. Default: the device's name + .ndjson. */
  readonly output?: string | undefined;
  /** Write over a file that is there. */
  readonly force: boolean;
}

/** Runs the command until a signal, or until its time is over; gives the exit code. */
export async function runRecord(options: RecordOptions): Promise<number> {
  const { device, cwd, force, err } = options;
  const output = options.output ?? `${device.replaceAll('/', '-')}.ndjson`;
  const file = output === '-' ? output : resolve(cwd, output);
  const trouble = tapTrouble(options) ?? fileTrouble(file, force);
  if (trouble !== undefined) {
    err(trouble);
    return EXIT.usage;
  }
  const open = async (): Promise<Writable> => (file === '-' ? process.stdout : openRecordingFile(file, { force }));
  return runAtBroker(options, 'record', (broker) =>
    untilSignal(async (signal) => {
      const session = new RecordSession({ ...options, ...broker, client: broker.connect(), open, signal });
      const { code, totals } = await session.run();
      if (totals) for (const line of summary(totals, output)) err(line);
      return code;
    }),
  );
}

function fileTrouble(file: string, force: boolean): string | undefined {
  return file !== '-' && !force && existsSync(file) ? `${file} is there already; --force writes over it` : undefined;
}

function summary({ lines, bytes, dropped, missed }: RecordingTotals, output: string): string[] {
  const where = output === '-' ? 'stdout' : output;
  const told = [`recorded ${lines} lines, ${bytes} bytes of the device's line, to ${where}`];
  if (dropped > 0) told.push(`${dropped} bytes are missing: see the notes "dropped"`);
  if (missed > 0) told.push(`${missed} messages of the tap were lost on the way: see the notes "missed"`);
  return told;
}
