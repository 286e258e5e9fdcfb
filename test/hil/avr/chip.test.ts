import test from 'ava';
import { EEPROM_BYTES } from '../../../src/hil/avr/atmega328p.js';
import { HTU21D_ADDRESS, Htu21d } from '../../../src/hil/avr/htu21d.js';
import { levelOf, modeOf, portRegister } from '../../../src/hil/avr/pins.js';
import { dutyOf } from '../../../src/hil/avr/pwm.js';
import { ChipBench, firmware, program } from '../../support/chip-bench.js';
import * as firmata from '../../support/firmata-bytes.js';
import { fc } from '../../support/properties.js';

/** StandardFirmata blinks its version before it listens. */
const BOOT_MS = 2000;

/** Booting takes most of a second: one chip serves many tests, which have it reset its pins first. */
const shared = new ChipBench({ flash: firmware('firmata') }).run(BOOT_MS);
const boot = shared.takeSent();

/** A chip on which StandardFirmata is up and all is as after the start. */
function firmataBench(): ChipBench {
  shared.send(...firmata.SYSTEM_RESET).run(10);
  shared.takeSent();
  shared.edges.length = 0;
  return shared;
}

test("Blink: pin 13 is on for a second and off for a second of the chip's own time", (t) => {
  const bench = new ChipBench({ flash: firmware('blink') }).run(3100);
  const edges = bench.edges.filter(({ pin }) => pin === 13);
  t.deepEqual(
    edges.map(({ level }) => level),
    ['high', 'low', 'high', 'low'].slice(0, edges.length),
  );
  t.is(edges.length, 4);
  const gaps = edges.slice(1).map(({ atMs }, index) => atMs - (edges[index]?.atMs ?? 0));
  for (const gap of gaps) t.true(Math.abs(gap - 1000) < 1, `${gap} ms`);
});

test('StandardFirmata reports protocol 2.4 and its name when it is up', (t) => {
  t.deepEqual(boot.slice(0, 3), firmata.VERSION_REPORT);
  t.deepEqual(boot.slice(3, 7), [0xf0, 0x79, 2, 4]);
  t.is(firmata.textOf(boot.slice(7, -1)), 'StandardFirmata.ino');
});

test('it answers a request for its version, and for its name', (t) => {
  const bench = firmataBench();
  t.deepEqual(
    bench
      .send(...firmata.REPORT_VERSION)
      .run(5)
      .takeSent(),
    firmata.VERSION_REPORT,
  );
  const answer = bench
    .send(...firmata.REPORT_FIRMWARE)
    .run(20)
    .takeSent();
  t.is(firmata.textOf(answer.slice(4, -1)), 'StandardFirmata.ino');
});

test('bytes take their time at 57600 baud: 173 us each', (t) => {
  const bench = firmataBench()
    .send(...firmata.REPORT_FIRMWARE)
    .run(4);
  const early = bench.takeSent().length;
  bench.run(10);
  const all = early + bench.takeSent().length;
  t.is(all, 43);
  t.true(early > 10 && early < 25, `${early} bytes after 4 ms`);
});

test('a digital write sets bit 5 of port B, and the pin', (t) => {
  const bench = firmataBench()
    .send(...firmata.pinMode(13, firmata.MODE.output), ...firmata.digitalWrite(1, 0x20))
    .run(5);
  t.is(portRegister(bench.chip.registers, 'B') & 0x20, 0x20);
  t.is(levelOf(bench.chip.registers, 13), 'high');
  t.is(modeOf(bench.chip.registers, 13), 'output');
  bench.send(...firmata.digitalWrite(1, 0)).run(5);
  t.is(levelOf(bench.chip.registers, 13), 'low');
});

test('2.5 V at A0 read 512, 5 V the most there is', (t) => {
  const bench = firmataBench();
  for (const [volts, value] of [
    [0, 0],
    [2.5, 512],
    [3.3, 675],
    [5, 1023],
  ] as const) {
    bench.chip.setAnalog(0, volts);
    const sent = bench
      .send(...firmata.reportAnalog(0, true))
      .run(50)
      .takeSent();
    t.is(firmata.lastAnalog(sent, 0), value);
  }
});

test('an input that is driven from outside is reported; let go of, a pull-up makes it high', (t) => {
  const bench = firmataBench().send(...firmata.pinMode(2, firmata.MODE.input), ...firmata.digitalWrite(0, 4));
  bench.send(...firmata.reportDigital(0, true)).run(10);
  t.is(modeOf(bench.chip.registers, 2), 'pull-up');
  t.is(levelOf(bench.chip.registers, 2), 'high');
  bench.takeSent();
  t.deepEqual(bench.setDigital(2, 'low').run(5).takeSent(), [0x90, 0, 0]);
  t.deepEqual(bench.setDigital(2, 'open').run(5).takeSent(), [0x90, 4, 0]);
  t.deepEqual(
    bench.edges.filter(({ pin }) => pin === 2).map(({ level }) => level),
    ['high', 'low', 'high'],
  );
});

test('an input without pull-up that nothing drives is low', (t) => {
  const bench = firmataBench()
    .send(...firmata.pinMode(4, firmata.MODE.input))
    .run(5);
  t.is(modeOf(bench.chip.registers, 4), 'input');
  t.is(levelOf(bench.chip.registers, 4), 'low');
});

