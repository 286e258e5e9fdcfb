// What systemd is told of a running daemon (sd_notify(3)); without NOTIFY_SOCKET in the environment, nothing.
//
//   READY=1, STATUS=3 of 4 devices online ...    once the gateway runs; STATUS again when that changes
//   RELOADING=1 ... READY=1                      around a reload
//   WATCHDOG=1                                   after each round trip through the registry that found nobody stuck
//   STOPPING=1                                   when it ends, with the time that this may take
//
// Nothing here may harm the gateway: what cannot be sent is logged once, and that is all.

import type { Health } from '../control/health.js';
import { stuckThreads } from '../control/stuck-threads.js';
import type { Clock, Timer } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { StuckThread, ThreadGroup } from '../core/thread-group.js';
import type { RegistryEvent } from '../core/thread-registry.js';
import { type NotifySocket, openNotifySocket } from './service-notify-socket.js';

/** What is watched of a gateway. */
export interface NotifyingGateway {
  health(): Pick<Health, 'broker' | 'devices' | 'reasons'>;
  readonly registry: {
    readonly isShuttingDown: boolean;
    groups(): readonly Pick<ThreadGroup, 'overdue'>[];
    watch(watcher: (event: RegistryEvent) => void): () => void;
  };
}

export interface ServiceNotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  /** Microseconds of CLOCK_MONOTONIC, which systemd compares with its own. */
  readonly monotonicUs: () => bigint;
  /** Of this process: WATCHDOG_PID may name another. */
  readonly pid: number;
  /** For tests. */
  readonly open?: typeof openNotifySocket;
}

/** Changes of state come in bursts; the status is told this long after the first, ms. */
const STATUS_AFTER_MS = 200;
/** A full socket is tried again after this, ms; systemd empties it in no time. */
const RETRY_MS = 50;
const MAX_UNSENT = 32;
const MAX_STATUS_CHARS = 300;
/** Added to what the gateway gives itself for its shutdown: to write the last log lines and go, ms. */
const STOP_SPARE_MS = 5000;

export class ServiceNotify {
  readonly #options: ServiceNotifyOptions;
  readonly #watchdogMs: number | undefined;
  #socket: NotifySocket | undefined;
  #gateway: NotifyingGateway | undefined;
  #busyLimitMs: () => number = () => Number.POSITIVE_INFINITY;
  #stuck: readonly StuckThread[] = [];
  #status = '';
  #unsent: string[] = [];
  #unwatch: () => void = () => {};
  readonly #timers = new Map<'status' | 'beat' | 'feed' | 'retry', Timer>();

  private constructor(options: ServiceNotifyOptions, socket: NotifySocket | undefined) {
    this.#options = options;
    this.#socket = socket;
    this.#watchdogMs = socket && watchdogMs(options);
  }

  /** Opens the way to systemd, if there is one. Never rejects. */
  static async open(options: ServiceNotifyOptions): Promise<ServiceNotify> {
    const { env, log, open = openNotifySocket } = options;
    const address = env.NOTIFY_SOCKET;
    if (!address) return new ServiceNotify(options, undefined);
    try {
      return new ServiceNotify(options, await open(address));
    } catch (error) {
      log.error({ err: error }, `systemd waits to be told of this service, and cannot be told: ${messageOf(error)}`);
      return new ServiceNotify(options, undefined);
    }
  }

