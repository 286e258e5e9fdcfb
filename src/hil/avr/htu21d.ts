// A hygrometer and thermometer HTU21D (also sold as SHT21 and SI7021) on the I2C bus. Source: its data sheet (Measurement
// Specialties, HPC199). A measurement takes no time here, so hold and no-hold mode are the same.

import { crc8 } from './crc-8.js';
import type { TwiDevice } from './twi-device.js';

/** Its only address. */
export const HTU21D_ADDRESS = 0x40;

const RESET = 0xfe;
const WRITE_USER_REGISTER = 0xe6;
const READ_USER_REGISTER = 0xe7;
/** With and without holding the master, per quantity. */
const MEASURE_TEMPERATURE: readonly number[] = [0xe3, 0xf3];
const MEASURE_HUMIDITY: readonly number[] = [0xe5, 0xf5];
const USER_REGISTER_DEFAULT = 0x02;
/** The two lowest bits of a value are status: bit 1 tells humidity from temperature. */
const STATUS_BITS = 0b11;
const HUMIDITY_STATUS = 0b10;

export class Htu21d implements TwiDevice {
  celsius: number;
  /** Relative humidity, 0..100. */
  percent: number;
  #userRegister = USER_REGISTER_DEFAULT;
  #command: number | undefined;
  #answer: number[] = [];

  constructor({ celsius = 20, percent = 50 }: { readonly celsius?: number; readonly percent?: number } = {}) {
    this.celsius = celsius;
    this.percent = percent;
  }

  start(direction: 'write' | 'read'): 'ack' | 'nack' {
    if (direction === 'write') this.#command = undefined;
    return direction === 'write' || this.#answer.length > 0 ? 'ack' : 'nack';
  }

  write(byte: number): 'ack' | 'nack' {
    if (this.#command === WRITE_USER_REGISTER) {
      this.#userRegister = byte;
      return 'ack';
    }
    this.#command = byte;
    return this.#obey(byte);
  }

  read(): number {
    return this.#answer.shift() ?? 0xff;
  }

  #obey(command: number): 'ack' | 'nack' {
    if (MEASURE_TEMPERATURE.includes(command)) this.#measure(((this.celsius + 46.85) / 175.72) * 0x10000, 0);
    else if (MEASURE_HUMIDITY.includes(command)) this.#measure(((this.percent + 6) / 125) * 0x10000, HUMIDITY_STATUS);
    else if (command === READ_USER_REGISTER) this.#answer = [this.#userRegister];
    else if (command === RESET) this.#reset();
    else if (command !== WRITE_USER_REGISTER) return 'nack';
    return 'ack';
  }

  #measure(value: number, status: number): void {
    const word = (clamp16(value) & ~STATUS_BITS) | status;
    const bytes = [word >> 8, word & 0xff];
    this.#answer = [...bytes, crc8(bytes, 0)];
  }

  #reset(): void {
    this.#userRegister = USER_REGISTER_DEFAULT;
    this.#answer = [];
  }
}

function clamp16(value: number): number {
  return Math.min(0xffff, Math.max(0, Math.round(value)));
}
