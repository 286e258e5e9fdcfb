// `ferrule run`: the daemon. Config and drivers are checked before anything starts; then the gateway runs until a signal.

import { hostname } from 'node:os';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { systemClock } from '../core/clock.js';
import { FerruleError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { type PlannedDevice, planDevices } from '../device/plan-devices.js';
import { Gateway, type GatewayReport } from '../gateway.js';
import { handleSignals } from '../signals.js';
import { printMissing, printProblems } from './check.js';
import { EXIT } from './exit-codes.js';
import { makeLog } from './make-log.js';
import { version } from './version.js';

export interface RunOptions {
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** Prints a line of a bad config. */
  readonly err: (line: string) => void;
}

/** Runs the daemon; gives the exit code. */
export async function runDaemon({ path, cwd, env, isTerminal, err }: RunOptions): Promise<number> {
  const loaded = loadConfig({ path, cwd, env, hostname: hostname() });
  if (!loaded.ok) {
    if ('missing' in loaded) printMissing(loaded.missing, err);
    else printProblems(loaded.problems, err);
    return EXIT.config;
  }
  const { config, source } = loaded;
  const { devices, problems } = await planDevices(config, source);
  if (problems.length > 0) {
    printProblems(problems, err);
    return EXIT.config;
  }
  const log = await makeLog({ level: config.log.level, isTerminal });
  log.info({ version, pid: process.pid, node: process.version, config: source.file }, `ferrule ${version} starts`);
  return runUntilSignal(config, devices, log);
}

async function runUntilSignal(config: Config, devices: readonly PlannedDevice[], log: Log): Promise<number> {
  let gateway: Gateway;
  try {
    gateway = await Gateway.start({ config, devices, clock: systemClock, log, version });
  } catch (error) {
    if (!(error instanceof FerruleError)) throw error;
    log.error({ err: error }, error.message);
    return EXIT.config;
  }
  return untilStopped(gateway, log);
}

/** Runs a started gateway until a signal stops it; gives the exit code. The demo uses it too. */
export function untilStopped(gateway: Gateway, log: Log): Promise<number> {
  return new Promise((resolve) => {
    // Timers of the clock do not keep the process alive, the daemon itself does.
    const alive = setInterval(() => {}, 2 ** 30);
    const end = (code: number): void => {
      clearInterval(alive);
      release();
      resolve(code);
    };
    const stop = (reason: string, code?: number): void => {
      log.info({ reason }, `${reason}: shutting down`);
      void gateway.stop(reason).then((report) => end(code ?? exitCodeOf(report, log)));
    };
    const release = handleSignals({
      onStop: (signal) => stop(signal),
      onImpatience: (signal) => {
        log.error(`${signal} again: exiting at once, what is queued is lost`);
        end(EXIT.leftovers);
      },
      onReload: () => log.warn('SIGHUP: reloading the config is not in this version yet; restart to apply changes'),
      onUncaught: (error) => {
        log.error(
          { err: error },
          'an error that nobody caught, a bug in ferrule: shutting down; please report it with this line',
        );
        stop('internal error', EXIT.internal);
      },
    });
  });
}

function exitCodeOf(report: GatewayReport, log: Log): number {
  const undelivered = [...report.undelivered].map(([device, messages]) => ({ device, messages }));
  const took = Math.round(report.tookMs);
  if (report.clean && undelivered.length === 0) {
    log.info({ took_ms: took }, `stopped cleanly after ${took} ms`);
    return EXIT.clean;
  }
  const { stuck, left } = report;
  log.error({ took_ms: took, stuck, left, undelivered }, describe(report));
  return EXIT.leftovers;
}

function describe({ stuck, left, undelivered }: GatewayReport): string {
  const parts = [
    ...stuck.map(({ group, thread, doing }) => `${group}/${thread} did not end (${doing})`),
    ...left.map(({ group, thread, items }) => `${items} items left with ${group}/${thread}`),
    ...[...undelivered].map(([device, messages]) => `${messages} messages of ${device} not acknowledged by the broker`),
  ];
  return `stopped with something left: ${parts.join('; ')}`;
}
