// `ferrule healthcheck`: asks a running gateway how it is; one line, and exit code 0 while it works. Devices that are away are
// told and make no difference. A broker that is away does: it is asked over MQTT. What may restart a container asks with
// `--live` (`live-check.ts`), which needs no broker.

import type { Health } from '../control/health.js';
import { EXIT } from './exit-codes.js';
import { type RemoteOptions, runRemote } from './remote-command.js';

const WAIT_MS = 5000;

/** Runs the command; gives the exit code. */
export function runHealthcheck(options: RemoteOptions): Promise<number> {
  return runRemote(options, 'healthcheck', WAIT_MS, async (client) => {
    const health = (await client.request('health_check')) as Health; // the answer of our own gateway
    options.out(healthLine(health));
    return health.healthy ? EXIT.clean : EXIT.unreachable;
  });
}

/** `healthy, degraded: cell: backing-off: connection refused`. */
export function healthLine({ healthy, status, reasons }: Health): string {
  const [first, ...more] = reasons;
  const why = first === undefined ? '' : `: ${first}${more.length > 0 ? ` (and ${more.length} more)` : ''}`;
  return `${healthy ? 'healthy' : 'not healthy'}, ${status}${why}`;
}
