import test from 'ava';
import { CYCLES_PER_MS, FLASH_BYTES } from '../../../src/hil/avr/atmega328p.js';
import { type FromBoard, SharedBoard } from '../../../src/hil/avr/board-protocol.js';
import { BoardRunner } from '../../../src/hil/avr/board-runner.js';
import { Pacer } from '../../../src/hil/avr/pacer.js';
import { program } from '../../support/chip-bench.js';
import { FakeClock } from '../../support/fake-clock.js';

const IDLE = program(0xcfff); // rjmp .
/** Lets the watchdog bite 16 ms after the reset. */
const BITTEN = program(0xe108, 0x9300, 0x0060, 0xe008, 0x9300, 0x0060, 0xcfff);

interface Desk {
  readonly clock: FakeClock;
  readonly runner: BoardRunner;
  readonly shared: SharedBoard;
  readonly said: FromBoard[];
}

/** A runner without a thread, on a clock that the test moves. */
function desk(flash: Uint8Array, speed = 1): Desk {
  const clock = new FakeClock();
  const shared = new SharedBoard();
  const said: FromBoard[] = [];
  const runner = new BoardRunner({
    setup: { memory: shared.memory, flash, speed },
    clock,
    post: (message) => said.push(message),
  });
  return { clock, runner, shared, said };
}

test('a board keeps step with the clock, at its speed', async (t) => {
  for (const speed of [0.5, 1, 3]) {
    const { clock, runner, shared, said } = desk(IDLE, speed);
    runner.handle({ kind: 'start', id: 7, cause: 'power-on' });
    t.deepEqual(said, [{ kind: 'started', id: 7 }]);
    await clock.advance(400);
    const behindMs = 400 * speed - shared.figure('simulatedMs');
    t.true(behindMs >= -1 && behindMs <= 4 * speed, `speed ${speed}: ${behindMs} ms behind`);
    t.is(shared.figure('lostMs'), 0);
  }
});

test('between two turns it sleeps, and without power it does nothing at all', async (t) => {
  const { clock, runner, shared } = desk(IDLE);
  t.is(clock.pending, 0);
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(10);
  t.is(clock.pending, 1);
  t.is(clock.nextIn, 2);
  runner.handle({ kind: 'power-off' });
  t.is(clock.pending, 0);
  const { length } = shared.registers.filter((value) => value !== 0);
  t.is(length, 0);
});

test('with bytes on the UART it looks more often', async (t) => {
  const { clock, runner } = desk(IDLE);
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  runner.handle({ kind: 'serial', bytes: Uint8Array.of(1) });
  t.is(clock.nextIn, 1);
  await clock.advance(50);
  t.true((clock.nextIn ?? 0) > 1);
});

test('a watchdog that bites starts the firmware afresh, over and over', async (t) => {
  const { clock, runner, shared } = desk(BITTEN);
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(100);
  t.true(shared.figure('cycles') < 20 * CYCLES_PER_MS);
  t.true(shared.figure('simulatedMs') > 80);
  t.is((shared.registers[0x54] ?? 0) & 0x08, 0x08); // MCUSR: a watchdog reset
});

test('figures go on over resets', async (t) => {
  const { clock, runner, shared } = desk(IDLE);
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(40);
  runner.handle({ kind: 'start', id: 2, cause: 'external' });
  await clock.advance(20);
  t.true(shared.figure('cycles') <= 21 * CYCLES_PER_MS);
  t.true(shared.figure('simulatedMs') > 50);
  t.true(shared.figure('poweredMs') > 50);
});

test('levels and volts that were set without power are there when it comes', async (t) => {
  const { clock, runner, shared } = desk(IDLE);
  runner.handle({ kind: 'digital', pin: 2, level: 'high' });
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(5);
  t.is((shared.registers[0x29] ?? 0) & 0x04, 0x04); // PIND
});

/** Starts an I2C transfer to address 0x18 and waits for ever. */
const TWI_START = program(
  0xea04, // ldi r16, TWINT | TWSTA | TWEN
  0x9300, // sts TWCR, r16
  0x00bc,
  0x9110, // lds r17, TWCR
  0x00bc,
  0xff17, // sbrs r17, TWINT
  0xcffc, // rjmp -4
  0xe320, // ldi r18, 0x30: address 0x18, write
  0x9320, // sts TWDR, r18
  0x00bb,
  0xe804, // ldi r16, TWINT | TWEN
  0x9300, // sts TWCR, r16
  0x00bc,
  0xcfff, // rjmp .
);

test('while an I2C device thinks the chip stands still, and then catches up', async (t) => {
  const { clock, runner, shared, said } = desk(TWI_START);
  runner.handle({ kind: 'twi-addresses', addresses: [0x18] });
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(50);
  const asked = said.find((message) => message.kind === 'twi');
  t.deepEqual(asked, { kind: 'twi', id: 1, act: 'start-write', address: 0x18, byte: 0 });
  t.true(shared.figure('simulatedMs') < 2);
  runner.handle({ kind: 'twi-answer', id: 99, value: 1 });
  t.true(shared.figure('simulatedMs') < 2);
  runner.handle({ kind: 'twi-answer', id: 1, value: 1 });
  t.true(shared.figure('simulatedMs') > 45);
  t.is((shared.registers[0xb9] ?? 0) & 0xf8, 0x18); // TWSR: SLA+W sent, acknowledged
});

test('an answer of an I2C device to a chip that has been reset meanwhile is for nobody', async (t) => {
  const { clock, runner, said } = desk(TWI_START);
  runner.handle({ kind: 'twi-addresses', addresses: [0x18] });
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(5);
  runner.handle({ kind: 'start', id: 2, cause: 'external' });
  runner.handle({ kind: 'twi-answer', id: 1, value: 1 });
  await clock.advance(5);
  t.deepEqual(
    said.filter((message) => message.kind === 'twi').map(({ id }) => id),
    [1, 2],
  );
});

test('a host that was busy for a moment is caught up with, one that was away for long is not', (t) => {
  const pacer = new Pacer(1, 1000);
  t.is(pacer.target(1010, 0), 10);
  t.is(pacer.target(1090, 10), 90);
  t.is(pacer.lostMs, 0);
  t.is(pacer.target(3090, 90), 190);
  t.is(pacer.lostMs, 1900);
  t.is(pacer.target(3100, 190), 200);
});

test('flash that is all erased is run through, round and round', async (t) => {
  const { clock, runner, shared } = desk(new Uint8Array(FLASH_BYTES).fill(0xff));
  runner.handle({ kind: 'start', id: 1, cause: 'power-on' });
  await clock.advance(20);
  t.true(shared.figure('simulatedMs') > 15);
});
