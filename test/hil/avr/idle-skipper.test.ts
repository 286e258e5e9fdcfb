import test from 'ava';
import { CYCLES_PER_MS } from '../../../src/hil/avr/atmega328p.js';
import { ChipBench, firmware, program } from '../../support/chip-bench.js';
import * as firmata from '../../support/firmata-bytes.js';

/** What somebody could do to a board, and at which ms. */
const STIMULI: Readonly<Record<number, (bench: ChipBench) => void>> = {
  2000: (bench) => bench.send(...firmata.REPORT_FIRMWARE),
  2050: (bench) => bench.send(...firmata.samplingInterval(7), ...firmata.reportAnalog(0, true)),
  2060: (bench) => bench.chip.setAnalog(0, 3.3),
  2100: (bench) => bench.send(...firmata.pinMode(2, firmata.MODE.input), ...firmata.reportDigital(0, true)),
  2120: (bench) => bench.setDigital(2, 'low'),
  2133: (bench) => bench.setDigital(2, 'high'),
  2150: (bench) => bench.send(...firmata.pinMode(6, firmata.MODE.pwm), ...firmata.analogWrite(6, 77)),
  2160: (bench) => bench.send(...firmata.pinMode(9, firmata.MODE.pwm), ...firmata.analogWrite(9, 200)),
  2200: (bench) => bench.send(...firmata.pinMode(13, firmata.MODE.output), ...firmata.digitalWrite(1, 0x20)),
  2220: (bench) => bench.send(...firmata.pinMode(11, firmata.MODE.pwm), ...firmata.analogWrite(11, 1)),
  2240: (bench) => bench.send(...firmata.analogWrite(6, 200), ...firmata.reportAnalog(0, false)),
};

test('a board that skips idle turns does in every ms exactly what one does that runs each cycle', (t) => {
  const flash = firmware('firmata');
  const skipping = new ChipBench({ flash });
  const plain = new ChipBench({ flash, skipsIdle: false });
  for (let ms = 0; ms < 2300; ms += 1) {
    for (const bench of [skipping, plain]) {
      STIMULI[ms]?.(bench);
      bench.run(1);
    }
    if (
      skipping.chip.cycles !== plain.chip.cycles ||
      !Buffer.from(skipping.chip.registers).equals(plain.chip.registers)
    ) {
      t.is(skipping.chip.cycles, plain.chip.cycles, `cycles after ${ms} ms`);
      t.deepEqual([...skipping.chip.registers], [...plain.chip.registers], `registers after ${ms} ms`);
    }
  }
  t.deepEqual(skipping.takeSent(), plain.takeSent());
  t.deepEqual(skipping.edges, plain.edges);
  t.true(skipping.edges.length > 100);
  t.is(plain.chip.skippedCycles, 0);
});

test('nine tenths of an idle board are skipped', (t) => {
  const bench = new ChipBench({ flash: firmware('firmata') }).run(2000);
  const before = bench.chip.skippedCycles;
  bench.run(500);
  const share = (bench.chip.skippedCycles - before) / (500 * CYCLES_PER_MS);
  t.log(`${(share * 100).toFixed(1)} % skipped`);
  t.true(share > 0.8);
});

test('the shortest loop there is, a jump to itself, is skipped and stays where it is', (t) => {
  const bench = new ChipBench({ flash: program(0xcfff) }).run(1000); // rjmp .-2
  t.true(bench.chip.skippedCycles > 990 * CYCLES_PER_MS);
});

test('a loop that counts is no idle loop', (t) => {
  const bench = new ChipBench({ flash: program(0x9403, 0xcffe) }).run(50); // inc r0; rjmp .-4
  t.is(bench.chip.skippedCycles, 0);
});

test('a loop that only writes to a port is no idle loop: every edge comes', (t) => {
  const bench = new ChipBench({ flash: program(0x9a25, 0x9a1d, 0xcffe) }).run(1); // sbi DDRB,5; sbi PINB,5; rjmp .-4
  t.is(bench.chip.skippedCycles, 0);
  t.true(bench.edgesOf(13).length > 1000);
});
