// The composition root: a checked config in, a running gateway out. Clock and log come in as arguments; nothing here knows
// of process, signals or the terminal.
//
//   config -> plans (driver + options per device) -> registry, uplink, commands -> one group per device

import { changedSections, withStartSections } from './config/changed-sections.js';
import { type ConfigOrigin, describeChanges, PLAIN_ORIGIN } from './config/config-origin.js';
import { redact } from './config/redact.js';
import type { Config } from './config/schema.js';
import { bridgeApi, type LogLevel, noProcess, type ProcessControls, type TapResult } from './control/bridge-api.js';
import { Commands } from './control/commands.js';
import { type Health, healthOf, retainedHealth } from './control/health.js';
import { type HealthReport, healthReportOf } from './control/health-report.js';
import { Inventory } from './control/inventory.js';
import { LogRelay } from './control/log-relay.js';
import { Requests } from './control/requests.js';
import { SelfView } from './control/self-view.js';
import { busyLimitMs, stuckThreads } from './control/stuck-threads.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import { Presence } from './core/presence.js';
import { type ShutdownReport, ThreadRegistry } from './core/thread-registry.js';
import type { DownMessage, TapMode } from './device/message.js';
import type { PlannedDevice } from './device/plan-devices.js';
import type { WhileCritical } from './group/device-context.js';
import { type DeviceChanges, type DeviceGroup, DeviceSet, hasPeers } from './group/device-set.js';
import { ServerManager } from './group/server-manager.js';
import { gatherFigures } from './http/gateway-figures.js';
import type { GatewayFigures } from './http/gateway-view.js';
import { HttpDoor } from './http/http-door.js';
import { sessionOptions, spoolOptions } from './uplink/config-options.js';
import { type EmbeddedBroker, startEmbeddedBroker } from './uplink/embedded-broker.js';
import { makeTopics, type Topics } from './uplink/topics.js';
import { Uplink } from './uplink/uplink.js';

/** Of a shutdown's time: for the broker to take what is queued, then, with the rest on the disk, for the goodbye. */
const UPLINK_SHARES = { queued: 0.7, farewell: 0.2 };

export interface GatewayOptions {
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
  /** Where parts of the config came from; default: all from the user's files. */
  readonly origin?: ConfigOrigin;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** What only the process around the gateway can do. */
  readonly process?: ProcessControls;
  /** Runs a command that must not be cut short by an update. */
  readonly whileCritical?: WhileCritical | undefined;
}

/** How the gateway ended. */
export interface GatewayReport extends ShutdownReport {
  /** Messages that neither the broker has acknowledged nor the disk has, per device. */
  readonly undelivered: ReadonlyMap<string, number>;
}

/** What a reload did. */
export interface ReloadReport extends DeviceChanges {
  /** Sections that have changed and need a restart of the process to count. */
  readonly needRestart: readonly string[];
}

export class Gateway {
  readonly registry: ThreadRegistry<DownMessage>;
  readonly topics: Topics;
  /** URL of the broker in use; of the embedded one, where it really listens. */
  readonly brokerUrl: string;
  readonly #options: GatewayOptions;
  readonly #log: LogRelay;
  readonly #commands: Commands;
  readonly #uplink: Uplink;
  readonly #http: HttpDoor;
  readonly #presence = new Presence();
  readonly #view: SelfView;
  readonly #inventory: Inventory;
  readonly #set: DeviceSet;
  readonly #broker: EmbeddedBroker | undefined;
  #config: Config;
  #origin: ConfigOrigin;
  #reloading: Promise<unknown> = Promise.resolve();
  #isStarted = false;
  #stopped: Promise<GatewayReport> | undefined;

