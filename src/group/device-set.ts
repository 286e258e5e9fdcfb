// The devices of the gateway: one group each, made from a plan, started, replaced when their config changes, stopped when
// they leave it. A device whose plan and settings are the same is not touched.

import type { LinkConfig } from '../config/link-schema.js';
import type { DeviceConfig } from '../config/schema.js';
import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { Presence } from '../core/presence.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import { ChunkPool } from '../device/links/chunk-pool.js';
import { NameLookups } from '../device/links/name-lookups.js';
import { makeOpener } from '../device/make-opener.js';
import type { DownMessage, Relay } from '../device/message.js';
import type { DevicePlan } from '../device/plan.js';
import type { PlannedDevice } from '../device/plan-devices.js';
import { HolderSearch } from '../device/port-holder.js';
import { CommsThreadGroup } from './comms-thread-group.js';
import type { DeviceSettings, WhileCritical } from './device-context.js';
import { ServerManager } from './server-manager.js';
import { UplinkAbsence } from './uplink-absence.js';

/** Longest that a device may take to end when its config has changed or gone, ms. */
const STOP_MS = 5000;

export type DeviceGroup = CommsThreadGroup | ServerManager;

export interface DeviceSetOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly relay: Relay;
  /** Whether the broker is there: for devices with `on_uplink_lost`. */
  readonly uplink: Presence;
  /** For devices with `commands.critical`. */
  readonly whileCritical?: WhileCritical | undefined;
}

/** What `apply` did, by device name. */
export interface DeviceChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

interface Member {
  readonly device: PlannedDevice;
  readonly fingerprint: string;
  readonly group: DeviceGroup;
}

export class DeviceSet {
  readonly #options: DeviceSetOptions;
  readonly #absence: UplinkAbsence;
  readonly #members = new Map<string, Member>();
  /** One for all of their sockets. */
  readonly #chunks = new ChunkPool();
  readonly #holders = new HolderSearch();
  readonly #names: NameLookups;

  constructor(options: DeviceSetOptions) {
    this.#options = options;
    this.#names = new NameLookups({ clock: options.clock });
    this.#absence = new UplinkAbsence(options.clock, options.uplink);
  }

  /** The plans in use. */
  get devices(): readonly PlannedDevice[] {
    return [...this.#members.values()].map((member) => member.device);
  }

  get(name: string): DeviceGroup | undefined {
    return this.#members.get(name)?.group;
  }

  /** The same for a device's name or a connection's, `<listener>/<peer>`. */
  find(id: string): DeviceGroup | undefined {
    const own = this.get(id);
    if (own !== undefined) return own;
    for (const [name, { group }] of this.#members) {
      if (group instanceof ServerManager && id.startsWith(`${name}/`)) return group.connection(id);
    }
    return undefined;
  }

  /** Closes a device's link and opens it again with a fresh driver; a listener's connections each. False: no such device. */
  restart(name: string, reason: string): boolean {
    const member = this.#members.get(name);
    member?.group.restart(reason);
    return member !== undefined;
  }

  plan(name: string): DevicePlan | undefined {
    return this.#members.get(name)?.device.plan;
  }

  /**
   * Brings the set in line with `devices`. Those that change or leave are stopped first, all of them, so that two devices
   * can swap their ports; then the new ones start. Never rejects.
   */
  async apply(devices: readonly PlannedDevice[]): Promise<DeviceChanges> {
    const wanted = new Map(devices.map((device) => [device.plan.name, { device, fingerprint: fingerprintOf(device) }]));
    const known = new Set(this.#members.keys());
    const gone = [...this.#members.values()].filter(
      ({ device, fingerprint }) => wanted.get(device.plan.name)?.fingerprint !== fingerprint,
    );
    await Promise.all(gone.map((member) => this.#stop(member, wanted.has(member.device.plan.name))));
    const added: string[] = [];
    const changed: string[] = [];
    for (const [name, { device, fingerprint }] of wanted) {
      if (this.#members.has(name)) continue;
      this.#start(device, fingerprint);
      (known.has(name) ? changed : added).push(name);
    }
    const removed = [...known].filter((name) => !wanted.has(name));
    return { added, changed, removed };
  }

  #start(device: PlannedDevice, fingerprint: string): void {
    const { relay } = this.#options;
    const group = this.#make(device);
    this.#members.set(device.plan.name, { device, fingerprint, group });
    // Until its link is open a device is offline, and says so: also one that never comes.
    relay.offer({ kind: 'availability', device: device.plan.name, state: 'offline' });
    group.start();
  }

  async #stop({ device, group: { group } }: Member, comesBack: boolean): Promise<void> {
    const { relay, log } = this.#options;
    const { name } = device.plan;
    this.#members.delete(name);
    group.close(comesBack ? 'its config has changed' : 'it is no longer in the config');
    const report = await group.wait(STOP_MS);
    if (!report.ended)
      log.error({ group: name, stuck: report.stuck, left: report.left }, `${name}: threads did not end in time`);
    group.cleanup();
    if (!comesBack) relay.offer({ kind: 'availability', device: name, state: 'gone' });
  }

  #make({ config, plan }: PlannedDevice): DeviceGroup {
    const { clock, log, registry, relay, whileCritical } = this.#options;
    const settings = settingsOf(config);
    const kind = {
      ...{ clock, log, registry, relay, plan, settings, absence: this.#absence },
      ...(whileCritical && { whileCritical }),
    };
    const { link, name: id } = plan;
    if (link.type === 'tcp-listen') return new ServerManager({ ...kind, id, listen: link });
    const shared = { chunks: this.#chunks, holders: this.#holders, names: this.#names };
    const deps = { clock, log: log.child({ group: id }), ...shared };
    return new CommsThreadGroup(kind, { id, opener: makeOpener(link, deps) });
  }
}

/** True for a listener whose connections have topics of their own. */
export function hasPeers(link: LinkConfig): boolean {
  return link.type === 'tcp-listen' && link.peer !== 'shared';
}

function settingsOf(config: DeviceConfig): DeviceSettings {
  const { qos, retain, queue_size, silent_after, reconnect, commands, isolation } = config;
  const { on_shutdown, on_uplink_lost } = config;
  return {
    qos,
    retain,
    queue_size,
    silent_after,
    reconnect,
    commands,
    ...(isolation && { isolation }),
    ...(on_shutdown && { on_shutdown }),
    ...(on_uplink_lost && { on_uplink_lost }),
  };
}

/** Equal for two configs that make the same device. A driver's code is not part of it: it is loaded once per process. */
function fingerprintOf({ config, plan }: PlannedDevice): string {
  const { driverName, options, framing, link } = plan;
  return JSON.stringify([driverName, options, framing, link, settingsOf(config)]);
}
