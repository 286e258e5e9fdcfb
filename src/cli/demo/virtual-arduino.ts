// The board of the demo: a simulated Arduino Uno with the real StandardFirmata, an LED at pin 13, and a knob at A0 that somebody
// turns to and fro. What its pins really do is read from the chip itself, so that it can stand beside what was commanded.

import type { Clock, Timer } from '../../core/clock.js';
import type { AvrBoard, Level } from '../../hil/avr/avr-board.js';
import type { VirtualLine } from '../../hil/virtual-line.js';

const LED_PIN = 13;
const KNOB = 0;
const MAX_VOLTS = 5;
/** The knob is moved this often, and there and back takes this long, ms. */
const TURN_EVERY_MS = 200;
const SWEEP_MS = 40_000;

export interface VirtualArduinoOptions {
  readonly clock: Clock;
  readonly line: VirtualLine;
  /** Path of the firmware. */
  readonly hex: string;
  /** The level of the LED's pin has changed. */
  readonly onLed: (level: Level) => void;
}

export class VirtualArduino {
  readonly #options: VirtualArduinoOptions;
  readonly #startedAt: number;
  #starting: Promise<void> | undefined;
  #board: AvrBoard | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  /** Has the line, but no power yet: who connects to it hears nothing. */
  constructor(options: VirtualArduinoOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  get link(): string {
    return this.#options.line.link;
  }

  /** Undefined until it has power. */
  get led(): Level | undefined {
    return this.#board?.digital(LED_PIN);
  }

  /** At the knob: there and back in a straight line. */
  get volts(): number {
    const phase = ((this.#options.clock.now() - this.#startedAt) % SWEEP_MS) / SWEEP_MS;
    return MAX_VOLTS * (phase < 0.5 ? 2 * phase : 2 - 2 * phase);
  }

  /** Gives it power. The simulator is loaded here and not before: it takes a while, and the rest of the demo does not wait. */
  async start(): Promise<void> {
    this.#starting ??= this.#powerUp();
    await this.#starting;
  }

  /** Switches it off for good. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#starting?.catch(() => {}); // told to who started it
    this.#timer?.cancel();
    await (this.#board ?? this.#options.line).close();
  }

  async #powerUp(): Promise<void> {
    const { clock, line, hex, onLed } = this.#options;
    const { startAvrBoard } = await import('../../hil/avr/start-avr-board.js');
    if (this.#isClosed) return;
    this.#board = await startAvrBoard({ line, hex, clock });
    this.#board.onDigital(LED_PIN, onLed);
    this.#turnKnob();
  }

  #turnKnob(): void {
    this.#board?.setAnalog(KNOB, this.volts);
    if (!this.#isClosed) this.#timer = this.#options.clock.after(TURN_EVERY_MS, () => this.#turnKnob());
  }
}
