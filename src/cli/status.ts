// `ferrule status`: all devices of a running gateway at a glance, from any machine that reaches its broker.

import type { Health } from '../control/health.js';
import { systemClock } from '../core/clock.js';
import { EXIT } from './exit-codes.js';
import { type RemoteOptions, runRemote } from './remote-command.js';
import { type ShownDevice, statusLines } from './status-table.js';

const WAIT_MS = 5000;

export interface StatusOptions extends RemoteOptions {
  /** One JSON object instead of the table. */
  readonly json: boolean;
}

/** Runs the command; gives the exit code. */
export function runStatus(options: StatusOptions): Promise<number> {
  const { json, out } = options;
  return runRemote(options, 'status', WAIT_MS, async (client) => {
    const [health, devices] = await Promise.all([client.request('health_check'), client.request('devices')]);
    if (json) out(JSON.stringify({ health, devices }));
    // The answers of our own gateway.
    else for (const line of statusLines(devices as ShownDevice[], health as Health, systemClock.wall())) out(line);
    return EXIT.clean;
  });
}
