// What the main thread and a board's Worker say to each other, and the memory that they share: registers, EEPROM and figures are
// read where they are needed, without a message.
//
//   main -> Worker   serial, digital, analog, watch, start, power-off, twi-*       Worker -> main   started, output, twi

import { EEPROM_BYTES, REGISTER_BYTES, type ResetCause } from './atmega328p.js';

/** Where each figure stands. */
export const FIGURES = [
  'cycles',
  'simulatedMs',
  'poweredMs',
  'busyMs',
  'skippedCycles',
  'allCycles',
  'lostMs',
  'rxDropped',
] as const;
export type Figure = (typeof FIGURES)[number];

/** Shared memory of one board. Written by the Worker after each slice, EEPROM by both. */
export class SharedBoard {
  readonly memory: SharedArrayBuffer;
  /** Data space 0x00..0xFF as it was at the end of the last slice; all 0 without power. */
  readonly registers: Uint8Array;
  readonly eeprom: Uint8Array;
  readonly #figures: Float64Array;

  constructor(memory = SharedBoard.allocate()) {
    this.memory = memory;
    this.#figures = new Float64Array(memory, 0, FIGURES.length);
    this.registers = new Uint8Array(memory, FIGURES.length * 8, REGISTER_BYTES);
    this.eeprom = new Uint8Array(memory, FIGURES.length * 8 + REGISTER_BYTES, EEPROM_BYTES);
  }

  static allocate(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(FIGURES.length * 8 + REGISTER_BYTES + EEPROM_BYTES);
    new Uint8Array(memory, FIGURES.length * 8 + REGISTER_BYTES).fill(0xff); // erased EEPROM
    return memory;
  }

  figure(name: Figure): number {
    return this.#figures[FIGURES.indexOf(name)] ?? 0;
  }

  setFigure(name: Figure, value: number): void {
    this.#figures[FIGURES.indexOf(name)] = value;
  }
}

/** `workerData`. */
export interface BoardSetup {
  readonly memory: SharedArrayBuffer;
  /** 32 KiB. */
  readonly flash: Uint8Array;
  /** Times real time. */
  readonly speed: number;
}

export type ToBoard =
  | { readonly kind: 'serial'; readonly bytes: Uint8Array }
  | { readonly kind: 'digital'; readonly pin: number; readonly level: 'high' | 'low' | 'open' }
  | { readonly kind: 'analog'; readonly channel: number; readonly volts: number }
  /** Bit n: changes of pin n are reported. */
  | { readonly kind: 'watch'; readonly pins: number }
  /** Starts the firmware afresh, with power on. */
  | { readonly kind: 'start'; readonly id: number; readonly cause: ResetCause }
  | { readonly kind: 'power-off' }
  | { readonly kind: 'twi-addresses'; readonly addresses: readonly number[] }
  | { readonly kind: 'twi-answer'; readonly id: number; readonly value: number };

/** What a master asks of a device; `value` of the answer: 1 = ack, 0 = nack, or the byte read. */
export type TwiAct = 'start-write' | 'start-read' | 'write' | 'read';

/** One change of a pin. */
export interface Edge {
  readonly pin: number;
  readonly level: 'high' | 'low';
  /** Simulated ms since the reset. */
  readonly atMs: number;
}

export type FromBoard =
  | { readonly kind: 'started'; readonly id: number }
  /** What left the UART, and the edges of watched pins, since the last one. */
  | { readonly kind: 'output'; readonly sent: Uint8Array | undefined; readonly edges: readonly Edge[] }
  | { readonly kind: 'twi'; readonly id: number; readonly act: TwiAct; readonly address: number; readonly byte: number }
  | { readonly kind: 'twi-stop'; readonly address: number };
