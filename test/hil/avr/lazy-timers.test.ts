import test from 'ava';
import { CYCLES_PER_MS } from '../../../src/hil/avr/atmega328p.js';
import { ChipBench, program } from '../../support/chip-bench.js';
import { fc } from '../../support/properties.js';

/** Where the program begins, in words: behind the 26 vectors, which only return. */
const MAIN = 0x34;
const VECTORS = new Array<number>(MAIN).fill(0x9518); // reti
/** ldi r16, value */
const load = (value: number): number => 0xe000 | ((value & 0xf0) << 4) | (value & 0x0f);
/** sts register, r16 */
const store = (register: number): number[] => [0x9300, register];

/** Control, counter, compare and interrupt registers of the three timers, as addresses. */
const REGISTERS = [
  [0x44, 0x45, 0x46, 0x47, 0x48, 0x35, 0x6e],
  [0x80, 0x81, 0x36, 0x6f],
  [0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0x37, 0x70],
].flat();
/** 16-bit registers of timer 1: the high byte is written first. */
const WIDE = [0x84, 0x86, 0x88, 0x8a];
/** 8-bit registers that firmware looks at. */
const READ = [0x46, 0x84, 0xb2, 0x35, 0x36, 0x37, 0x23, 0x29];

const CLOCK_SELECT = [0x45, 0x81, 0xb1];
/** The length of two instructions. */
const TOLERANCE_MS = 8 / CYCLES_PER_MS;

const byte = fc.nat(255);
/**
 * The smallest prescaler (1) is left out: avr8js takes one event an instruction, so there three timers that are due at every cycle
 * push each other back by an instruction, lazy ones less so.
 */
const slower = (register: number, value: number): number =>
  CLOCK_SELECT.includes(register) && (value & 7) === 1 ? value + 1 : value;
const set = fc.tuple(fc.constantFrom(...REGISTERS), byte).map(([to, value]) => [load(slower(to, value)), ...store(to)]);
const setWide = fc
  .tuple(fc.constantFrom(...WIDE), fc.nat(0x3ff))
  .map(([to, value]) => [load(value >> 8), ...store(to + 1), load(value & 0xff), ...store(to)]);
/** lds r17, from; then it goes into the SRAM at 0x100 + index. */
const look = fc.tuple(fc.constantFrom(...READ), byte).map(([from, index]) => [0x9110, from, 0x9310, 0x100 + index]);
/** ldi r18, turns; dec r18; brne .-4: three cycles a turn. */
const wait = fc.integer({ min: 1, max: 255 }).map((turns) => [load(turns) | 0x20, 0x952a, 0xf7f1]);

/** A program that outputs to all pins, sets timers, waits and looks at them, and then does nothing. */
const source = fc.tuple(fc.boolean(), fc.array(fc.oneof(set, setWide, look, wait), { minLength: 5, maxLength: 40 }));

function assemble([withInterrupts, steps]: readonly [boolean, readonly number[][]]): Uint8Array {
  const outputs = [load(0xff), ...store(0x24), ...store(0x2a)];
  const words = [...VECTORS, ...outputs, ...(withInterrupts ? [0x9478] : []), ...steps.flat(), 0xcfff];
  words[0] = 0xc000 | (MAIN - 1); // rjmp MAIN
  return program(...words);
}

/** Addresses that differ, each with both values, lazy first. */
function differences(lazy: ChipBench, plain: ChipBench): string[] {
  const [own, other] = [lazy, plain].map(({ chip }) => new Uint8Array(chip.registers.buffer));
  return [...(own ?? [])].flatMap((value, at) => {
    const expected = other?.[at] ?? 0;
    return value === expected ? [] : [`0x${at.toString(16)}: ${value}, not ${expected}`];
  });
}

/** The first edge that is another one, or at another time by more than the tolerance. */
function oddEdge(lazy: ChipBench, plain: ChipBench): string | undefined {
  for (const [index, { pin, level, atMs }] of plain.edges.entries()) {
    const own = lazy.edges[index];
    const isSame = own?.pin === pin && own.level === level && Math.abs(own.atMs - atMs) <= TOLERANCE_MS;
    if (!isSame) return `edge ${index}: ${JSON.stringify(own)}, not ${pin} ${level} ${atMs}`;
  }
  return lazy.edges.length === plain.edges.length ? undefined : 'more edges';
}

test('whatever firmware does to the timers, lazy ones and skipped turns leave memory and edges as they would be', (t) => {
  const property = fc.property(source, (parts) => {
    const flash = assemble(parts);
    const lazy = new ChipBench({ flash });
    const plain = new ChipBench({ flash, skipsIdle: false });
    for (let ms = 0; ms < 8; ms += 1) {
      lazy.run(1);
      plain.run(1);
      const found = differences(lazy, plain);
      if (found.length > 0) throw new Error(`after ${ms + 1} ms: ${found.join('; ')}`);
    }
    const edge = oddEdge(lazy, plain);
    if (edge !== undefined) throw new Error(edge);
  });
  const { failed, counterexample, errorInstance } = fc.check(property, { numRuns: 120 });
  t.false(failed, `${JSON.stringify(counterexample)}: ${String(errorInstance)}`);
});
