// Devices that are added, removed, enabled and disabled over MQTT: who may be, and what is said to those who may not. What is
// in the user's files is never touched; there, a device can only be switched off and on.

import { deviceNameTrouble } from '../config/device-name.js';
import { formatPlace } from '../config/problem.js';
import { type DeviceInput, MAX_ADDED_DEVICES, type RemoteChanges } from '../config/remote-changes.js';
import type { DeviceControls } from '../control/device-requests.js';
import { RequestError } from '../control/requests.js';
import type { Log } from '../core/log.js';
import type { LiveConfig } from './live-config.js';
import type { GoodConfig } from './read-config.js';

export interface DeviceChangesOptions {
  readonly live: LiveConfig;
  readonly log: Log;
  /** Brings the gateway in line with a config. */
  readonly apply: (config: GoodConfig) => Promise<unknown>;
  /** False when it is too late for changes: the gateway ends. */
  readonly mayChange: () => boolean;
}

/** How one change is made to what is in effect and to what is kept. */
type Edit = (changes: RemoteChanges) => RemoteChanges;

export class DeviceChanges implements DeviceControls {
  readonly #options: DeviceChangesOptions;

  constructor(options: DeviceChangesOptions) {
    this.#options = options;
  }

  addDevice(name: string, device: DeviceInput): Promise<void> {
    return this.#inTurn(async () => {
      const trouble = this.#addTrouble(name, device);
      if (trouble !== undefined) throw new RequestError(trouble);
      await this.#commit(withDevice(name, device), `device ${name} was added over MQTT`);
    });
  }

  removeDevice(name: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const place = this.#placeOf(name);
      if (place !== undefined) {
        throw new RequestError(`"${name}" is defined at ${place}: remove it there, or use device/disable`);
      }
      if (!this.#options.live.current.kept.devices.has(name)) return false;
      await this.#commit(withoutDevice(name), `device ${name} was removed over MQTT`);
      return true;
    });
  }

  enableDevice(name: string, wanted: boolean): Promise<boolean> {
    return this.#inTurn(async () => {
      const { config } = this.#options.live.current;
      if (!Object.hasOwn(config.devices, name)) return false;
      const edit = (await this.#isDefault(name, wanted)) ? withoutSwitch(name) : withSwitch(name, wanted);
      await this.#commit(edit, `device ${name} was ${wanted ? 'enabled' : 'disabled'} over MQTT`);
      return true;
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const { live, mayChange } = this.#options;
    return live.inTurn(async () => {
      if (!mayChange()) throw new RequestError('the gateway is starting or shutting down: no changes now');
      return work();
    });
  }

  async #commit(edit: Edit, sentence: string): Promise<void> {
    const { live, apply, log } = this.#options;
    const read = await live.check(edit(live.effect));
    await live.commit(read, prune(edit(live.current.kept), read), apply);
    log.info(sentence);
  }

  #addTrouble(name: string, device: DeviceInput): string | undefined {
    const { kept, origin } = this.#options.live.current;
    const trouble = nameTrouble(name);
    if (trouble !== undefined) return `the name ${JSON.stringify(name.slice(0, 200))} ${trouble}`;
    const place = this.#placeOf(name);
    if (place !== undefined) return `"${name}" is defined at ${place}: change it there`;
    if (origin.added.includes(name)) return `"${name}" was added already: remove it first`;
    if (!kept.devices.has(name) && kept.devices.size >= MAX_ADDED_DEVICES) {
      return `${MAX_ADDED_DEVICES} devices were added already: no more; put them into the config`;
    }
    // No file and no host has a NUL in its name; the system calls throw.
    return JSON.stringify(device.link ?? '').includes('\\u0000') ? '"link": contains a NUL character' : undefined;
  }

  /** Where the user's files define the device, if they do. */
  #placeOf(name: string): string | undefined {
    const { config, origin, source } = this.#options.live.current;
    if (!Object.hasOwn(config.devices, name) || origin.added.includes(name)) return undefined;
    return formatPlace(source.locateKey(['devices', name]));
  }

  /** Whether the device's own config says so already. */
  async #isDefault(name: string, wanted: boolean): Promise<boolean> {
    const { live } = this.#options;
    try {
      const { config } = await live.check(withoutSwitch(name)(live.effect));
      return config.devices[name]?.enabled === wanted;
    } catch (error) {
      if (error instanceof RequestError) return false; // only being switched off keeps it from being a mistake
      throw error;
    }
  }
}

function nameTrouble(name: string): string | undefined {
  // Legal in a topic, and a trap in every JavaScript that reads bridge/devices into an object.
  if (name in {}) return 'is a word that every JavaScript object has: no device can be called so';
  return deviceNameTrouble(name);
}

function withDevice(name: string, device: DeviceInput): Edit {
  return ({ devices, enabled }) => ({
    devices: new Map([...devices, [name, device]]),
    enabled: without(enabled, name),
  });
}

function withoutDevice(name: string): Edit {
  return ({ devices, enabled }) => ({ devices: without(devices, name), enabled: without(enabled, name) });
}

function withSwitch(name: string, wanted: boolean): Edit {
  return ({ devices, enabled }) => ({ devices, enabled: new Map([...enabled, [name, wanted]]) });
}

function withoutSwitch(name: string): Edit {
  return ({ devices, enabled }) => ({ devices, enabled: without(enabled, name) });
}

function without<Value>(map: ReadonlyMap<string, Value>, name: string): Map<string, Value> {
  return new Map([...map].filter(([key]) => key !== name));
}

/** Without what can have no effect any more: devices that the user's files have now, switches of devices that are gone. */
function prune({ devices, enabled }: RemoteChanges, { config, origin }: GoodConfig): RemoteChanges {
  const isListed = (name: string): boolean => Object.hasOwn(config.devices, name);
  return {
    devices: new Map([...devices].filter(([name]) => origin.added.includes(name) || !isListed(name))),
    enabled: new Map([...enabled].filter(([name]) => isListed(name) || devices.has(name))),
  };
}
