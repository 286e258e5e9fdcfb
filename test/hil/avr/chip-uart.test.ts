import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { CPU, usart0Config } from 'avr8js';
import { CLOCK_HZ, SRAM_BYTES } from '../../../src/hil/avr/atmega328p.js';
import { ChipUart } from '../../../src/hil/avr/chip-uart.js';

const RECEIVER_ON = 0x10;
/** Long enough for one byte at any speed. */
const BYTE_CYCLES = 1_000_000;

/** A UART without firmware: the test takes the bytes. */
function makeUart() {
  const cpu = new CPU(new Uint16Array(16), SRAM_BYTES);
  const uart = new ChipUart(cpu, CLOCK_HZ);
  cpu.writeData(usart0Config.UCSRB, RECEIVER_ON);
  const take = (): number => {
    uart.feed();
    cpu.cycles += BYTE_CYCLES;
    cpu.tick();
    return cpu.readData(usart0Config.UDR);
  };
  return { uart, take };
}

/** The nth byte of a stream in which a lost or repeated one shows. */
const byteAt = (index: number): number => (index * 7) % 251;

/** What is in use after a full garbage collection, MiB. */
function heapMiB(): number {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  gc();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

test.serial('a board that is written to without a gap, for however long, keeps only what waits', (t) => {
  const { uart, take } = makeUart();
  const before = heapMiB();
  let sent = 0;
  let taken = 0;
  const send = (count: number): void => uart.receive(Uint8Array.from({ length: count }, () => byteAt(sent++)));
  send(40_000);
  let wrong = 0;
  for (let round = 0; round < 20; round += 1) {
    send(20_000);
    for (let count = 0; count < 20_000; count += 1) if (take() !== byteAt(taken++)) wrong += 1;
  }
  t.is(wrong, 0);
  t.is(uart.waiting, sent - taken - 1, 'all but the one that is just coming in');
  t.is(uart.droppedBytes, 0);
  const grown = heapMiB() - before;
  t.true(grown < 1, `${grown.toFixed(1)} MiB for ${sent} bytes`);
});

test('what comes while 64 KiB wait is dropped, its end first, and counted', (t) => {
  const { uart, take } = makeUart();
  uart.receive(new Uint8Array(60_000).fill(1));
  uart.receive(new Uint8Array(10_000).fill(2));
  t.deepEqual([uart.waiting, uart.droppedBytes], [65_536, 4_464]);
  for (let count = 0; count < 60_000; count += 1) take();
  t.deepEqual([take(), uart.droppedBytes], [2, 4_464]);
});
