// The three timers of the chip, with fewer events. avr8js counts each of them at every step of its prescaler, 250,000 times a
// second as Arduino sets them, though it can take many steps at once. So here a timer is called when something comes of it: a
// compare match, TOP, or 0; and one with no interrupt, no pin and no flag left to set, hardly ever. Before firmware reads or changes
// a timer it is brought up to date, so that it sees the same as without.

import { AVRTimer, type AVRTimerConfig, type CPU } from 'avr8js';

/** A timer of which nothing comes is counted on after so many cycles all the same. */
const UNNOTICED_CYCLES = 65_536;

/** Modes that count up and down, by WGM bits (8-bit timers; 16-bit timers). */
const DUAL_SLOPE_8: readonly number[] = [1, 5];
const DUAL_SLOPE_16: readonly number[] = [1, 2, 3, 8, 9, 10, 11];
/** Overflow, compare A, compare B: flags in TIFR and their interrupts in TIMSK. */
const ALL_FLAGS = 0b111;
/** COMnA and COMnB: the timer drives pins. */
const OUTPUTS = 0xf0;

/** In PWM modes a value that is written counts from the next round; until then the timer compares with these, which no register shows. */
interface ActiveCompare {
  readonly ocrA?: number;
  readonly ocrB?: number;
}

/** A round of fewer steps is gone through one by one. */
const SHORT_ROUND = 16;

interface LazyTimer {
  readonly timer: AVRTimer;
  readonly config: AVRTimerConfig;
}

export class LazyTimers {
  readonly #cpu: CPU;
  readonly #timers: readonly LazyTimer[];
  readonly #byCount: ReadonlyMap<() => void, LazyTimer>;

  constructor(cpu: CPU, configs: readonly AVRTimerConfig[]) {
    this.#cpu = cpu;
    this.#timers = configs.map((config) => ({ timer: new AVRTimer(cpu, config), config }));
    this.#byCount = new Map(this.#timers.map((lazy) => [lazy.timer.count, lazy]));
  }

  /** Before this they are avr8js's own. */
  startBeingLazy(): void {
    const add = this.#cpu.addClockEvent.bind(this.#cpu);
    this.#cpu.addClockEvent = (callback, cycles) => {
      const lazy = this.#byCount.get(callback);
      // 0: firmware has set the counter or the prescaler, which counts from now.
      return add(callback, lazy && cycles > 0 ? cycles + this.#idleCycles(lazy) : cycles);
    };
    for (const lazy of this.#timers) this.#followChanges(lazy);
  }

  /** Whether an event is a timer's. */
  isTimer(callback: () => void): boolean {
    return this.#byCount.has(callback);
  }

  /** The cycle before which no timer does anything that firmware or a pin could notice. */
  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const lazy of this.#timers) {
      lazy.timer.count(false); // brings the counter up to now
      if (isNoticed(this.#cpu.data, lazy))
        next = Math.min(next, this.#cpu.cycles + cyclesToEvent(this.#cpu.data, lazy));
    }
    return next;
  }

  #idleCycles(lazy: LazyTimer): number {
    const { data } = this.#cpu;
    return isNoticed(data, lazy) ? Math.min(cyclesToEvent(data, lazy), UNNOTICED_CYCLES) : UNNOTICED_CYCLES;
  }

  /** What was counted up to a change was counted under the old settings, and the next event may be another one. */
  #followChanges({ timer, config }: LazyTimer): void {
    const { TCCRA, TCCRB, TCCRC, TIMSK, TIFR, OCRA, OCRB, ICR } = config;
    for (const register of [TCCRA, TCCRB, TCCRC, TIMSK, TIFR, OCRA, OCRB, ICR]) {
      const write = register === 0 ? undefined : this.#cpu.writeHooks[register];
      if (!write) continue;
      this.#cpu.writeHooks[register] = (value, old, address, mask) => {
        timer.count(false);
        const isWritten = write(value, old, address, mask);
        if (register !== TCCRB) this.#cpu.updateClockEvent(timer.count, 0); // TCCRB does it itself
        return isWritten;
      };
    }
  }
}

/** A timer with an interrupt, a pin, or a flag that it has yet to set. The others count for nobody. */
function isNoticed(data: Uint8Array, { timer, config }: LazyTimer): boolean {
  const hasInterrupt = (timer.TIMSK & ALL_FLAGS) !== 0;
  const hasOutput = (timer.TCCRA & OUTPUTS) !== 0;
  const flags = (data[config.TIFR] ?? 0) & ALL_FLAGS;
  return hasInterrupt || hasOutput || flags !== ALL_FLAGS;
}

/** Cycles that are left over before the counter is a step from the nearest value at which the timer does something. */
function cyclesToEvent(data: Uint8Array, { timer, config }: LazyTimer): number {
  const divider = config.dividers[timer.CS];
  if (divider === 0) return Number.POSITIVE_INFINITY; // stopped, or counts a pin, which is an event of its own
  const counter = timer.debugTCNT;
  const { ocrA, ocrB }: ActiveCompare = timer as unknown as ActiveCompare; // private there: see ActiveCompare
  const written = [compareValue(data, config, config.OCRA), compareValue(data, config, config.OCRB)];
  const values = [...written, ocrA ?? 0, ocrB ?? 0, timer.TOP, 0];
  const isDual = (config.bits === 8 ? DUAL_SLOPE_8 : DUAL_SLOPE_16).includes(timer.WGM);
  let counts = isDual && timer.TOP >= SHORT_ROUND ? maxOf(config) + 1 - counter : longestStep(timer.TOP, counter);
  for (const value of values) {
    const distance = isDual ? Math.abs(value - counter) : value - counter;
    if (distance > 0 && distance < counts) counts = distance;
  }
  return (counts - 1) * divider;
}

/**
 * Upwards avr8js takes several steps at once, but not a whole round: it would see no match. Half a round leaves room for the
 * length of an instruction. A counter above TOP it takes back at the next step, where the real one goes on to its end.
 */
function longestStep(top: number, counter: number): number {
  if (counter > top || top < SHORT_ROUND) return 1;
  return Math.min(top + 1 - counter, Math.ceil((top + 1) / 2));
}

function maxOf({ bits }: AVRTimerConfig): number {
  return bits === 8 ? 0xff : 0xffff;
}

function compareValue(data: Uint8Array, config: AVRTimerConfig, register: number): number {
  const low = data[register] ?? 0;
  return config.bits === 8 ? low : low | ((data[register + 1] ?? 0) << 8);
}
