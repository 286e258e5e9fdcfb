// The duty cycle of a pin, read from the registers of the timer behind it. ATmega328P data sheet (DS40002061), chapters "8-bit
// Timer/Counter0 with PWM", "16-bit Timer/Counter1 with PWM", "8-bit Timer/Counter2 with PWM".

import { levelOf, modeOf, type Registers } from './pins.js';

interface CompareUnit {
  readonly controlA: number;
  readonly controlB: number;
  /** Bit of COMnx0 in the control register A. */
  readonly shift: 6 | 4;
  readonly compare: number;
  /** Registers of OCRnA and ICR1, where TOP may stand. */
  readonly compareA: number;
  readonly bits: 8 | 16;
}

const TIMER0 = { controlA: 0x44, controlB: 0x45, compareA: 0x47, bits: 8 } as const;
const TIMER1 = { controlA: 0x80, controlB: 0x81, compareA: 0x88, bits: 16 } as const;
const TIMER2 = { controlA: 0xb0, controlB: 0xb1, compareA: 0xb3, bits: 8 } as const;
const ICR1 = 0x86;

/** Pin -> OCnx, as on the Uno. */
const UNITS: Readonly<Record<number, CompareUnit>> = {
  6: { ...TIMER0, shift: 6, compare: 0x47 },
  5: { ...TIMER0, shift: 4, compare: 0x48 },
  9: { ...TIMER1, shift: 6, compare: 0x88 },
  10: { ...TIMER1, shift: 4, compare: 0x8a },
  11: { ...TIMER2, shift: 6, compare: 0xb3 },
  3: { ...TIMER2, shift: 4, compare: 0xb4 },
};

type Top = 0xff | 0x1ff | 0x3ff | 'compare-a' | 'icr';

interface Waveform {
  readonly slope: 'single' | 'dual';
  readonly top: Top;
}

/** By WGM bits; modes that are no PWM are left out. */
const WAVEFORMS_8: Readonly<Record<number, Waveform>> = {
  1: { slope: 'dual', top: 0xff },
  3: { slope: 'single', top: 0xff },
  5: { slope: 'dual', top: 'compare-a' },
  7: { slope: 'single', top: 'compare-a' },
};
const WAVEFORMS_16: Readonly<Record<number, Waveform>> = {
  1: { slope: 'dual', top: 0xff },
  2: { slope: 'dual', top: 0x1ff },
  3: { slope: 'dual', top: 0x3ff },
  5: { slope: 'single', top: 0xff },
  6: { slope: 'single', top: 0x1ff },
  7: { slope: 'single', top: 0x3ff },
  8: { slope: 'dual', top: 'icr' },
  9: { slope: 'dual', top: 'compare-a' },
  10: { slope: 'dual', top: 'icr' },
  11: { slope: 'dual', top: 'compare-a' },
  14: { slope: 'single', top: 'icr' },
  15: { slope: 'single', top: 'compare-a' },
};

/** 0..1. What no timer drives by PWM has its level: 0 or 1. */
export function dutyOf(registers: Registers, pin: number): number {
  const level = levelOf(registers, pin) === 'high' ? 1 : 0;
  const unit = UNITS[pin];
  if (!unit || modeOf(registers, pin) !== 'output') return level;
  const connection = (byteAt(registers, unit.controlA) >> unit.shift) & 3;
  const waveform = waveformOf(registers, unit);
  if (connection < 2 || !waveform) return level;
  const share = highShare(registers, unit, waveform);
  return connection === 2 ? share : 1 - share;
}

/** Of a non-inverting output. With one slope the compare value itself still counts: OCR = TOP is always high, 0 a short spike. */
function highShare(registers: Registers, unit: CompareUnit, { slope, top }: Waveform): number {
  const compare = valueAt(registers, unit.compare, unit.bits);
  const last = topOf(registers, unit, top);
  const share = slope === 'single' ? (compare + 1) / (last + 1) : compare / Math.max(1, last);
  return Math.min(1, share);
}

function waveformOf(registers: Registers, { controlA, controlB, bits }: CompareUnit): Waveform | undefined {
  const low = byteAt(registers, controlA) & 3;
  const control = byteAt(registers, controlB);
  return bits === 8 ? WAVEFORMS_8[((control & 8) >> 1) | low] : WAVEFORMS_16[((control & 0x18) >> 1) | low];
}

function topOf(registers: Registers, unit: CompareUnit, top: Top): number {
  if (top === 'icr') return valueAt(registers, ICR1, 16);
  return top === 'compare-a' ? valueAt(registers, unit.compareA, unit.bits) : top;
}

function valueAt(registers: Registers, address: number, bits: 8 | 16): number {
  return bits === 8 ? byteAt(registers, address) : byteAt(registers, address) | (byteAt(registers, address + 1) << 8);
}

function byteAt(registers: Registers, address: number): number {
  return registers[address] ?? 0;
}
