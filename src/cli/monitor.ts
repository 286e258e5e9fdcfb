// `ferrule monitor <device>`: the line of a device live, from any machine that reaches the broker. Reads in the config where
// that is; the rest is `monitor-session.ts`.

import { EXIT } from './exit-codes.js';
import { MonitorSession } from './monitor-session.js';
import { runAtBroker, type TapCommandOptions, tapTrouble } from './tap-command.js';

export interface MonitorOptions extends TapCommandOptions {
  /** One JSON object per message instead of a line for people. */
  readonly json: boolean;
  /** Prints a line. */
  readonly out: (line: string) => void;
}

/** Runs the command until a signal, or until its time is over; gives the exit code. */
export async function runMonitor(options: MonitorOptions): Promise<number> {
  const trouble = tapTrouble(options);
  if (trouble !== undefined) {
    options.err(trouble);
    return EXIT.usage;
  }
  return runAtBroker(options, 'monitor', (broker) =>
    new MonitorSession({ ...options, ...broker, client: broker.connect() }).run(),
  );
}
