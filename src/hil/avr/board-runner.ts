// Runs a chip in step with the clock: a turn runs what is due, hands out what came of it, and sleeps. Between turns the event loop
// is free. Lives in the board's Worker and keeps what outlives a chip: levels and volts at its pins, devices on the bus.

import type { Clock, Timer } from '../../core/clock.js';
import { ANALOG_CHANNELS, CYCLES_PER_MS, type ResetCause } from './atmega328p.js';
import type { Level } from './avr-board.js';
import { BoardFigures } from './board-figures.js';
import { type BoardSetup, type FromBoard, SharedBoard, type ToBoard, type TwiAct } from './board-protocol.js';
import { Chip } from './chip.js';
import { Pacer } from './pacer.js';
import { PIN_COUNT } from './pins.js';

/** Run in one go; then bytes that have come are fed and the time is looked at. A quarter of a ms. */
const SLICE_CYCLES = CYCLES_PER_MS / 4;
/** A board that is behind lets its event loop go round at least so often. */
const MAX_TURN_MS = 8;
/** Sleep between two turns while bytes go over the UART, and else. A message from the main thread ends it. */
const BUSY_SLEEP_MS = 1;
const IDLE_SLEEP_MS = 4;
/** So long after the last byte the UART still counts as busy. */
const BUSY_AFTER_MS = 5;

export interface BoardRunnerOptions {
  readonly setup: BoardSetup;
  readonly clock: Clock;
  readonly post: (message: FromBoard) => void;
}

export class BoardRunner {
  readonly #clock: Clock;
  readonly #post: (message: FromBoard) => void;
  readonly #setup: BoardSetup;
  readonly #shared: SharedBoard;
  readonly #figures: BoardFigures;
  readonly #pins = { levels: new Array<Level | 'open'>(PIN_COUNT).fill('open'), watched: 0 };
  readonly #volts = new Array<number>(ANALOG_CHANNELS).fill(0);
  #twiAddresses = new Set<number>();
  #twiAnswer: ((value: number) => void) | undefined;
  #twiId = 0;
  #chip: Chip | undefined;
  #pacer: Pacer;
  #sleep: Timer | undefined;
  #lastTrafficMs = Number.NEGATIVE_INFINITY;

  constructor({ setup, clock, post }: BoardRunnerOptions) {
    this.#setup = setup;
    this.#clock = clock;
    this.#post = post;
    this.#shared = new SharedBoard(setup.memory);
    this.#figures = new BoardFigures(this.#shared);
    this.#pacer = new Pacer(setup.speed, clock.now());
  }

  handle(message: ToBoard): void {
    switch (message.kind) {
      case 'serial':
        this.#receive(message.bytes);
        break;
      case 'digital':
        this.#setLevel(message.pin, message.level);
        break;
      case 'analog':
        this.#setVolts(message.channel, message.volts);
        break;
      case 'watch':
        this.#pins.watched = message.pins;
        break;
      case 'start':
        this.#start(message.cause);
        this.#post({ kind: 'started', id: message.id });
        break;
      case 'power-off':
        this.#powerOff();
        break;
      case 'twi-addresses':
        this.#twiAddresses = new Set(message.addresses);
        break;
      case 'twi-answer':
        this.#takeTwiAnswer(message.id, message.value);
        break;
    }
  }

  #start(cause: ResetCause): void {
    this.#flush();
    const now = this.#clock.now();
    this.#twiAnswer = undefined;
    this.#pacer = new Pacer(this.#setup.speed, now);
    this.#figures.begin(now);
    this.#chip = this.#makeChip(cause);
    this.#turn();
  }

  #makeChip(cause: ResetCause): Chip {
    return new Chip(this.#setup.flash, cause, {
      pins: this.#pins,
      volts: this.#volts,
      eeprom: this.#shared.eeprom,
      twi: {
        hasDevice: (address) => this.#twiAddresses.has(address),
        ask: (act, address, byte, answer) => this.#askTwi(act, address, byte, answer),
        stop: (address) => this.#post({ kind: 'twi-stop', address }),
      },
    });
  }

  #powerOff(): void {
    this.#flush();
    this.#sleep?.cancel();
    this.#chip = undefined;
    this.#twiAnswer = undefined;
    this.#shared.registers.fill(0);
  }

  #receive(bytes: Uint8Array): void {
    this.#chip?.uart.receive(bytes);
    this.#lastTrafficMs = this.#clock.now();
    this.#turn();
  }

  #setLevel(pin: number, level: Level | 'open'): void {
    this.#pins.levels[pin] = level;
    this.#chip?.pins.outsideChanged(pin);
    this.#turn();
  }

  #setVolts(channel: number, volts: number): void {
    this.#volts[channel] = volts;
    this.#chip?.setAnalog(channel, volts);
  }

  #askTwi(act: TwiAct, address: number, byte: number, answer: (value: number) => void): void {
    this.#twiId += 1;
    this.#twiAnswer = answer;
    this.#post({ kind: 'twi', id: this.#twiId, act, address, byte });
  }

  /** An answer for a chip that has been reset meanwhile is for nobody, as is a late one. */
  #takeTwiAnswer(id: number, value: number): void {
    if (id !== this.#twiId) return;
    const answer = this.#twiAnswer;
    this.#twiAnswer = undefined;
    answer?.(value);
    this.#turn();
  }

  #turn(): void {
    const chip = this.#chip;
    if (!chip) return;
    this.#sleep?.cancel();
    const startMs = this.#clock.now();
    const untilCycles = this.#pacer.target(startMs, chip.cycles / CYCLES_PER_MS) * CYCLES_PER_MS;
    while (chip.cycles < untilCycles && chip.state === 'running' && this.#clock.now() - startMs < MAX_TURN_MS) {
      chip.run(Math.min(untilCycles, chip.cycles + SLICE_CYCLES));
    }
    this.#publish(chip, startMs);
    this.#flush();
    if (chip.state === 'watchdog-reset') this.#start('watchdog');
    else if (chip.state === 'running') this.#goOn(chip.cycles < untilCycles);
  }

  #goOn(isBehind: boolean): void {
    if (isBehind) {
      const next = setImmediate(() => this.#turn());
      this.#sleep = { cancel: () => clearImmediate(next) };
      return;
    }
    const isBusy = this.#clock.now() - this.#lastTrafficMs < BUSY_AFTER_MS;
    this.#sleep = this.#clock.after(isBusy ? BUSY_SLEEP_MS : IDLE_SLEEP_MS, () => this.#turn());
  }

  #publish(chip: Chip, startMs: number): void {
    const now = this.#clock.now();
    const { cycles, skippedCycles, uart } = chip;
    this.#shared.registers.set(chip.registers);
    const count = { cycles, skippedCycles, droppedBytes: uart.droppedBytes, lostMs: this.#pacer.lostMs };
    this.#figures.note(count, now, now - startMs);
  }

  #flush(): void {
    const sent = this.#chip?.uart.takeSent();
    const edges = this.#chip?.pins.takeEdges() ?? [];
    if (!sent && edges.length === 0) return;
    if (sent) this.#lastTrafficMs = this.#clock.now();
    this.#post({ kind: 'output', sent, edges });
  }
}
