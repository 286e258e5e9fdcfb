// The composition root: a checked config in, a running gateway out. Clock and log come in as arguments; nothing here knows
// of process, signals or the terminal.
//
//   config -> plans (driver + options per device) -> registry, uplink, commands -> one group per device

import { randomUUID } from 'node:crypto';
import type { LinkConfig } from './config/link-schema.js';
import { formatLink } from './config/link-string.js';
import { redact } from './config/redact.js';
import type { Config } from './config/schema.js';
import { bridgeApi, noProcess, type ProcessControls, type TapResult } from './control/bridge-api.js';
import { Commands } from './control/commands.js';
import { type DeviceFacts, Inventory } from './control/inventory.js';
import { Requests } from './control/requests.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import { type ShutdownReport, ThreadRegistry } from './core/thread-registry.js';
import type { DownMessage } from './device/message.js';
import type { PlannedDevice } from './device/plan-devices.js';
import { type DeviceChanges, type DeviceGroup, DeviceSet, hasPeers } from './group/device-set.js';
import { ServerManager } from './group/server-manager.js';
import { EMBEDDED_VERSION, type EmbeddedBroker, startEmbeddedBroker } from './uplink/embedded-broker.js';
import { makeTopics, type Topics } from './uplink/topics.js';
import { Uplink, type UplinkOptions } from './uplink/uplink.js';

export interface GatewayOptions {
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** What only the process around the gateway can do. */
  readonly process?: ProcessControls;
}

/** How the gateway ended. */
export interface GatewayReport extends ShutdownReport {
  /** Messages that the broker has not acknowledged, per device. */
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
  readonly #uplink: Uplink;
  readonly #inventory: Inventory;
  readonly #set: DeviceSet;
  readonly #broker: EmbeddedBroker | undefined;
  #config: Config;
  #reloading: Promise<unknown> = Promise.resolve();

  private constructor(options: GatewayOptions, broker: EmbeddedBroker | undefined) {
    const { config, clock, log } = options;
    this.#options = options;
    this.#config = config;
    this.#broker = broker;
    this.brokerUrl = broker?.url ?? config.mqtt.url;
    this.registry = new ThreadRegistry(clock);
    this.topics = makeTopics(config.mqtt.base_topic);
    this.#uplink = this.#makeUplink(broker);
    this.#set = new DeviceSet({ clock, log, registry: this.registry, relay: this.#uplink.relay });
    this.#inventory = new Inventory({
      clock,
      registry: this.registry,
      names: () => this.#set.devices.map(({ plan }) => plan.name),
      facts: (device) => this.#facts(device),
      dropped: (device) => this.#uplink.dropped(device),
      publishDevices: (payload) => this.#uplink.publishState(this.topics.bridge.devices, payload),
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

  /** The group of a device, for those who watch it. */
  device(name: string): DeviceGroup | undefined {
    return this.#set.get(name);
  }

  /** Applies a new config: only devices whose part has changed are stopped and started. One reload at a time. */
  reload(config: Config, devices: readonly PlannedDevice[]): Promise<ReloadReport> {
    const result = this.#reloading.then(() => this.#apply(config, devices));
    this.#reloading = result.catch(() => {});
    return result;
  }

  /** The coordinated shutdown: devices first, then the uplink, under one deadline. Never rejects; idempotent. */
  async stop(reason: string): Promise<GatewayReport> {
    const report = await this.registry.shutdown(this.#config.gateway.shutdown_deadline, reason);
    const undelivered = this.#uplink.leftovers();
    this.#inventory.close();
    await this.#broker?.close();
    return { ...report, undelivered };
  }

  async #start(): Promise<void> {
    const { devices } = this.#options;
    for (const device of devices) this.#subscribe(device);
    this.#publishInfo();
    this.#uplink.start();
    await this.#set.apply(devices);
    this.#inventory.flush();
  }

  async #apply(config: Config, devices: readonly PlannedDevice[]): Promise<ReloadReport> {
    if (this.registry.isShuttingDown) return { added: [], changed: [], removed: [], needRestart: [] };
    const needRestart = changedSections(this.#config, config);
    const before = this.#set.devices;
    const changes = await this.#set.apply(devices);
    const isNew = new Set([...changes.added, ...changes.changed]);
    for (const device of before) this.#unsubscribe(device, devices);
    for (const device of devices) if (isNew.has(device.plan.name)) this.#subscribe(device);
    this.#config = { ...config, gateway: this.#config.gateway, mqtt: this.#config.mqtt, spool: this.#config.spool };
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
    const info = { version: this.#options.version, config: redact(this.#config) };
    this.#uplink.publishState(this.topics.bridge.info, JSON.stringify(info));
  }

  #facts(device: string): DeviceFacts | undefined {
    const plan = this.#set.plan(device);
    return plan && { driver: plan.driverName, link: shortLink(plan.link) };
  }

  #makeUplink(broker: EmbeddedBroker | undefined): Uplink {
    const { config, clock, log } = this.#options;
    const commands = new Commands({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      relay: () => this.#uplink.relay,
      makeTransaction: randomUUID,
    });
    const requests = this.#makeRequests();
    return new Uplink({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      session: sessionOptions(config, broker),
      reconnect: config.mqtt.reconnect,
      spool: config.spool,
      onDrops: () => this.#inventory.refresh(),
      onFarewell: () => this.#inventory.flush(),
      onMessage: (message) => {
        if (!requests.take(message)) commands.take(message);
      },
    });
  }

  async #tap(id: string, seconds: number): Promise<TapResult> {
    const device = this.#set.find(id);
    if (device === undefined) return { ok: false, why: 'no-such-device' };
    if (device instanceof ServerManager) return { ok: false, why: 'is-listener', connections: device.connectionIds };
    if (seconds === 0) await device.stopTap();
    else if (!(await device.startTap(seconds))) return { ok: false, why: 'closing' };
    return { ok: true, topic: this.topics.tap(id) };
  }

  #makeRequests(): Requests {
    const controls = {
      ...(this.#options.process ?? noProcess),
      devices: () => this.#inventory.list(),
      threads: () => this.registry.snapshot(),
      restartDevice: (name: string) => this.#set.restart(name, 'restart requested'),
      tapDevice: (id: string, seconds: number) => this.#tap(id, seconds),
    };
    return new Requests({
      log: this.#options.log,
      topics: this.topics,
      handlers: bridgeApi(controls),
      respond: (response) => this.#uplink.relay.offer(response),
    });
  }
}

/** The parts of the config that are read once, at the start. */
function changedSections(before: Config, after: Config): string[] {
  const sections = ['gateway', 'mqtt', 'spool', 'log', 'drivers_dir'] as const;
  return sections.filter((section) => JSON.stringify(before[section]) !== JSON.stringify(after[section]));
}

/** Where a device is, without the settings. */
function shortLink(link: LinkConfig): string {
  return formatLink(link).replace(/\?.*$/, '');
}

function sessionOptions({ mqtt }: Config, broker: EmbeddedBroker | undefined): UplinkOptions['session'] {
  const { username, password, ca, cert, key } = mqtt;
  return {
    url: broker?.url ?? mqtt.url,
    version: broker === undefined ? mqtt.version : EMBEDDED_VERSION,
    clientId: mqtt.client_id,
    keepaliveSeconds: Math.ceil(mqtt.keepalive / 1000),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    tls: {
      rejectUnauthorized: mqtt.reject_unauthorized,
      ...(ca !== undefined && { ca: Buffer.from(ca) }),
      ...(cert !== undefined && { cert: Buffer.from(cert) }),
      ...(key !== undefined && { key: Buffer.from(key) }),
    },
  };
}
