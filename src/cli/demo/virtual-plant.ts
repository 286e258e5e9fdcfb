// The devices of the demo: a GPS receiver and a scale on ptys, a thermometer that the gateway connects to, and a sensor that
// connects to the gateway. The thermometer is unplugged now and then, so that supervision can be watched.

import type { Clock, Timer } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { openPty } from '../../hil/pty.js';
import { PtyUnavailableError } from '../../hil/pty.js';
import { VirtualDevice } from '../../hil/virtual-device.js';
import { openDialLine } from '../../hil/virtual-dial-line.js';
import { makeGnss } from '../../hil/virtual-gnss.js';
import { makeHygrometer } from '../../hil/virtual-hygrometer.js';
import type { VirtualLine } from '../../hil/virtual-line.js';
import { openPtyLine } from '../../hil/virtual-pty-line.js';
import { makeScale } from '../../hil/virtual-scale.js';
import { openTcpLine } from '../../hil/virtual-tcp-line.js';
import { makeThermometer } from '../../hil/virtual-thermometer.js';
import type { DemoLinks } from './demo-config.js';

/** The thermometer is plugged in for this long, then away, ms. */
const PLUGGED_MS = 22_000;
const UNPLUGGED_MS = 8_000;
/** Wait before the port of the thermometer is asked for again, where somebody took it meanwhile, ms. */
const REPLUG_MS = 1000;

export interface PlantOptions {
  readonly clock: Clock;
  /** Told in one line if there are no ptys here. */
  readonly say: (line: string) => void;
  /** For tests. */
  readonly open?: typeof openPty;
}

export class VirtualPlant {
  readonly links: DemoLinks;
  readonly #clock: Clock;
  readonly #devices: VirtualDevice[];
  readonly #thermometer: VirtualLine;
  #timer: Timer | undefined;

  private constructor(clock: Clock, lines: Record<keyof DemoLinks, VirtualLine>) {
    const { gps, scale, thermometer } = lines;
    this.#clock = clock;
    this.links = { gps: gps.link, scale: scale.link, thermometer: thermometer.link };
    this.#thermometer = thermometer;
    this.#devices = [
      VirtualDevice.start({ clock, line: gps, script: makeGnss({ clock }) }),
      VirtualDevice.start({ clock, line: scale, script: makeScale({ clock }) }),
      VirtualDevice.start({ clock, line: thermometer, script: makeThermometer({ clock }) }),
    ];
  }

  /** Switches on all devices that the gateway connects to. */
  static async start({ clock, say, open }: PlantOptions): Promise<VirtualPlant> {
    const serial = await openSerialLines({ clock, say, ...(open && { open }) });
    const plant = new VirtualPlant(clock, { ...serial, thermometer: await openTcpLine() });
    plant.#timer = clock.after(PLUGGED_MS, () => void plant.#unplug());
    return plant;
  }

  /** Switches on the sensor that connects to the gateway, at the port on which that listens. */
  startSensor(port: number): void {
    const clock = this.#clock;
    const line = openDialLine({ clock, host: '127.0.0.1', port });
    this.#devices.push(VirtualDevice.start({ clock, line, script: makeHygrometer({ clock }) }));
  }

  /** Switches off everything. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all(this.#devices.map((device) => device.close()));
  }

  async #unplug(): Promise<void> {
    this.#timer = this.#clock.after(UNPLUGGED_MS, () => void this.#plug());
    await this.#thermometer.unplug();
  }

  async #plug(): Promise<void> {
    this.#timer = this.#clock.after(PLUGGED_MS, () => void this.#unplug());
    try {
      await this.#thermometer.plug();
    } catch {
      this.#timer.cancel();
      this.#timer = this.#clock.after(REPLUG_MS, () => void this.#plug());
    }
  }
}

type SerialLines = Record<'gps' | 'scale', VirtualLine>;

/** Two ptys; where there are none, two TCP ports. */
async function openSerialLines({ clock, say, open }: PlantOptions): Promise<SerialLines> {
  const opened: VirtualLine[] = [];
  const openOne = async (): Promise<VirtualLine> => {
    const line = await openPtyLine({ clock, ...(open && { open }) });
    opened.push(line);
    return line;
  };
  try {
    return { gps: await openOne(), scale: await openOne() };
  } catch (error) {
    for (const line of opened) await line.close();
    if (!(error instanceof PtyUnavailableError)) throw error;
    say(`${messageOf(error)}: gps and scale are on TCP instead`);
    return { gps: await openTcpLine(), scale: await openTcpLine() };
  }
}
