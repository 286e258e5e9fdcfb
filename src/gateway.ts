// The composition root: a checked config in, a running gateway out. Clock, log and openers come in as arguments; nothing
// here knows of process, signals or the terminal.
//
//   config -> plans (driver + options per device) -> registry, uplink, commands -> one group per device

import { randomUUID } from 'node:crypto';
import type { LinkConfig } from './config/link-schema.js';
import { formatLink } from './config/link-string.js';
import { redact } from './config/redact.js';
import type { Config } from './config/schema.js';
import { Commands } from './control/commands.js';
import { Inventory } from './control/inventory.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import { type ShutdownReport, ThreadRegistry } from './core/thread-registry.js';
import { makeOpener } from './device/make-opener.js';
import type { DownMessage } from './device/message.js';
import type { PlannedDevice } from './device/plan-devices.js';
import { CommsThreadGroup } from './group/comms-thread-group.js';
import { ServerManager } from './group/server-manager.js';
import { EMBEDDED_VERSION, type EmbeddedBroker, startEmbeddedBroker } from './uplink/embedded-broker.js';
import { makeTopics, type Topics } from './uplink/topics.js';
import { Uplink } from './uplink/uplink.js';

export interface GatewayOptions {
  readonly config: Config;
  readonly devices: readonly PlannedDevice[];
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
}

/** How the gateway ended. */
export interface GatewayReport extends ShutdownReport {
  /** Messages that the broker has not acknowledged, per device. */
  readonly undelivered: ReadonlyMap<string, number>;
}

type DeviceGroup = CommsThreadGroup | ServerManager;

export class Gateway {
  readonly registry: ThreadRegistry<DownMessage>;
  readonly topics: Topics;
  readonly #options: GatewayOptions;
  readonly #uplink: Uplink;
  readonly #inventory: Inventory;
  readonly #groups = new Map<string, DeviceGroup>();
  readonly #broker: EmbeddedBroker | undefined;
  /** URL of the broker in use; of the embedded one, where it really listens. */
  readonly brokerUrl: string;

  private constructor(options: GatewayOptions, broker: EmbeddedBroker | undefined) {
    const { config, clock, log } = options;
    this.#options = options;
    this.#broker = broker;
    this.brokerUrl = broker?.url ?? config.mqtt.url;
    this.registry = new ThreadRegistry(clock);
    this.topics = makeTopics(config.mqtt.base_topic);
    const commands = new Commands({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      relay: () => this.#uplink.relay,
      makeTransaction: randomUUID,
    });
    this.#uplink = new Uplink({
      clock,
      log,
      registry: this.registry,
      topics: this.topics,
      session: sessionOptions(config, broker),
      reconnect: config.mqtt.reconnect,
      spool: config.spool,
      onMessage: (message) => commands.take(message),
    });
    this.#inventory = this.#makeInventory();
  }

  /** Starts everything. Rejects if the embedded broker cannot listen; devices and brokers that are away are no reason. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const broker = await startBroker(options);
    const gateway = new Gateway(options, broker);
    gateway.#startAll();
    return gateway;
  }

  /** True while there is a session with the broker. */
  get isOnline(): boolean {
    return this.#uplink.isOnline;
  }

  /** The group of a device, for those who watch it. */
  device(name: string): DeviceGroup | undefined {
    return this.#groups.get(name);
  }

  /** The coordinated shutdown: devices first, then the uplink, under one deadline. Never rejects; idempotent. */
  async stop(reason: string): Promise<GatewayReport> {
    const report = await this.registry.shutdown(this.#options.config.gateway.shutdown_deadline, reason);
    const undelivered = this.#uplink.leftovers();
    this.#inventory.close();
    await this.#broker?.close();
    return { ...report, undelivered };
  }

  #startAll(): void {
    const { devices, config, version, log } = this.#options;
    for (const { plan } of devices) {
      // Until its link is open a device is offline, and says so: also one that never comes.
      this.#uplink.relay.offer({ kind: 'availability', device: plan.name, state: 'offline' });
      this.#uplink.addDevice(plan.name);
      if (plan.link.type === 'tcp-listen' && plan.link.peer !== 'shared') this.#uplink.addDevice(`${plan.name}/+`);
    }
    this.#uplink.publishState(this.topics.bridge.info, JSON.stringify({ version, config: redact(config) }));
    this.#uplink.start();
    for (const device of devices) this.#startDevice(device);
    this.#inventory.flush();
    if (devices.length === 0)
      log.warn('no devices: add some below `devices` in the config (ferrule init writes an example)');
  }

  #startDevice({ config, plan }: PlannedDevice): void {
    const { clock, log } = this.#options;
    const shared = {
      id: plan.name,
      clock,
      log,
      registry: this.registry,
      relay: this.#uplink.relay,
      plan,
      settings: {
        qos: config.qos,
        retain: config.retain,
        queue_size: config.queue_size,
        silent_after: config.silent_after,
        reconnect: config.reconnect,
        ...(config.on_shutdown && { on_shutdown: config.on_shutdown }),
      },
    };
    const { link } = plan;
    const group =
      link.type === 'tcp-listen'
        ? new ServerManager({ ...shared, listen: link })
        : new CommsThreadGroup({
            ...shared,
            opener: makeOpener(link, { clock, log: log.child({ group: plan.name }) }),
          });
    this.#groups.set(plan.name, group);
    group.start();
  }

  #makeInventory(): Inventory {
    const facts = new Map(
      this.#options.devices.map(({ plan }) => [plan.name, { driver: plan.driverName, link: shortLink(plan.link) }]),
    );
    return new Inventory({
      clock: this.#options.clock,
      registry: this.registry,
      facts: (device) => facts.get(device),
      publishDevices: (payload) => this.#uplink.publishState(this.topics.bridge.devices, payload),
      publishEvent: (event) => this.#uplink.relay.offer(event),
    });
  }
}

/** Where a device is, without the settings. */
function shortLink(link: LinkConfig): string {
  return formatLink(link).replace(/\?.*$/, '');
}

async function startBroker({ config, log }: GatewayOptions): Promise<EmbeddedBroker | undefined> {
  if (config.mqtt.url !== 'embedded') return undefined;
  return startEmbeddedBroker({ ...config.mqtt.embedded, log });
}

function sessionOptions(
  { mqtt }: Config,
  broker: EmbeddedBroker | undefined,
): ConstructorParameters<typeof Uplink>[0]['session'] {
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