  /**
   * The gateway runs: says so, and keeps systemd informed from now on.
   * @param busyLimitMs how long a thread may be busy with one thing before the watchdog is no longer fed
   */
  ready(gateway: NotifyingGateway, busyLimitMs: () => number): void {
    if (this.#socket === undefined) return;
    this.#gateway = gateway;
    this.#busyLimitMs = busyLimitMs;
    this.#unwatch = gateway.registry.watch(() => this.#onChange());
    this.#status = this.#statusText();
    this.#say(`READY=1\nSTATUS=${this.#status}`);
    this.#beat();
  }

  /** Runs a reload, and tells of its beginning and end. */
  async reloading<Result>(work: () => Promise<Result>): Promise<Result> {
    // systemd must not hear READY before it is, and nothing but the end behind STOPPING.
    if (this.#gateway === undefined || this.#gateway.registry.isShuttingDown) return work();
    this.#say(`RELOADING=1\nMONOTONIC_USEC=${this.#options.monotonicUs()}`);
    try {
      return await work();
    } finally {
      if (this.#gateway?.registry.isShuttingDown === false) this.#say('READY=1');
    }
  }

  /** The gateway ends, within `deadlineMs`. From now on the watchdog only says that the event loop turns. */
  stopping(reason: string, deadlineMs: number): void {
    const microseconds = Math.ceil((deadlineMs + STOP_SPARE_MS) * 1000);
    this.#say(`STOPPING=1\nSTATUS=${oneLine(`stopping: ${reason}`)}\nEXTEND_TIMEOUT_USEC=${microseconds}`);
    this.#timers.get('status')?.cancel();
    this.#unwatch();
  }

  /** Says nothing more. */
  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#unwatch();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #onChange(): void {
    if (this.#timers.has('status')) return;
    this.#after('status', STATUS_AFTER_MS, () => this.#tellStatus());
  }

  #tellStatus(): void {
    const status = this.#statusText();
    if (status === this.#status || this.#gateway?.registry.isShuttingDown) return;
    this.#status = status;
    this.#say(`STATUS=${status}`);
  }

  #statusText(): string {
    return this.#gateway === undefined ? '' : statusWords(this.#gateway.health(), this.#stuck);
  }

  /** One round trip: every thread is asked, then the event loop has to turn once more before systemd hears that all is well. */
  #beat(): void {
    if (this.#watchdogMs === undefined || this.#gateway === undefined) return;
    const { registry } = this.#gateway;
    // A shutdown has a deadline of its own, and says itself who was stuck.
    const stuck = registry.isShuttingDown ? [] : stuckThreads(registry.groups(), this.#busyLimitMs());
    if (stuck.length === 0) this.#after('feed', 0, () => this.#say('WATCHDOG=1'));
    this.#tellStuck(stuck);
    this.#after('beat', this.#watchdogMs / 3, () => this.#beat());
  }

  #tellStuck(stuck: readonly StuckThread[]): void {
    const { log } = this.#options;
    const before = this.#stuck;
    this.#stuck = stuck;
    for (const { group, thread, doing, busyMs } of stuck) {
      if (before.some((known) => known.group === group && known.thread === thread)) continue;
      const seconds = Math.round(busyMs / 1000);
      log.error(
        { group, thread, busy_ms: Math.round(busyMs) },
        `stuck for ${seconds} s (${doing}): the watchdog of systemd is not fed`,
      );
    }
    if (before.length > 0 && stuck.length === 0)
      log.warn('nobody is stuck any more: the watchdog of systemd is fed again');
    if (before.length !== stuck.length) this.#tellStatus();
  }

  #say(text: string): void {
    if (this.#socket === undefined || this.#unsent.length >= MAX_UNSENT) return;
    this.#unsent.push(text);
    this.#flush();
  }

  #flush(): void {
    for (let text = this.#unsent[0]; text !== undefined && this.#socket !== undefined; text = this.#unsent[0]) {
      const result = this.#socket.send(text);
      if (result === 'full') {
        this.#after('retry', RETRY_MS, () => this.#flush());
        return;
      }
      this.#unsent.shift();
      if (result !== 'sent') this.#giveUp(result.code);
    }
  }

  /** systemd will not be there again for this process: what is said once is enough. */
  #giveUp(code: string): void {
    this.#options.log.error({ code }, `systemd cannot be told how this service is: ${code}; going on without it`);
    this.close();
  }

  /** One timer of a kind. */
  #after(kind: 'status' | 'beat' | 'feed' | 'retry', ms: number, act: () => void): void {
    this.#timers.get(kind)?.cancel();
    if (this.#socket === undefined) return;
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(kind);
      act();
    });
    this.#timers.set(kind, timer);
  }
}

/** `3 of 4 devices online; broker online; cell: backing-off: connection refused (and 1 more)`. */
export function statusWords(
  { broker, devices, reasons }: ReturnType<NotifyingGateway['health']>,
  stuck: readonly StuckThread[],
): string {
  const { disabled = 0, ...others } = devices;
  const all = Object.values(others).reduce((sum, count) => sum + count, 0);
  const [first, ...more] = [
    ...stuck.map(({ group, thread, doing }) => `stuck: ${group}/${thread} (${doing})`),
    ...reasons,
  ];
  const trouble = first === undefined ? '' : `; ${first}${more.length > 0 ? ` (and ${more.length} more)` : ''}`;
  const off = disabled === 0 ? '' : `, ${disabled} disabled`;
  return oneLine(`${devices.online ?? 0} of ${all} devices online${off}; broker ${broker}${trouble}`);
}

/** A line break would begin another assignment. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, MAX_STATUS_CHARS);
}

/** How soon systemd wants to hear of us, ms; undefined if it does not. */
function watchdogMs({ env, pid }: ServiceNotifyOptions): number | undefined {
  const { WATCHDOG_USEC = '', WATCHDOG_PID = '' } = env;
  if (WATCHDOG_PID !== '' && Number(WATCHDOG_PID) !== pid) return undefined;
  const microseconds = Number(WATCHDOG_USEC);
  return Number.isFinite(microseconds) && microseconds > 0 ? microseconds / 1000 : undefined;
}
