// A thermometer MCP9808 on the I2C bus. Source: its data sheet (Microchip, DS25095A), chapter 5. A pointer says which register is
// read or written; it stays where it is. The alert output is not built.

import type { TwiDevice } from './twi-device.js';

/** With its address pins low. */
export const MCP9808_ADDRESS = 0x18;

const CONFIGURATION = 0x01;
const LIMITS: readonly number[] = [0x02, 0x03, 0x04];
const AMBIENT = 0x05;
const MANUFACTURER = 0x06;
const DEVICE = 0x07;
const RESOLUTION = 0x08;
const SIGN = 0x1000;
const VALUE_BITS = 0x0fff;
const STEPS_PER_DEGREE = 16;

export class Mcp9808 implements TwiDevice {
  /** -40..125. */
  celsius: number;
  readonly #registers = new Map<number, number>([
    [CONFIGURATION, 0],
    ...LIMITS.map((register): [number, number] => [register, 0]),
    [MANUFACTURER, 0x0054],
    [DEVICE, 0x0400],
    [RESOLUTION, 0x03],
  ]);
  #pointer = 0;
  /** Bytes of this transfer, the pointer not counted; -1 = the pointer comes next. */
  #at = 0;

  constructor({ celsius = 20 }: { readonly celsius?: number } = {}) {
    this.celsius = celsius;
  }

  start(direction: 'write' | 'read'): 'ack' {
    this.#at = direction === 'write' ? -1 : 0;
    return 'ack';
  }

  write(byte: number): 'ack' | 'nack' {
    if (this.#at < 0) this.#pointer = byte & 0x0f;
    else this.#put(byte);
    this.#at += 1;
    return 'ack';
  }

  read(): number {
    const value = this.#pointer === AMBIENT ? this.#ambient() : (this.#registers.get(this.#pointer) ?? 0);
    const isHigh = this.#at === 0 && this.#pointer !== RESOLUTION;
    this.#at += 1;
    return isHigh ? value >> 8 : value & 0xff;
  }

  /** Only configuration, limits and resolution can be written. */
  #put(byte: number): void {
    if (this.#pointer === RESOLUTION) {
      this.#registers.set(RESOLUTION, byte & 0x03);
    } else if (this.#pointer === CONFIGURATION || LIMITS.includes(this.#pointer)) {
      const old = this.#registers.get(this.#pointer) ?? 0;
      this.#registers.set(this.#pointer, this.#at === 0 ? (byte << 8) | (old & 0xff) : (old & 0xff00) | byte);
    }
  }

  /** 13 bits in two's complement, a sixteenth of a degree each. */
  #ambient(): number {
    const steps = Math.round(this.celsius * STEPS_PER_DEGREE);
    return (steps & VALUE_BITS) | (steps < 0 ? SIGN : 0);
  }
}
