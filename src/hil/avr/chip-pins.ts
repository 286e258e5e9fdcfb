// The pins of the chip: what is at them from outside, and the changes that somebody watches.
//
// avr8js has no pull-ups: an input that nothing drives follows its PORT bit here. A LED on it stays dark, a button reads high.

import { AVRIOPort, type CPU, portBConfig, portCConfig, portDConfig } from 'avr8js';
import { CYCLES_PER_MS, PORT_BASE } from './atmega328p.js';
import type { Level, PortName } from './avr-board.js';
import type { Edge } from './board-protocol.js';
import { PIN_COUNT, pinAt, placeOf } from './pins.js';

/** Edges of one slice beyond this are dropped: some 100 kHz on a watched pin. */
const MAX_EDGES = 1024;

/** What the pins are connected to; outlives the chip. */
export interface PinsOutside {
  /** By pin. */
  readonly levels: readonly (Level | 'open')[];
  /** Bit n: pin n is watched. */
  readonly watched: number;
}

export class ChipPins {
  readonly #cpu: CPU;
  readonly #ports: Readonly<Record<PortName, AVRIOPort>>;
  readonly #outside: PinsOutside;
  readonly #last: Level[] = new Array<Level>(PIN_COUNT).fill('low');
  #edges: Edge[] = [];

  constructor(cpu: CPU, outside: PinsOutside) {
    this.#cpu = cpu;
    this.#outside = outside;
    this.#ports = {
      B: new AVRIOPort(cpu, portBConfig),
      C: new AVRIOPort(cpu, portCConfig),
      D: new AVRIOPort(cpu, portDConfig),
    };
    for (const name of ['B', 'C', 'D'] as const) {
      this.#ports[name].addListener((value) => this.#portChanged(name, value));
    }
    for (let pin = 0; pin < PIN_COUNT; pin += 1) this.outsideChanged(pin);
  }

  /** To be called when another level is at a pin from outside. */
  outsideChanged(pin: number): void {
    const { port, bit } = placeOf(pin);
    const base = PORT_BASE[port];
    if (this.#isSet(base + 1, bit)) this.#ports[port].setPin(bit, this.#outside.levels[pin] === 'high');
    else this.#settleInput(pin, this.#isSet(base + 2, bit));
  }

  /** Changes of watched pins since the last call. */
  takeEdges(): readonly Edge[] {
    const edges = this.#edges;
    if (edges.length > 0) this.#edges = [];
    return edges;
  }

  /** `value`: what the port drives at its outputs, and its pull-ups. */
  #portChanged(port: PortName, value: number): void {
    for (let bit = 0; bit < 8; bit += 1) {
      const pin = pinAt(port, bit);
      if (pin === undefined) continue;
      const isHigh = ((value >> bit) & 1) === 1;
      if (this.#isSet(PORT_BASE[port] + 1, bit)) this.#note(pin, isHigh ? 'high' : 'low');
      else this.#settleInput(pin, isHigh);
    }
  }

  #settleInput(pin: number, hasPullUp: boolean): void {
    const outside = this.#outside.levels[pin] ?? 'open';
    const level = outside === 'open' ? (hasPullUp ? 'high' : 'low') : outside;
    const { port, bit } = placeOf(pin);
    this.#ports[port].setPin(bit, level === 'high');
    this.#note(pin, level);
  }

  #note(pin: number, level: Level): void {
    if (this.#last[pin] === level) return;
    this.#last[pin] = level;
    if (((this.#outside.watched >> pin) & 1) === 0 || this.#edges.length >= MAX_EDGES) return;
    this.#edges.push({ pin, level, atMs: this.#cpu.cycles / CYCLES_PER_MS });
  }

  #isSet(address: number, bit: number): boolean {
    return (((this.#cpu.data[address] ?? 0) >> bit) & 1) === 1;
  }
}
