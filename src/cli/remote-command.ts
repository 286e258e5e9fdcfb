// What the commands that talk to a running gateway have in common: the config says where its broker is, a trouble becomes a
// line on stderr and an exit code.

import { duration } from '../config/values.js';
import { systemClock } from '../core/clock.js';
import { EXIT } from './exit-codes.js';
import { CommandTrouble, GatewayClient } from './gateway-client.js';
import { type ConfigPlace, readConfig } from './read-config.js';

export interface RemoteOptions extends ConfigPlace {
  /** Longest wait for the broker and for an answer, as typed: `10s`. */
  readonly wait?: string | undefined;
  /** Prints a line. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs `work` with a client of the gateway; gives the exit code. `who`: the command. */
export async function runRemote(
  options: RemoteOptions,
  who: string,
  defaultWaitMs: number,
  work: (client: GatewayClient, waitMs: number) => Promise<number>,
): Promise<number> {
  try {
    const waitMs = options.wait === undefined ? defaultWaitMs : waitIn(options.wait);
    const read = await readConfig(options);
    if (!read.ok) throw new CommandTrouble(read.lines.join('\n'), EXIT.config);
    const visit = { config: read.config, who, clock: systemClock, waitMs };
    return await GatewayClient.visit(visit, (client) => work(client, waitMs));
  } catch (error) {
    if (!(error instanceof CommandTrouble)) throw error;
    options.err(error.message);
    return error.exitCode;
  }
}

const waitSchema = duration({ min: 100, max: 3_600_000 });

function waitIn(text: string): number {
  const parsed = waitSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  const expected = parsed.error.issues[0]?.message ?? 'a duration';
  throw new CommandTrouble(`--wait: expected ${expected}, got ${JSON.stringify(text)}`, EXIT.usage);
}
