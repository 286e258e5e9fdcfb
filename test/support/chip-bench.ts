// A chip on the bench, for tests: no thread and no clock but its own cycles, so that every run is the same. The I2C devices answer
// at once.

import { readFileSync } from 'node:fs';
import { ANALOG_CHANNELS, CYCLES_PER_MS, EEPROM_BYTES, FLASH_BYTES } from '../../src/hil/avr/atmega328p.js';
import type { Level } from '../../src/hil/avr/avr-board.js';
import type { Edge } from '../../src/hil/avr/board-protocol.js';
import { Chip } from '../../src/hil/avr/chip.js';
import { blinkHex, standardFirmataHex } from '../../src/hil/avr/firmware.js';
import { parseIntelHex } from '../../src/hil/avr/intel-hex.js';
import { PIN_COUNT } from '../../src/hil/avr/pins.js';
import { TwiDevices } from '../../src/hil/avr/twi-devices.js';

/** Flash with the firmware of that name. Throws where `avrgirl-arduino`, a development dependency, is not installed. */
export function firmware(name: 'blink' | 'firmata'): Uint8Array {
  const path = name === 'blink' ? blinkHex() : standardFirmataHex();
  if (path === undefined) throw new Error('avrgirl-arduino is not installed: npm install');
  return parseIntelHex(readFileSync(path, 'latin1'), { file: path, size: FLASH_BYTES });
}

/** Flash with a program given as instruction words. */
export function program(...words: number[]): Uint8Array {
  const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  flash.set(new Uint8Array(Uint16Array.from(words).buffer));
  return flash;
}

export interface ChipBenchOptions {
  readonly flash: Uint8Array;
  readonly skipsIdle?: boolean;
  readonly eeprom?: Uint8Array;
}

export class ChipBench {
  readonly chip: Chip;
  readonly edges: Edge[] = [];
  readonly twi = new TwiDevices();
  readonly #pins = { levels: new Array<Level | 'open'>(PIN_COUNT).fill('open'), watched: 2 ** PIN_COUNT - 1 };
  #sent: number[] = [];

  constructor({ flash, skipsIdle = true, eeprom = new Uint8Array(EEPROM_BYTES).fill(0xff) }: ChipBenchOptions) {
    const { twi } = this;
    this.chip = new Chip(flash, 'power-on', {
      pins: this.#pins,
      volts: new Array<number>(ANALOG_CHANNELS).fill(0),
      eeprom,
      skipsIdle,
      twi: {
        hasDevice: (address) => twi.addresses.includes(address),
        ask: (act, address, byte, answer) => answer(twi.answer(act, address, byte)),
        stop: (address) => twi.stop(address),
      },
    });
  }

  /** Runs for `ms` of the chip's own time, a quarter of a ms at a time. */
  run(ms: number): this {
    const until = this.chip.cycles + ms * CYCLES_PER_MS;
    while (this.chip.cycles < until && this.chip.state === 'running') {
      this.chip.run(Math.min(until, this.chip.cycles + CYCLES_PER_MS / 4));
      this.edges.push(...this.chip.pins.takeEdges());
      this.#sent.push(...(this.chip.uart.takeSent() ?? []));
    }
    return this;
  }

  /** Bytes for the UART, as from the gateway. */
  send(...bytes: number[]): this {
    this.chip.uart.receive(Uint8Array.from(bytes));
    return this;
  }

  setDigital(pin: number, level: Level | 'open'): this {
    this.#pins.levels[pin] = level;
    this.chip.pins.outsideChanged(pin);
    return this;
  }

  /** What came out of the UART since the last call. */
  takeSent(): number[] {
    return this.#sent.splice(0);
  }

  /** The edges of a pin so far, as `high@12.3`. */
  edgesOf(pin: number): string[] {
    return this.edges.filter((edge) => edge.pin === pin).map(({ level, atMs }) => `${level}@${atMs.toFixed(1)}`);
  }
}