test('an analog write is the duty of its pin, on each of the six PWM pins', (t) => {
  const bench = firmataBench();
  for (const pin of [3, 5, 6, 9, 10, 11]) {
    bench.send(...firmata.pinMode(pin, firmata.MODE.pwm), ...firmata.analogWrite(pin, 64)).run(10);
    const duty = dutyOf(bench.chip.registers, pin);
    t.true(Math.abs(duty - 0.25) < 0.01, `pin ${pin}: ${duty}`);
    bench.send(...firmata.analogWrite(pin, 255)).run(10);
    t.is(dutyOf(bench.chip.registers, pin), 1, `pin ${pin}`);
    bench.send(...firmata.analogWrite(pin, 0)).run(10);
    t.is(dutyOf(bench.chip.registers, pin), 0, `pin ${pin}`);
  }
});

test('the duty that the registers say is the one that the pin has', (t) => {
  for (const pin of [6, 9, 11]) {
    const bench = firmataBench()
      .send(...firmata.pinMode(pin, firmata.MODE.pwm), ...firmata.analogWrite(pin, 51))
      .run(20);
    const edges = bench.edges.filter((edge) => edge.pin === pin).slice(-9);
    const first = edges.findIndex(({ level }) => level === 'high');
    const [up, down, again] = edges.slice(first).map(({ atMs }) => atMs);
    const measured = ((down ?? 0) - (up ?? 0)) / ((again ?? 0) - (up ?? 0));
    t.true(Math.abs(measured - dutyOf(bench.chip.registers, pin)) < 0.02, `pin ${pin}: ${measured}`);
  }
});

test('an I2C device answers what the firmware asks it', (t) => {
  const device = new Htu21d({ celsius: 21.5, percent: 40 });
  const bench = firmataBench();
  bench.twi.add(HTU21D_ADDRESS, device);
  bench.send(...firmata.i2cConfig(), ...firmata.i2cRead(HTU21D_ADDRESS, 0xe3, 2));
  const [high = 0, low = 0] = firmata.i2cData(bench.run(30).takeSent());
  t.is((-46.85 + (175.72 * ((high << 8) | low)) / 65536).toFixed(1), '21.5');
});

test('an address without a device is refused, and the firmware goes on', (t) => {
  const bench = firmataBench()
    .send(...firmata.i2cConfig(), ...firmata.i2cRead(0x23, 1, 2))
    .run(30);
  bench.takeSent();
  t.deepEqual(
    bench
      .send(...firmata.REPORT_VERSION)
      .run(5)
      .takeSent(),
    firmata.VERSION_REPORT,
  );
});

test('garbage on the UART does not stop it', (t) => {
  const bench = firmataBench();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      // A sysex that is open is closed.
      bench.send(...bytes, 0xf7).run(200);
      bench.takeSent();
      t.true(
        firmata.includes(
          bench
            .send(...firmata.REPORT_VERSION)
            .run(30)
            .takeSent(),
          firmata.VERSION_REPORT,
        ),
      );
    }),
    { numRuns: 10 },
  );
});

test('no byte is overrun, however many come at once', (t) => {
  const bench = firmataBench()
    .send(...firmata.pinMode(13, firmata.MODE.output))
    .run(5);
  for (let count = 0; count < 200; count += 1) bench.send(...firmata.digitalWrite(1, count % 2 === 0 ? 0x20 : 0));
  t.is(bench.run(200).edgesOf(13).length, 200);
});

test('what is beyond 64 KiB in front of the UART is dropped and counted', (t) => {
  const bench = new ChipBench({ flash: program(0xcfff) }); // rjmp .: never listens
  bench.chip.uart.receive(new Uint8Array(65_000));
  bench.chip.uart.receive(new Uint8Array(1000));
  t.is(bench.chip.uart.waiting, 65_536);
  t.is(bench.chip.uart.droppedBytes, 464);
});

test('bytes wait for a receiver that is switched off', (t) => {
  const bench = new ChipBench({ flash: program(0xcfff) }).send(1, 2, 3).run(100);
  t.is(bench.chip.uart.waiting, 3);
});

test('the EEPROM is written by the firmware, and clears what it writes over', (t) => {
  const eeprom = new Uint8Array(EEPROM_BYTES).fill(0xff);
  eeprom[5] = 0;
  const write = [
    0xe005, // ldi r16, 5
    0xbd01, // out EEARL, r16
    0xe412, // ldi r17, 0x42
    0xbd10, // out EEDR, r17
    0x9afa, // sbi EECR, EEMPE
    0x9af9, // sbi EECR, EEPE
    0xcfff, // rjmp .
  ];
  new ChipBench({ flash: program(...write), eeprom }).run(5);
  t.is(eeprom[5], 0x42);
  t.is(eeprom[4], 0xff);
});

test('a watchdog that runs out ends the chip', (t) => {
  const bite = [
    0xe108, // ldi r16, WDCE | WDE
    0x9300, // sts WDTCSR, r16
    0x0060,
    0xe008, // ldi r16, WDE: 16 ms
    0x9300, // sts WDTCSR, r16
    0x0060,
    0xcfff, // rjmp .
  ];
  const bench = new ChipBench({ flash: program(...bite) });
  t.is(bench.run(15).chip.state, 'running');
  t.is(bench.run(5).chip.state, 'watchdog-reset');
});

test('a program that runs off the end of the flash begins again', (t) => {
  const bench = new ChipBench({ flash: program(0x9a25, 0x9a1d) }).run(20); // sbi DDRB,5; sbi PINB,5; then erased flash
  t.true(bench.edgesOf(13).length > 5);
});
