// A board in the hands of a test: real firmware on a simulated chip (avr/), with the faults of any device. Unplugged, the chip
// is without power; plugged in again, its firmware starts afresh.

import { messageOf } from '../core/errors.js';
import type { AvrBoard, Level } from './avr/avr-board.js';
import { standardFirmataHex } from './avr/firmware.js';
import { startAvrBoard } from './avr/start-avr-board.js';
import { RigDevice, type RigDeviceOptions } from './rig-device.js';
import { RigError } from './rig-error.js';

/** The firmware of a board. */
export interface Firmware {
  /**
   * For an ATmega328P (Arduino Uno, Nano), in Intel HEX: the path of the file, or what is in it. Default: StandardFirmata, if
   * the package `avrgirl-arduino`, which brings it, is installed.
   */
  readonly hex?: string | Buffer;
  /** Times real time; default 1. */
  readonly speed?: number;
}

/** The pins, the memory and the I2C bus of a board; what switches it on and off is the rig's. */
export type BoardChip = Omit<AvrBoard, 'link' | 'reset' | 'powerOn' | 'powerOff' | 'close'>;

/** One simulated board. Made by `rig.avr`; ends with the rig. */
export class RigBoard extends RigDevice {
  readonly #fail: (sentence: string) => Error;
  #board: AvrBoard | undefined;

  private constructor(options: RigDeviceOptions) {
    super(options);
    this.#fail = options.fail;
  }

  /** Switches the board on. */
  static async start(options: RigDeviceOptions, firmware: Firmware): Promise<RigBoard> {
    const { hex = standardFirmataHex(), speed = 1 } = firmware;
    if (hex === undefined) throw noFirmware(options.name);
    const board = new RigBoard(options);
    board.#board = await startAvrBoard({ line: board.port(), hex, speed, clock: options.clock });
    return board;
  }

  /** The chip: read and drive its pins, set volts at its analog inputs, put devices onto its I2C bus. */
  get chip(): BoardChip {
    return this.#running();
  }

  /** Waits until a pin has, or had in between, this level. Rejects with a RigError that shows what happened. */
  async expectPin(pin: number, level: Level, timeoutMs: number): Promise<void> {
    try {
      await this.#running().untilDigital(pin, level, timeoutMs);
    } catch (error) {
      throw this.#fail(`device "${this.name}" expects pin ${pin} to be ${level}: ${messageOf(error)}`);
    }
  }

  override async unplug(): Promise<void> {
    this.note('unplugged');
    await this.#running().powerOff();
  }

  override async replug(): Promise<void> {
    await this.#running().powerOn();
    this.note('plugged in');
  }

  /** Presses the reset button: the firmware starts afresh, the link stays. */
  override async reset(): Promise<void> {
    this.note('reset');
    await this.#running().reset();
  }

  override async close(): Promise<void> {
    await this.#board?.close();
    await super.close();
  }

  #running(): AvrBoard {
    if (this.#board === undefined) throw this.#fail(`device "${this.name}" has no board yet`);
    return this.#board;
  }
}

function noFirmware(name: string): RigError {
  const words = 'the firmware StandardFirmata is not here: give `hex`, or `npm install --save-dev avrgirl-arduino`';
  return new RigError('rig-config', `device "${name}": ${words}`);
}
