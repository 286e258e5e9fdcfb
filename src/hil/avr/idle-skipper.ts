// Makes an idle board cheap. Firmware that waits turns round in its main loop, some hundred cycles a turn, a million times for
// nothing. One turn that changed nothing (memory, registers, program counter as before; no peripheral touched) is followed by the
// same turn again, until an interrupt or something from outside comes. So whole turns are skipped up to the next thing that a
// timer does. What the firmware sees is the same as without: the cycle counter moves by whole turns.
//
//   turn | turn | ......... skipped ......... | turn | timer 0 overflows: interrupt, millis() goes on | turn | turn | ....
//
// How it is found out: the program counter is noted with a copy of the memory (the anchor); when the program comes by there again
// and the memory is equal, that was a turn.

import type { CPU } from 'avr8js';
import type { LazyTimers } from './lazy-timers.js';

/** A turn longer than this is not waited for. */
const MAX_TURN_CYCLES = 8192;
/** After so many visits to an anchor without an equal memory ... */
const MAX_MISSES = 8;
/** ... it is left alone for so long: the program is busy, and comparing costs. */
const REST_CYCLES = 2000;
const NO_ANCHOR = -1;

export class IdleSkipper {
  /** Program counter at which `arrive` is to be called; -1 = none. */
  anchor = NO_ANCHOR;
  skippedCycles = 0;
  readonly #cpu: CPU;
  readonly #snapshot: Buffer;
  readonly #memory: Buffer;
  #timers: LazyTimers | undefined;
  #until = 0;
  #anchoredAt = 0;
  #restsUntil = Number.POSITIVE_INFINITY;
  #misses = 0;
  /** The anchor has been a turn before. */
  #isProven = false;
  /** A peripheral was touched since the anchor: the turn is not the same again. */
  #isTouched = false;
  /** Events of peripherals that are due: a byte on its way, a conversion, a watchdog. */
  #pendingEvents = 0;

  constructor(cpu: CPU) {
    this.#cpu = cpu;
    this.#memory = Buffer.from(cpu.data.buffer);
    this.#snapshot = Buffer.alloc(cpu.data.length);
  }

  /** Switches it on; to be called when all peripherals are there: looks at their hooks and events from then on. */
  watch(timers: LazyTimers): void {
    this.#timers = timers;
    this.#restsUntil = 0;
    this.#watchHooks();
    this.#watchEvents(timers);
  }

  /** The chip is about to run to `until`. */
  begin(until: number): void {
    const { cycles } = this.#cpu;
    this.#until = until;
    if (this.anchor !== NO_ANCHOR && cycles - this.#anchoredAt > MAX_TURN_CYCLES) this.#rest();
    if (this.anchor === NO_ANCHOR && cycles >= this.#restsUntil) this.#drop();
  }

  /** The program is at the anchor. */
  arrive(): void {
    const isSame = !this.#isTouched && this.#pendingEvents === 0 && this.#cpu.nextInterrupt < 0 && this.#isMemorySame();
    if (isSame) this.#skip(this.#cpu.cycles - this.#anchoredAt);
    else this.#miss();
  }

  #skip(turnCycles: number): void {
    const { cycles } = this.#cpu;
    const turns = Math.floor((Math.min(this.#until, this.#timers?.nextEvent() ?? 0) - cycles) / turnCycles);
    if (turns > 0) {
      this.#cpu.cycles += turns * turnCycles;
      this.skippedCycles += turns * turnCycles;
    }
    this.#isProven = true;
    this.#misses = 0;
    this.#anchoredAt = this.#cpu.cycles;
  }

  /** At a proven anchor an interrupt has been, most likely: the next turn counts. A new one may lie in a routine that is called often. */
  #miss(): void {
    this.#misses += 1;
    if (this.#misses > MAX_MISSES) this.#rest();
    else if (this.#isProven || this.#isTouched) this.#note();
  }

  #rest(): void {
    this.anchor = NO_ANCHOR;
    this.#isProven = false;
    this.#misses = 0;
    this.#restsUntil = this.#cpu.cycles + REST_CYCLES;
  }

  #drop(): void {
    this.anchor = this.#cpu.pc;
    this.#note();
  }

  #note(): void {
    this.#snapshot.set(this.#memory);
    this.#anchoredAt = this.#cpu.cycles;
    this.#isTouched = false;
  }

  #isMemorySame(): boolean {
    return this.#memory.compare(this.#snapshot) === 0;
  }

  #watchHooks(): void {
    const { readHooks, writeHooks } = this.#cpu;
    for (let address = 0; address < this.#memory.length; address += 1) {
      const read = readHooks[address];
      const write = writeHooks[address];
      if (read) {
        readHooks[address] = (from) => {
          this.#isTouched = true;
          return read(from);
        };
      }
      if (write) {
        writeHooks[address] = (value, old, at, mask) => {
          this.#isTouched = true;
          return write(value, old, at, mask);
        };
      }
    }
  }

  #watchEvents(timers: LazyTimers): void {
    const add = this.#cpu.addClockEvent.bind(this.#cpu);
    this.#cpu.addClockEvent = (callback, cycles) => {
      if (timers.isTimer(callback)) return add(callback, cycles);
      this.#pendingEvents += 1;
      return add(() => {
        this.#pendingEvents -= 1;
        callback();
      }, cycles);
    };
  }
}
