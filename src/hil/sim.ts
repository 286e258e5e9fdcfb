// `ferrule sim` at work: all devices of a file, each on its line, until they are closed. Devices come and go by name, as plugs
// are pulled.

import type { Clock } from '../core/clock.js';
import { FerruleError, messageOf } from '../core/errors.js';
import { seededRandom, seedFor } from './fault-random.js';
import { LINE_PLACES, openLine, parseLinePlace } from './line-place.js';
import { type SimDevice, startSimDevice } from './sim-device.js';
import type { SimDeviceConfig, SimFile } from './sim-schema.js';

export interface SimOptions {
  readonly sim: SimFile;
  /** What relative paths in the file mean. */
  readonly dir: string;
  readonly clock: Clock;
  /** Told in one line of what a user should know: no ptys here, a device that has ended. */
  readonly say: (line: string) => void;
}

export class Simulation {
  readonly #devices = new Map<string, SimDevice>();

  private constructor() {}

  /** Starts all devices. Rejects with FerruleError naming the device that cannot start; none is left behind then. */
  static async start({ sim, dir, clock, say }: SimOptions): Promise<Simulation> {
    const simulation = new Simulation();
    try {
      for (const [name, config] of Object.entries(sim.devices)) {
        const random = seededRandom(seedFor(name, sim.seed));
        const own = { clock: withRandom(clock, random), dir, say: (line: string) => say(`${name}: ${line}`) };
        simulation.#devices.set(name, await startDevice(name, config, own));
      }
      return simulation;
    } catch (error) {
      await simulation.close();
      throw error;
    }
  }

  /** Name -> the string form of the link that reaches the device. */
  get links(): ReadonlyMap<string, string> {
    return new Map([...this.#devices].map(([name, { link }]) => [name, link]));
  }

  /** Pulls the plug of a device, or puts it in again. `unknown`: there is none of that name. */
  async move(name: string, how: 'unplug' | 'plug'): Promise<'done' | 'unknown'> {
    const device = this.#devices.get(name);
    if (device === undefined) return 'unknown';
    await (how === 'plug' ? device.plug() : device.unplug());
    return 'done';
  }

  /** Switches everything off; symlinks are gone then. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.close()));
  }
}

function withRandom(clock: Clock, random: () => number): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (ms, fire) => clock.after(ms, fire),
    block: (ms) => clock.block(ms),
    random,
  };
}

interface Surroundings {
  readonly clock: Clock;
  readonly dir: string;
  readonly say: (line: string) => void;
}

async function startDevice(name: string, config: SimDeviceConfig, own: Surroundings): Promise<SimDevice> {
  const place = parseLinePlace(config.link, own.dir);
  if (place === undefined) throw new FerruleError('sim-device', `${name}: ${config.link} is not ${LINE_PLACES}`);
  try {
    const line = await openLine(place, own);
    try {
      return await startSimDevice({ ...own, config, line });
    } catch (error) {
      await line.close();
      throw error;
    }
  } catch (cause) {
    throw new FerruleError('sim-device', `${name}: ${messageOf(cause)}`, { cause });
  }
}
