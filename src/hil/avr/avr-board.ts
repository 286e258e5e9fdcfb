// An Arduino Uno that is not there: an ATmega328P at 16 MHz running real firmware, its UART on a VirtualLine. The gateway sees a
// board; the test sees its pins. The chip runs in a Worker of its own, so that it never costs the main thread's latency.
//
//   gateway -- link -- VirtualLine == UART [ chip in its Worker ] pins == this interface == test
//
// Pins are numbered as on the Uno: 0..13 = D0..D13, 14..19 = A0..A5 used as digital pins. Made by start-avr-board.ts.

import { FerruleError } from '../../core/errors.js';
import type { TwiDevice } from './twi-device.js';

export type Level = 'high' | 'low';

/** What the firmware has made of a pin. */
export type PinMode = 'output' | 'input' | 'pull-up';

export type PortName = 'B' | 'C' | 'D';

/** `sent`: by the board to the gateway; `received`: from it. */
export type SerialDirection = 'sent' | 'received';

/** Figures since the board was started, over resets and power cycles. Times without power do not count. */
export interface AvrStats {
  /** Clock cycles of the chip since its last reset. */
  readonly cycles: number;
  /** Simulated ms per ms of real time while powered: about `speed`, lower if the host could not keep up. */
  readonly realTimeFactor: number;
  /** Simulated ms. */
  readonly simulatedMs: number;
  /** ms of CPU time of the thread that went into the simulation. */
  readonly busyMs: number;
  /** Share of the cycles that were skipped, since the firmware did nothing but turn round in its main loop: 0..1. */
  readonly skipped: number;
  /** ms by which the board was late and gave up to catch up. */
  readonly lostMs: number;
  /** Bytes from the gateway that found the queue in front of the UART full. */
  readonly rxDropped: number;
}

/** A board that ended by itself (a bug), or an `until` whose time was up. */
export class AvrBoardError extends FerruleError {}

/** One board. All of it may be called until `close`; afterwards it does nothing, and what waits is rejected. */
export interface AvrBoard {
  /** The string form of the link that reaches it. */
  readonly link: string;
  readonly power: 'on' | 'off';

  /** The level at a pin, as a meter would show it: as driven by the chip, or from outside, or by the pull-up. No power: low. */
  digital(pin: number): Level;
  mode(pin: number): PinMode;
  /** Duty of a pin, 0..1: from the timer if it drives the pin by PWM (3, 5, 6, 9, 10, 11), else its level. */
  pwm(pin: number): number;
  /** The register PORTB, PORTC or PORTD. */
  port(name: PortName): number;
  /** Drives an input from outside; `open` lets go of it (then a pull-up counts, else it is low). Kept over resets. */
  setDigital(pin: number, level: Level | 'open'): void;
  /** Volts at A0..A7, 0 to 5. A0..A5 as digital inputs are set with `setDigital`. Kept over resets. */
  setAnalog(channel: number, volts: number): void;
  /**
   * Calls back for each change of the level at a pin, with the simulated ms since the reset. Answers the unsubscribe. A turn of the
   * board (1 to 8 ms) gives 1024 changes at most; those beyond are left out.
   */
  onDigital(pin: number, listener: (level: Level, atMs: number) => void): () => void;
  /** Calls back for what goes over the UART. Answers the unsubscribe. */
  onSerial(listener: (direction: SerialDirection, bytes: Uint8Array) => void): () => void;

  /** Resolves once `condition` holds (looked at every 2 ms); rejects with AvrBoardError, naming `what`, when the time is up. */
  until(condition: () => boolean, timeoutMs: number, what?: string): Promise<void>;
  /** Resolves once the pin has, or had in between, that level; rejects as `until` does. */
  untilDigital(pin: number, level: Level, timeoutMs: number): Promise<void>;

  /** Puts a device onto the I2C bus at a 7-bit address; replaces one that is there. Answers what takes it off again. */
  attachTwi(address: number, device: TwiDevice): () => void;
  /** The 1024 bytes of EEPROM, to read and to change. Kept over resets and power cycles. */
  readonly eeprom: Uint8Array;

  /** Presses the reset button. Resolves when the firmware starts afresh. */
  reset(): Promise<void>;
  /** Pulls the USB plug: the line is unplugged and the chip is without power. Idempotent. */
  powerOff(): Promise<void>;
  /** Plugs in: the line is back and the firmware starts afresh. Idempotent. */
  powerOn(): Promise<void>;
  readonly stats: AvrStats;
  /** Ends the board, its thread and its line. Idempotent. */
  close(): Promise<void>;
}
