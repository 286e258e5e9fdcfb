// Which port and bit stands behind a pin number of the Uno, and what the registers say about a pin. Pure: registers in, answer
// out. Addresses: ATmega328P data sheet (DS40002061), chapter "Register Summary", as data space addresses.

import { FerruleError } from '../../core/errors.js';
import { PORT_BASE } from './atmega328p.js';
import type { Level, PinMode, PortName } from './avr-board.js';

/** D0..D13 and A0..A5. */
export const PIN_COUNT = 20;

/** The chip's registers, or a copy of them: index = data space address. */
export type Registers = Readonly<Uint8Array>;

export interface PinPlace {
  readonly port: PortName;
  readonly bit: number;
}

/** D0-7 = PD0-7, D8-13 = PB0-5, A0-5 (14-19) = PC0-5. Throws for a pin that there is not. */
export function placeOf(pin: number): PinPlace {
  if (!Number.isInteger(pin) || pin < 0 || pin >= PIN_COUNT) {
    throw new FerruleError('avr-bad-pin', `an Uno has the pins 0 to 19 (14 = A0), not ${pin}`);
  }
  if (pin < 8) return { port: 'D', bit: pin };
  return pin < 14 ? { port: 'B', bit: pin - 8 } : { port: 'C', bit: pin - 14 };
}

/** The pin number at a bit of a port; undefined for crystal and reset pin. */
export function pinAt(port: PortName, bit: number): number | undefined {
  if (port === 'D') return bit;
  if (bit > 5) return undefined;
  return port === 'B' ? 8 + bit : 14 + bit;
}

export function portRegister(registers: Registers, port: PortName): number {
  return registers[PORT_BASE[port] + 2] ?? 0;
}

export function levelOf(registers: Registers, pin: number): Level {
  const { port, bit } = placeOf(pin);
  return isSet(registers, PORT_BASE[port], bit) ? 'high' : 'low';
}

export function modeOf(registers: Registers, pin: number): PinMode {
  const { port, bit } = placeOf(pin);
  if (isSet(registers, PORT_BASE[port] + 1, bit)) return 'output';
  return isSet(registers, PORT_BASE[port] + 2, bit) ? 'pull-up' : 'input';
}

function isSet(registers: Registers, address: number, bit: number): boolean {
  return (((registers[address] ?? 0) >> bit) & 1) === 1;
}