  private constructor(options: GatewayOptions, broker: EmbeddedBroker | undefined) {
    const { config, clock } = options;
    const log = new LogRelay({ log: options.log, clock, publish: (line) => void this.#uplink.relay.offer(line) });
    this.#log = log;
    this.#options = { ...options, log };
    this.#config = config;
    this.#origin = options.origin ?? PLAIN_ORIGIN;
    this.#broker = broker;
    this.brokerUrl = broker?.url ?? config.mqtt.url;
    this.registry = new ThreadRegistry(clock);
    this.topics = makeTopics(config.mqtt.base_topic);
    this.#commands = this.#makeCommands();
    this.#uplink = this.#makeUplink(broker);
    this.#set = new DeviceSet({
      clock,
      log,
      registry: this.registry,
      relay: this.#uplink.relay,
      uplink: this.#presence,
      whileCritical: options.whileCritical,
    });
    this.#view = new SelfView({
      config: () => this.#config,
      origin: () => this.#origin,
      registry: this.registry,
      set: this.#set,
      uplink: this.#uplink,
    });
    this.#http = new HttpDoor({
      clock,
      log,
      gateway: {
        report: () => this.healthReport(),
        figures: () => this.#figures(),
        watchLatency: (watcher) => this.#uplink.watchLatency(watcher),
      },
    });
    this.#inventory = new Inventory({
      clock,
      registry: this.registry,
      names: () => this.#view.names(),
      facts: (device) => this.#view.facts(device),
      dropped: (device) => this.#uplink.dropped(device),
      publishDevices: (payload) => this.#uplink.publishState(this.topics.bridge.devices, payload),
      publishHealth: () => this.#uplink.publishState(this.topics.bridge.health, retainedHealth(this.health())),
      publishEvent: (event) => this.#uplink.relay.offer(event),
    });
  }

  /** Starts everything. Rejects if the embedded broker cannot listen; devices and brokers that are away are no reason. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { config, log, devices } = options;
    const isEmbedded = config.mqtt.url === 'embedded';
    const broker = isEmbedded ? await startEmbeddedBroker({ ...config.mqtt.embedded, log }) : undefined;
    const gateway = new Gateway(options, broker);
    await gateway.#start();
    if (devices.length === 0) log.warn('no devices: add some below `devices` in the config, or see `ferrule init`');
    return gateway;
  }

  /** True while there is a session with the broker. */
  get isOnline(): boolean {
    return this.#uplink.isOnline;
  }

  /** How the gateway, its broker and its devices are. */
  health(): Health {
    return healthOf(this.#view.healthInput());
  }

  /** The same, device by device, and whether it is alive and ready. */
  healthReport(): HealthReport {
    const stuck = stuckThreads(this.registry.groups(), busyLimitMs(this.#config));
    return healthReportOf({ ...this.#view.healthInput(), isStarted: this.#isStarted, stuck });
  }

  /** The group of a device, for those who watch it. */
  device(name: string): DeviceGroup | undefined {
    return this.#set.get(name);
  }

  /** Applies a new config: only devices whose part has changed are stopped and started. One reload at a time. */
  reload(
    config: Config,
    devices: readonly PlannedDevice[],
    origin: ConfigOrigin = PLAIN_ORIGIN,
  ): Promise<ReloadReport> {
    const result = this.#reloading.then(() => this.#apply(config, devices, origin));
    this.#reloading = result.catch(() => {});
    return result;
  }

  /** The coordinated shutdown: devices first, then the uplink, under one deadline. Never rejects; idempotent. */
  stop(reason: string): Promise<GatewayReport> {
    this.#stopped ??= this.#stop(reason);
    return this.#stopped;
  }

  async #stop(reason: string): Promise<GatewayReport> {
    const { shutdown_deadline } = this.#config.gateway;
    const { queued, farewell } = UPLINK_SHARES;
    this.#uplink.finishBy(this.#options.clock.now() + shutdown_deadline * queued, shutdown_deadline * farewell);
    const report = await this.registry.shutdown(shutdown_deadline, reason);
    const undelivered = this.#uplink.leftovers();
    this.#inventory.close();
    await this.#http.close();
    await this.#broker?.close();
    return { ...report, undelivered };
  }

  async #start(): Promise<void> {
    const { devices, config } = this.#options;
    for (const device of devices) this.#subscribe(device);
    this.#publishInfo();
    this.#uplink.start();
    await this.#set.apply(devices);
    this.#http.applySoon(config.http);
    this.#isStarted = true;
    this.#inventory.flush();
  }

  async #apply(config: Config, devices: readonly PlannedDevice[], origin: ConfigOrigin): Promise<ReloadReport> {
    if (this.registry.isShuttingDown) return { added: [], changed: [], removed: [], needRestart: [] };
    const needRestart = changedSections(this.#config, config);
    const before = this.#set.devices;
    this.#config = withStartSections(config, this.#config);
    this.#origin = origin;
    await this.#http.apply(config.http);
    const changes = await this.#set.apply(devices);
    const isNew = new Set([...changes.added, ...changes.changed]);
    for (const device of before) this.#unsubscribe(device, devices);
    for (const device of devices) if (isNew.has(device.plan.name)) this.#subscribe(device);
    this.#publishInfo();
    this.#inventory.flush();
    return { ...changes, needRestart };
  }

  #subscribe({ plan: { name, link } }: PlannedDevice): void {
    this.#uplink.addDevice(name);
    if (hasPeers(link)) this.#uplink.addDevice(`${name}/+`);
  }

  #unsubscribe({ plan: { name, link } }: PlannedDevice, wanted: readonly PlannedDevice[]): void {
    const next = wanted.find((device) => device.plan.name === name);
    if (next === undefined) this.#uplink.removeDevice(name);
    if (hasPeers(link) && (next === undefined || !hasPeers(next.plan.link))) this.#uplink.removeDevice(`${name}/+`);
  }

  #publishInfo(): void {
    const changes = describeChanges(this.#origin);
    const info = {
      version: this.#options.version,
      // What is read once, at the start, stands where it stood then.
      config: redact(this.#config, [...(this.#options.origin?.secrets ?? []), ...this.#origin.secrets]),
      ...(changes && { changed_over_mqtt: changes }),
    };
    this.#uplink.publishState(this.topics.bridge.info, JSON.stringify(info));
  }

  #figures(): GatewayFigures {
    const parts = { config: this.#config, groups: this.#set, uplink: this.#uplink, commands: this.#commands };
    return gatherFigures({ ...parts, version: this.#options.version, isReady: this.healthReport().ready });
  }

  #makeCommands(): Commands {
    const { clock, log } = this.#options;
    return new Commands({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      relay: () => this.#uplink.relay,
      makeTransaction: () => crypto.randomUUID(), // the global one is loaded with the first command: 7 ms
    });
  }

  #makeUplink(broker: EmbeddedBroker | undefined): Uplink {
    const { config, clock, log } = this.#options;
    const requests = this.#makeRequests();
    return new Uplink({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      session: sessionOptions(config, broker),
      reconnect: config.mqtt.reconnect,
      spool: spoolOptions(config, broker),
      presence: this.#presence,
      onDrops: () => this.#inventory.refresh(),
      onFarewell: () => this.#inventory.flush(),
      onMessage: (message) => {
        if (!requests.take(message)) this.#commands.take(message);
      },
    });
  }

  async #tap(id: string, seconds: number, mode: TapMode): Promise<TapResult> {
    const device = this.#set.find(id);
    if (device === undefined) return { ok: false, why: 'no-such-device' };
    if (device instanceof ServerManager) return { ok: false, why: 'is-listener', connections: device.connectionIds };
    if (seconds === 0) await device.stopTap(mode);
    else if (!(await device.startTap(seconds, mode))) return { ok: false, why: 'closing' };
    if (mode === 'lines') return { ok: true, topic: this.topics.tap(id) };
    return { ok: true, topic: this.topics.rawTap(id), source: this.#view.sourceOf(id) };
  }

  /** Of the process's log; `bridge/logging` tells the same from now on. */
  #setLogLevel(level: LogLevel): void {
    (this.#options.process ?? noProcess).setLogLevel(level);
    this.#log.setLevel(level);
  }

  #makeRequests(): Requests {
    const controls = {
      ...(this.#options.process ?? noProcess),
      setLogLevel: (level: LogLevel) => this.#setLogLevel(level),
      health: () => this.health(),
      devices: () => this.#inventory.list(),
      threads: () => this.registry.snapshot(),
      restartDevice: (name: string) => this.#set.restart(name, 'restart requested'),
      tapDevice: (id: string, seconds: number, mode: TapMode) => this.#tap(id, seconds, mode),
    };
    return new Requests({
      log: this.#options.log,
      topics: this.topics,
      handlers: bridgeApi(controls),
      respond: (response) => this.#uplink.relay.offer(response),
    });
  }
}
