// Starts a board on a line: reads the firmware, makes the thread, and ties UART, pins and I2C devices to the main thread.

import { readFile } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import type { VirtualLine } from '../virtual-line.js';
import { FLASH_BYTES } from './atmega328p.js';
import { type AvrBoard, AvrBoardError } from './avr-board.js';
import { parseIntelHex } from './intel-hex.js';
import { LocalBoard } from './local-board.js';

/** More than any host can do. */
const MAX_SPEED = 100;

export interface AvrBoardOptions {
  /** Where the UART goes. The board owns it: `close` closes it. */
  readonly line: VirtualLine;
  /** Firmware for an ATmega328P in Intel HEX: a path, or what is in the file. */
  readonly hex: string | Buffer;
  readonly clock: Clock;
  /** Times real time; default 1. Above what the host can do the board is as fast as that goes. */
  readonly speed?: number;
}

/** Starts a board; resolves when its firmware runs. Rejects with IntelHexError, or the system's error for a file it cannot read. */
export async function startAvrBoard({ line, hex, clock, speed = 1 }: AvrBoardOptions): Promise<AvrBoard> {
  if (!(speed > 0 && speed <= MAX_SPEED)) {
    throw new AvrBoardError('avr-bad-speed', `speed is a factor over 0 and up to ${MAX_SPEED}, not ${speed}`);
  }
  const file = typeof hex === 'string' ? hex : '<buffer>';
  const text = (typeof hex === 'string' ? await readFile(hex) : hex).toString('latin1');
  const flash = parseIntelHex(text, { file, size: FLASH_BYTES });
  const board = new LocalBoard({ line, flash, clock, speed });
  try {
    await board.begin();
    return board;
  } catch (error) {
    await board.close(); // its thread would keep the process alive
    throw error;
  }
}
