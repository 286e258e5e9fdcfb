// `ferrule run`: the daemon. Config and drivers are checked before anything starts; then the gateway runs until a signal.
// SIGHUP reads the config again.

import { RequestError } from '../control/requests.js';
import { systemClock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { Gateway, type GatewayReport, type ReloadReport } from '../gateway.js';
import { handleSignals } from '../signals.js';
import { EXIT } from './exit-codes.js';
import { makeLog } from './make-log.js';
import { type ConfigPlace, readConfig } from './read-config.js';
import { version } from './version.js';

export interface RunOptions extends ConfigPlace {
  readonly isTerminal: boolean;
  /** Prints a line of a bad config. */
  readonly err: (line: string) => void;
}

/** Runs the daemon; gives the exit code. */
export async function runDaemon({ isTerminal, err, ...place }: RunOptions): Promise<number> {
  const read = await readConfig(place);
  if (!read.ok) {
    for (const line of read.lines) err(line);
    return EXIT.config;
  }
  const { config, devices, file } = read;
  const log = await makeLog({ level: config.log.level, isTerminal });
  log.info({ version, pid: process.pid, node: process.version, config: file }, `ferrule ${version} starts`);
  try {
    const gateway: Gateway = await Gateway.start({
      config,
      devices,
      clock: systemClock,
      log,
      version,
      process: {
        setLogLevel: (level) => log.setLevel(level),
        reload: () => reload(gateway, place, log),
        restart: () => process.kill(process.pid, 'SIGTERM'),
      },
    });
    return await untilStopped(gateway, log, () => reloadOnSignal(gateway, place, log));
  } catch (error) {
    if (!(error instanceof FerruleError)) throw error;
    log.error({ err: error }, error.message);
    return EXIT.config;
  }
}

/** Nobody waits for an answer here: what `reload` has not logged itself is logged. */
function reloadOnSignal(gateway: Gateway, place: ConfigPlace, log: Log): void {
  reload(gateway, place, log).catch((error: unknown) => {
    if (!(error instanceof RequestError)) log.error({ err: error }, `reload failed: ${messageOf(error)}`);
  });
}

/** Reads the config again and applies it. A bad one changes nothing, is logged, and rejects with what is wrong. */
async function reload(gateway: Gateway, place: ConfigPlace, log: Log): Promise<ReloadReport> {
  const read = await readConfig(place);
  if (!read.ok) {
    for (const line of read.lines) log.error(line);
    log.error('reload: the config is not good, nothing was changed');
    throw new RequestError(read.lines.join('; '));
  }
  const report = await gateway.reload(read.config, read.devices);
  const { added, changed, removed, needRestart } = report;
  const fields = { added, changed, removed, need_restart: needRestart };
  log.info(fields, `reloaded: ${added.length} added, ${changed.length} changed, ${removed.length} removed`);
  if (needRestart.length > 0) log.warn(`reload: ${needRestart.join(', ')} changed too; restart to apply that`);
  return report;
}

/** Runs a started gateway until a signal stops it; gives the exit code. The demo uses it too. */
export function untilStopped(gateway: Gateway, log: Log, onReload: () => void = () => {}): Promise<number> {
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
      onReload,
      onUncaught: (error) => {
        log.error(
          { err: error },
          'an error that nobody caught, a bug in ferrule: shutting down; please report it with this line',
        );
        stop('internal error', EXIT.internal);
      },
      onUnhandled: (error) =>
        log.error(
          { err: error },
          'a rejected promise that nobody handles: a bug, in a driver if the stack names one; going on',
        ),
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
