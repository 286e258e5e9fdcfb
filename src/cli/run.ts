// `ferrule run`: the daemon. Config and drivers are checked before anything starts; then the gateway runs until a signal.
// SIGHUP reads the config again.

import { RequestError } from '../control/requests.js';
import { busyLimitMs } from '../control/stuck-threads.js';
import { systemClock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { Gateway, type GatewayReport, type ReloadReport } from '../gateway.js';
import { handleSignals, holdSignals, type SignalHandlers } from '../signals.js';
import { DeviceChanges } from './device-changes.js';
import { EXIT } from './exit-codes.js';
import { LiveConfig } from './live-config.js';
import { type DaemonLog, makeLog } from './make-log.js';
import type { ConfigPlace, GoodConfig } from './read-config.js';
import { ServiceNotify } from './service-notify.js';
import { UpdateLock } from './update-lock.js';
import { version } from './version.js';

export interface RunOptions extends ConfigPlace {
  readonly isTerminal: boolean;
  /** Prints a line of a bad config. */
  readonly err: (line: string) => void;
}

/** Runs the daemon; gives the exit code. */
export async function runDaemon({ isTerminal, err, ...place }: RunOptions): Promise<number> {
  const live = await LiveConfig.open({ place });
  if (!(live instanceof LiveConfig)) {
    for (const line of live.lines) err(line);
    return EXIT.config;
  }
  const { config, file } = live.current;
  const log = await makeLog({ level: config.log.level, isTerminal });
  const letGo = holdSignals(systemClock);
  log.info({ version, pid: process.pid, node: process.version, config: file }, `ferrule ${version} starts`);
  await live.tellTroubles(log, systemClock.wall());
  try {
    const service = await openService(place, log);
    const lock = await UpdateLock.open({ env: place.env, log });
    const gateway = await startGateway(live, log, service, lock);
    service.ready(gateway, () => busyLimitMs(live.current.config));
    const stopped = untilStopped(
      heldFromUpdates(gateway, lock),
      log,
      () => reloadOnSignal(gateway, live, log, service),
      (reason) => service.stopping(reason, config.gateway.shutdown_deadline),
    );
    letGo();
    return await stopped;
  } catch (error) {
    if (!(error instanceof FerruleError)) throw error;
    log.error({ err: error }, error.message);
    return EXIT.config;
  }
}

/** What stops a gateway, with balena's updates kept away while it drains: its own restart is not cut short by one. */
function heldFromUpdates(gateway: Gateway, lock: UpdateLock | undefined): Pick<Gateway, 'stop'> {
  return lock === undefined ? gateway : { stop: (reason) => lock.during(() => gateway.stop(reason)) };
}

function openService({ env }: ConfigPlace, log: Log): Promise<ServiceNotify> {
  const monotonicUs = (): bigint => process.hrtime.bigint() / 1000n;
  return ServiceNotify.open({ env, clock: systemClock, log, monotonicUs, pid: process.pid });
}

async function startGateway(
  live: LiveConfig,
  log: DaemonLog,
  service: ServiceNotify,
  lock: UpdateLock | undefined,
): Promise<Gateway> {
  const { config, devices, origin } = live.current;
  // Both are needed to make each other: a request can only come once the gateway is there.
  const running: { gateway?: Gateway } = {};
  const changes = new DeviceChanges({
    live,
    log,
    apply: async (read) => running.gateway && apply(running.gateway, read),
    mayChange: () => running.gateway?.registry.isShuttingDown === false,
  });
  running.gateway = await Gateway.start({
    config,
    devices,
    origin,
    clock: systemClock,
    log,
    version,
    whileCritical: lock && ((work) => lock.during(work)),
    process: {
      setLogLevel: (level) => log.setLevel(level),
      reload: () => service.reloading(() => reload(running.gateway, live, log)),
      restart: once(() => process.kill(process.pid, 'SIGTERM')),
      addDevice: (name, device) => changes.addDevice(name, device),
      removeDevice: (name) => changes.removeDevice(name),
      enableDevice: (name, wanted) => changes.enableDevice(name, wanted),
    },
  });
  return running.gateway;
}

/** Asked for twice, by two who did not know of each other, it must not look like impatience. */
function once(restart: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) throw new RequestError('the gateway is ending already');
    isAsked = true;
    restart();
  };
}

/** Nobody waits for an answer here: what `reload` has not logged itself is logged. */
function reloadOnSignal(gateway: Gateway, live: LiveConfig, log: Log, service: ServiceNotify): void {
  service
    .reloading(() => reload(gateway, live, log))
    .catch((error: unknown) => {
      if (!(error instanceof RequestError)) log.error({ err: error }, `reload failed: ${messageOf(error)}`);
    });
}

function apply(gateway: Gateway, { config, devices, origin }: GoodConfig): Promise<ReloadReport> {
  return gateway.reload(config, devices, origin);
}

/** Reads the config again and applies it. A bad one changes nothing, is logged, and rejects with what is wrong. */
async function reload(gateway: Gateway | undefined, live: LiveConfig, log: Log): Promise<ReloadReport> {
  if (gateway === undefined) throw new RequestError('the gateway is only just starting: send it again');
  const report = await live.reload((read) => apply(gateway, read));
  if ('lines' in report) {
    for (const line of report.lines) log.error(line);
    log.error('reload: the config is not good, nothing was changed');
    throw new RequestError(report.lines.join('; '));
  }
  for (const notice of live.current.notices) log.warn(notice);
  const { added, changed, removed, needRestart } = report;
  const fields = { added, changed, removed, need_restart: needRestart };
  log.info(fields, `reloaded: ${added.length} added, ${changed.length} changed, ${removed.length} removed`);
  if (needRestart.length > 0) log.warn(`reload: ${needRestart.join(', ')} changed too; restart to apply that`);
  return report;
}

/** Runs a started gateway until a signal stops it; gives the exit code. The demo uses it too. */
export function untilStopped(
  gateway: Pick<Gateway, 'stop'>,
  log: Log,
  onReload: () => void = () => {},
  onStop: (reason: string) => void = () => {},
): Promise<number> {
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
      onStop(reason);
      void gateway.stop(reason).then((report) => end(code ?? exitCodeOf(report, log)));
    };
    const handlers: SignalHandlers = {
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
    };
    const release = handleSignals(handlers, systemClock);
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
    ...[...undelivered].map(
      ([device, messages]) => `${messages} messages of ${device} neither at the broker nor on the disk`,
    ),
  ];
  return `stopped with something left: ${parts.join('; ')}`;
}
