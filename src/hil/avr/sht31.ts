// A hygrometer and thermometer SHT31 on the I2C bus, in single-shot mode. Source: its data sheet (Sensirion, "Datasheet
// SHT3x-DIS", tables 9, 13 and 19). A measurement takes no time here. Periodic mode is not built: its commands are refused.

import { crc8 } from './crc-8.js';
import type { TwiDevice } from './twi-device.js';

/** With its ADDR pin low; 0x45 with ADDR high. */
export const SHT31_ADDRESS = 0x44;

/** High, medium and low repeatability; with clock stretching, then without. */
const MEASURE: readonly number[] = [0x2c06, 0x2c0d, 0x2c10, 0x2400, 0x240b, 0x2416];
const SOFT_RESET = 0x30a2;
const READ_STATUS = 0xf32d;
const CLEAR_STATUS = 0x3041;
const HEATER_OFF = 0x3066;
const CRC_INITIAL = 0xff;

export class Sht31 implements TwiDevice {
  celsius: number;
  /** Relative humidity, 0..100. */
  percent: number;
  #command: number[] = [];
  #answer: number[] = [];

  constructor({ celsius = 20, percent = 50 }: { readonly celsius?: number; readonly percent?: number } = {}) {
    this.celsius = celsius;
    this.percent = percent;
  }

  /** Without a measurement to fetch the read header is not acknowledged. */
  start(direction: 'write' | 'read'): 'ack' | 'nack' {
    if (direction === 'write') this.#command = [];
    return direction === 'write' || this.#answer.length > 0 ? 'ack' : 'nack';
  }

  write(byte: number): 'ack' | 'nack' {
    this.#command.push(byte);
    const [high = 0, low = 0] = this.#command;
    if (this.#command.length === 1) return 'ack';
    return this.#command.length === 2 ? this.#obey((high << 8) | low) : 'nack';
  }

  read(): number {
    return this.#answer.shift() ?? 0xff;
  }

  #obey(command: number): 'ack' | 'nack' {
    if (MEASURE.includes(command)) {
      this.#answer = [...word((this.celsius + 45) / 175), ...word(this.percent / 100)];
    } else if (command === READ_STATUS) this.#answer = word(0);
    else if (command === SOFT_RESET) this.#answer = [];
    else if (command !== CLEAR_STATUS && command !== HEATER_OFF) return 'nack';
    return 'ack';
  }
}

/** A share of the range as the device sends it: two bytes and their checksum. */
function word(share: number): number[] {
  const value = Math.min(0xffff, Math.max(0, Math.round(share * 0xffff)));
  const bytes = [value >> 8, value & 0xff];
  return [...bytes, crc8(bytes, CRC_INITIAL)];
}
