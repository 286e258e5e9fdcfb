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
    const ending = new EndRequest();
    const gateway = await startGateway({ live, log, service, lock, ending });
    service.ready(gateway, () => busyLimitMs(live.current.config));
    const stopped = untilStopped(heldFromUpdates(gateway, lock), log, {
      onReload: () => reloadOnSignal(gateway, live, log, service),
      onStop: (reason) => service.stopping(reason, config.gateway.shutdown_deadline),
      asked: ending.asked,
    });
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

interface DaemonParts {
  readonly live: LiveConfig;
  readonly log: DaemonLog;
  readonly service: ServiceNotify;
  readonly lock: UpdateLock | undefined;
  readonly ending: EndRequest;
}

async function startGateway({ live, log, service, lock, ending }: DaemonParts): Promise<Gateway> {
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
      restart: () => ending.ask('restart', running.gateway),
      addDevice: (name, device) => changes.addDevice(name, device),
      removeDevice: (name) => changes.removeDevice(name),
      enableDevice: (name, wanted) => changes.enableDevice(name, wanted),
    },
  });
  return running.gateway;
}

/**
 * The wish of somebody who sends no signal that the gateway ends. It is no signal either: one that follows, from whoever supervises
 * the process, would look like the second of somebody impatient, and so would this one behind a signal.
 */
class EndRequest {
  /** Resolves with the reason. */
  readonly asked: Promise<string>;
  #isAsked = false;
  #tell: (reason: string) => void = () => {};

  constructor() {
    this.asked = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  /** Throws a RequestError where it ends already: two may not know of each other. */
  ask(reason: string, gateway: Gateway | undefined): void {
    if (this.#isAsked || gateway?.registry.isShuttingDown) throw new RequestError('the gateway is ending already');
    this.#isAsked = true;
    this.#tell(reason);
  }
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
  refuseWhileEnding(gateway, log);
  const report = await live.reload((read) => {
    refuseWhileEnding(gateway, log); // looking at the files takes its time
    return apply(gateway, read);
  });
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

function refuseWhileEnding({ registry }: Gateway, log: Log): void {
  if (!registry.isShuttingDown) return;
  log.warn('reload: the gateway is ending, nothing was changed');
  throw new RequestError('the gateway is ending: nothing was changed');
}

export interface StopOptions {
  readonly onReload?: () => void;
  /** It begins to end. */
  readonly onStop?: (reason: string) => void;
  /** Resolves with the reason when it is to end without a signal. */
  readonly asked?: Promise<string>;
}

/** Runs a started gateway until a signal stops it; gives the exit code. The demo uses it too. */
export function untilStopped(
  gateway: Pick<Gateway, 'stop'>,
  log: Log,
  { onReload = () => {}, onStop = () => {}, asked }: StopOptions = {},
): Promise<number> {
  return new Promise((resolve) => {
    // Timers of the clock do not keep the process alive, the daemon itself does.
    const alive = setInterval(() => {}, 2 ** 30);
    const end = (code: number): void => {
      clearInterval(alive);
      release();
      resolve(code);
    };
    let isEnding = false;
    let failure: number | undefined;
    const stop = (reason: string, code?: number): void => {
      failure ??= code;
      log.info({ reason }, `${reason}: ${isEnding ? 'ending already' : 'shutting down'}`);
      if (isEnding) return;
      isEnding = true;
      onStop(reason);
      void gateway.stop(reason).then((report) => end(failure ?? exitCodeOf(report, log)));
    };
    void asked?.then((reason) => stop(reason));
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
