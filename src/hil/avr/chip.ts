// The chip: an ATmega328P made of avr8js's CPU and peripherals, from power-on to the next reset. It knows no time but its own
// cycles, and no thread: `run` until a cycle, look at what came out.
//
// A reset makes a new Chip. What is outside of it (levels at the inputs, volts, EEPROM, I2C devices) is given to the new one.

import {
  AVRADC,
  AVRClock,
  AVREEPROM,
  AVRSPI,
  AVRWatchdog,
  adcConfig,
  avrInstruction,
  CPU,
  type EEPROMBackend,
  spiConfig,
  timer0Config,
  timer1Config,
  timer2Config,
  watchdogConfig,
} from 'avr8js';
import {
  CLOCK_HZ,
  FLASH_BYTES,
  MCUSR,
  REGISTER_BYTES,
  RESET_CAUSES,
  type ResetCause,
  SRAM_BYTES,
} from './atmega328p.js';
import { ChipPins, type PinsOutside } from './chip-pins.js';
import { ChipTwi, type TwiBus } from './chip-twi.js';
import { ChipUart } from './chip-uart.js';
import { IdleSkipper } from './idle-skipper.js';
import { LazyTimers } from './lazy-timers.js';

const FLASH_WORDS = FLASH_BYTES / 2;

export interface ChipOutside {
  readonly pins: PinsOutside;
  /** Volts at A0..A7. */
  readonly volts: readonly number[];
  readonly eeprom: Uint8Array;
  readonly twi: TwiBus;
  /** Default true; false runs each cycle, for comparison. */
  readonly skipsIdle?: boolean;
}

export class Chip {
  readonly uart: ChipUart;
  readonly pins: ChipPins;
  readonly twi: ChipTwi;
  readonly #cpu: CPU;
  readonly #adc: AVRADC;
  readonly #skipper: IdleSkipper;
  #wantsReset = false;

  /** `flash`: 32 KiB. */
  constructor(flash: Uint8Array, cause: ResetCause, outside: ChipOutside) {
    const cpu = new CPU(new Uint16Array(flash.slice().buffer), SRAM_BYTES);
    this.#cpu = cpu;
    // The watchdog's doing. avr8js would reset stack and program counter only, and leave the peripherals as they are.
    cpu.reset = () => {
      this.#wantsReset = true;
    };
    this.#skipper = new IdleSkipper(cpu);
    this.pins = new ChipPins(cpu, outside.pins);
    const timers = new LazyTimers(cpu, [timer0Config, timer1Config, timer2Config]);
    this.uart = new ChipUart(cpu, CLOCK_HZ);
    this.twi = new ChipTwi(cpu, CLOCK_HZ, outside.twi);
    this.#adc = new AVRADC(cpu, adcConfig);
    for (const [channel, volts] of outside.volts.entries()) this.setAnalog(channel, volts);
    new AVREEPROM(cpu, eepromIn(outside.eeprom));
    new AVRSPI(cpu, spiConfig, CLOCK_HZ); // nothing is connected to it: reads 0
    new AVRWatchdog(cpu, watchdogConfig, new AVRClock(cpu, CLOCK_HZ));
    cpu.data[MCUSR] = RESET_CAUSES[cause];
    if (outside.skipsIdle ?? true) this.#goEasy(timers);
  }

  /** Last of all: both look at what the peripherals have hooked in. */
  #goEasy(timers: LazyTimers): void {
    timers.startBeingLazy();
    this.#skipper.watch(timers);
  }

  /** Since the reset. */
  get cycles(): number {
    return this.#cpu.cycles;
  }

  /** Of `cycles`, those that were skipped in idle loops. */
  get skippedCycles(): number {
    return this.#skipper.skippedCycles;
  }

  /** The data space up to the SRAM. */
  get registers(): Uint8Array {
    return this.#cpu.data.subarray(0, REGISTER_BYTES);
  }

  /** `waiting`: for an I2C device; it goes on by itself. `watchdog-reset`: this chip is at its end. */
  get state(): 'running' | 'waiting' | 'watchdog-reset' {
    if (this.#wantsReset) return 'watchdog-reset';
    return this.twi.isWaiting ? 'waiting' : 'running';
  }

  setAnalog(channel: number, volts: number): void {
    this.#adc.channelValues[channel] = volts;
  }

  /** Runs to `until` cycles, some more for the last instruction; less if the state changes. */
  run(until: number): void {
    const cpu = this.#cpu;
    const skipper = this.#skipper;
    this.uart.feed();
    skipper.begin(until);
    while (cpu.cycles < until && !this.twi.isWaiting && !this.#wantsReset) {
      avrInstruction(cpu);
      cpu.tick();
      if (cpu.pc === skipper.anchor) skipper.arrive();
    }
    if (cpu.pc >= FLASH_WORDS) cpu.pc %= FLASH_WORDS; // the program counter has 14 bits; avr8js runs on into nothing
  }
}

function eepromIn(memory: Uint8Array): EEPROMBackend {
  return {
    readMemory: (address) => memory[address % memory.length] ?? 0xff,
    writeMemory: (address, value) => {
      const at = address % memory.length;
      memory[at] = (memory[at] ?? 0xff) & value; // writing clears bits, erasing sets them
    },
    eraseMemory: (address) => {
      memory[address % memory.length] = 0xff;
    },
  };
}
