// What the gateway knows of its devices and itself, put together from the config, the groups and the uplink: for `bridge/devices`,
// health and recordings. Holds nothing; asks when asked.

import { type ConfigOrigin, deviceOrigin } from '../config/config-origin.js';
import type { LinkConfig } from '../config/link-schema.js';
import { formatLink } from '../config/link-string.js';
import { redact } from '../config/redact.js';
import type { Config } from '../config/schema.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage } from '../device/message.js';
import type { DeviceSet } from '../group/device-set.js';
import { ServerManager } from '../group/server-manager.js';
import type { Uplink } from '../uplink/uplink.js';
import { type DeviceHealth, groupHealthOf, type HealthInput, spoolHealthOf } from './health.js';
import type { DeviceFacts } from './inventory.js';
import { ownerOf } from './named-device.js';

export interface SelfViewOptions {
  readonly config: () => Config;
  readonly origin: () => ConfigOrigin;
  readonly registry: ThreadRegistry<DownMessage>;
  readonly set: DeviceSet;
  readonly uplink: Pick<Uplink, 'group' | 'dropped' | 'figures'>;
}

export class SelfView {
  readonly #options: SelfViewOptions;

  constructor(options: SelfViewOptions) {
    this.#options = options;
  }

  /** The devices of the config, disabled ones included. */
  names(): string[] {
    return Object.keys(this.#options.config().devices);
  }

  /** What is known of a device besides its group; undefined: there is none. */
  facts(device: string): DeviceFacts | undefined {
    const { devices } = this.#options.config();
    const config = Object.hasOwn(devices, device) ? devices[device] : undefined;
    if (config === undefined) return undefined;
    const { driver, link, enabled } = config;
    const more = { ...deviceOrigin(this.#options.origin(), device), ...this.#details(device) };
    return { driver, link: shortLink(link), isDisabled: !enabled, more };
  }

  healthInput(): HealthInput {
    const { registry, uplink } = this.#options;
    const names = this.names();
    return {
      isShuttingDown: registry.isShuttingDown,
      broker: groupHealthOf(uplink.group.state),
      devices: names.map((name) => this.#deviceHealth(name)),
      dropped: names.reduce((sum, name) => sum + uplink.dropped(name), 0),
      spool: spoolHealthOf(uplink.figures),
    };
  }

  /** What a recording says of where its bytes come from; a connection has everything of its listener. */
  sourceOf(id: string): Readonly<Record<string, unknown>> {
    const owner = ownerOf(this.#options.set.devices, id, ({ plan: { name, link } }) => {
      return { name, isListener: link.type === 'tcp-listen' };
    });
    if (owner === undefined) return {};
    const { name, driverName, framing, link } = owner.plan;
    const secrets = this.#options.origin().secrets.flatMap(([, device, ...path]) => (device === name ? [path] : []));
    const source = { driver: driverName, link: formatLink(link), framing, options: owner.config.options ?? {} };
    return redact(source, secrets);
  }

  /** What a session's driver knows of the device behind the wire. */
  #details(device: string): { readonly details?: Readonly<Record<string, unknown>> } {
    const group = this.#options.set.get(device);
    const details = group instanceof ServerManager ? undefined : group?.details;
    return details === undefined ? {} : { details };
  }

  #deviceHealth(name: string): DeviceHealth {
    const { registry, config } = this.#options;
    const group = registry.get(name);
    if (group !== undefined) return { name, ...groupHealthOf(group.state) };
    return { name, state: config().devices[name]?.enabled === false ? 'disabled' : 'closed', reason: '' };
  }
}

/** Where a device is, without the settings. */
function shortLink(link: LinkConfig): string {
  return formatLink(link).replace(/\?.*$/, '');
}
