// The devices of the demo: a GPS receiver, a scale and an Arduino on ptys, a thermometer that the gateway connects to, and a
// sensor that connects to the gateway. The thermometer is unplugged now and then, so that supervision can be watched.

import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { standardFirmataHex } from '../../hil/avr/firmware.js';
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
import { ARDUINO, type DemoLinks } from './demo-config.js';
import { PlugCycle, type PlugTimes } from './plug-cycle.js';
import { VirtualArduino } from './virtual-arduino.js';

/** Every 30 s. */
const PLUG_TIMES: PlugTimes = { inMs: 22_000, outMs: 8_000 };

/** Something that has happened to a device itself, in words: `unplugged`. */
export type HardwareListener = (device: string, text: string) => void;

export interface PlantOptions {
  readonly clock: Clock;
  /** Told in one line each of what there is not on this machine. */
  readonly say: (line: string) => void;
  /** How long the thermometer is plugged in and out; default 22 s and 8 s. */
  readonly plugTimes?: PlugTimes | undefined;
  /** For tests. */
  readonly open?: typeof openPty;
  /** Answers the path of the board's firmware, if there is one. For tests. */
  readonly findFirmware?: typeof standardFirmataHex;
}

/** How it is with the devices themselves. */
export interface PlantView {
  readonly thermometer: { readonly plug: 'in' | 'out'; readonly leftMs: number };
  /** Absent: there is no board. */
  readonly arduino?: { readonly led: 'high' | 'low' | undefined; readonly volts: number };
}

export class VirtualPlant {
  readonly links: DemoLinks;
  readonly #clock: Clock;
  readonly #devices: VirtualDevice[];
  readonly #plugCycle: PlugCycle;
  readonly #arduino: VirtualArduino | undefined;
  #listener: HardwareListener = () => {};

  private constructor({ clock, plugTimes = PLUG_TIMES }: PlantOptions, lines: PlantLines, hex?: string) {
    const { gps, scale, thermometer, arduino } = lines;
    this.#clock = clock;
    this.links = { gps: gps.link, scale: scale.link, thermometer: thermometer.link, arduino: arduino?.link };
    this.#devices = [
      VirtualDevice.start({ clock, line: gps, script: makeGnss({ clock }) }),
      VirtualDevice.start({ clock, line: scale, script: makeScale({ clock }) }),
      VirtualDevice.start({ clock, line: thermometer, script: makeThermometer({ clock }) }),
    ];
    this.#plugCycle = new PlugCycle({
      clock,
      line: thermometer,
      times: plugTimes,
      onChange: (now) => this.#listener('thermometer', now === 'out' ? 'unplugged' : 'plugged in again'),
    });
    this.#arduino =
      arduino && hex !== undefined
        ? new VirtualArduino({
            clock,
            line: arduino,
            hex,
            onLed: (level) => this.#listener(ARDUINO, `pin 13 is ${level}`),
          })
        : undefined;
  }

  /** Switches on all devices that the gateway connects to, except the board: it takes longest. */
  static async start(options: PlantOptions): Promise<VirtualPlant> {
    const { say, findFirmware = standardFirmataHex } = options;
    const hex = findFirmware();
    if (hex === undefined) say('no Arduino here: its firmware comes with `npm install avrgirl-arduino`');
    const serial = await openSerialLines(options, hex !== undefined);
    return new VirtualPlant(options, { ...serial, thermometer: await openTcpLine() }, hex);
  }

  /** How it is with the devices now. */
  get view(): PlantView {
    const { plug, leftMs } = this.#plugCycle;
    const board = this.#arduino;
    return { thermometer: { plug, leftMs }, ...(board && { arduino: { led: board.led, volts: board.volts } }) };
  }

  /** Tells of what happens to the devices themselves; the last listener counts. */
  onHardware(listener: HardwareListener): void {
    this.#listener = listener;
  }

  /** Gives the board power. Rejects if it cannot be started. */
  async startBoard(): Promise<void> {
    await this.#arduino?.start();
  }

  /** Switches on the sensor that connects to the gateway, at the port on which that listens. */
  startSensor(port: number): void {
    const clock = this.#clock;
    const line = openDialLine({ clock, host: '127.0.0.1', port });
    this.#devices.push(VirtualDevice.start({ clock, line, script: makeHygrometer({ clock }) }));
  }

  /** Switches off everything. */
  async close(): Promise<void> {
    this.#plugCycle.stop();
    await Promise.all([...this.#devices.map((device) => device.close()), this.#arduino?.close()]);
  }
}

interface SerialLines {
  readonly gps: VirtualLine;
  readonly scale: VirtualLine;
  readonly arduino?: VirtualLine;
}

type PlantLines = SerialLines & { readonly thermometer: VirtualLine };

/** A pty each; where there are none, a TCP port each. */
async function openSerialLines({ clock, say, open }: PlantOptions, hasBoard: boolean): Promise<SerialLines> {
  const opened: VirtualLine[] = [];
  const openOne = async (): Promise<VirtualLine> => {
    const line = await openPtyLine({ clock, ...(open && { open }) });
    opened.push(line);
    return line;
  };
  try {
    return await openAll(openOne, hasBoard);
  } catch (error) {
    for (const line of opened) await line.close();
    if (!(error instanceof PtyUnavailableError)) throw error;
    say(`${messageOf(error)}: ${hasBoard ? 'gps, scale and arduino' : 'gps and scale'} are on TCP instead`);
    return openAll(openTcpLine, hasBoard);
  }
}

async function openAll(openOne: () => Promise<VirtualLine>, hasBoard: boolean): Promise<SerialLines> {
  const [gps, scale] = [await openOne(), await openOne()];
  return hasBoard ? { gps, scale, arduino: await openOne() } : { gps, scale };
}
