import { readdirSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { SerialPort } from 'serialport';
import { systemClock } from '../../../src/core/clock.js';
import type { AvrBoard } from '../../../src/hil/avr/avr-board.js';
import { standardFirmataHex } from '../../../src/hil/avr/firmware.js';
import { MCP9808_ADDRESS, Mcp9808 } from '../../../src/hil/avr/mcp9808.js';
import { SHT31_ADDRESS, Sht31 } from '../../../src/hil/avr/sht31.js';
import { startAvrBoard } from '../../../src/hil/avr/start-avr-board.js';
import type { VirtualLine } from '../../../src/hil/virtual-line.js';
import { openPtyLine } from '../../../src/hil/virtual-pty-line.js';
import { eventually } from '../../support/eventually.js';
import * as firmata from '../../support/firmata-bytes.js';

/** A program that turns round at one place: rjmp . */
const IDLE = Buffer.from(':02000000FFCF30\n:00000001FF\n');
/** Generous: the machine may be busy. The board itself takes 2 s. */
const UP_MS = 30_000;

/** A line whose far end is the test. */
class DeskLine implements VirtualLine {
  readonly link = 'desk';
  readonly heard: number[] = [];
  state: 'plugged' | 'unplugged' | 'closed' = 'plugged';
  /** Why it cannot be plugged in. */
  refusal: Error | undefined;
  #listener: (chunk: Buffer) => void = () => {};

  /** Bytes for the board. */
  write(...bytes: number[]): void {
    this.#listener(Buffer.from(bytes));
  }

  send(bytes: Uint8Array): void {
    this.heard.push(...bytes);
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  unplug(): Promise<void> {
    this.state = 'unplugged';
    return Promise.resolve();
  }

  plug(): Promise<void> {
    if (this.refusal) return Promise.reject(this.refusal);
    this.state = 'plugged';
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.state = 'closed';
    return Promise.resolve();
  }
}

function firmataHex(): string {
  const path = standardFirmataHex();
  if (path === undefined) throw new Error('avrgirl-arduino is not installed: npm install');
  return path;
}

/** A board with its far end, closed at the end of the test. */
async function startBoard(t: ExecutionContext, hex: string | Buffer): Promise<{ board: AvrBoard; line: DeskLine }> {
  const line = new DeskLine();
  const board = await startAvrBoard({ line, hex, clock: systemClock });
  t.teardown(() => board.close());
  return { board, line };
}

/** Resolves when StandardFirmata has reported its version and its name since `heard` was emptied. */
function isUp({ board, line }: { board: AvrBoard; line: DeskLine }): Promise<void> {
  const isReported = (): boolean => firmata.includes(line.heard, firmata.VERSION_REPORT) && line.heard.at(-1) === 0xf7;
  return board.until(isReported, UP_MS, 'the version report');
}

test.serial(
  'StandardFirmata comes up in a thread, at the speed of the real one, and does what it is told',
  async (t) => {
    const desk = await startBoard(t, firmataHex());
    const { board, line } = desk;
    await isUp(desk);
    const { realTimeFactor, busyMs, skipped, lostMs } = board.stats;
    t.log(`up: ${realTimeFactor.toFixed(3)} x real time, ${busyMs.toFixed(0)} ms busy, ${lostMs.toFixed(0)} ms lost`);
    t.true(realTimeFactor < 1.02, `${realTimeFactor}`);
    t.true(skipped >= 0 && skipped < 1);

    line.write(...firmata.pinMode(13, firmata.MODE.output), ...firmata.digitalWrite(1, 0x20));
    await board.untilDigital(13, 'high', UP_MS);
    t.is(board.port('B') & 0x20, 0x20);
    t.is(board.mode(13), 'output');
    t.is(board.pwm(13), 1);

    board.setAnalog(0, 2.5);
    line.write(...firmata.reportAnalog(0, true));
    await board.until(() => firmata.lastAnalog(line.heard, 0) === 512, UP_MS, 'A0 to read 512');
  },
);

test.serial('the reset button starts the firmware afresh, and what is at its pins stays there', async (t) => {
  const desk = await startBoard(t, firmataHex());
  const { board, line } = desk;
  board.setDigital(2, 'high');
  board.eeprom[7] = 42;
  await isUp(desk);
  line.write(...firmata.pinMode(13, firmata.MODE.output), ...firmata.digitalWrite(1, 0x20), ...firmata.pinMode(2, 0));
  await board.until(() => board.digital(13) === 'high' && board.mode(2) === 'input', UP_MS);
  line.heard.length = 0;
  await board.reset();
  t.is(board.digital(13), 'low');
  await isUp(desk);
  line.write(...firmata.pinMode(2, firmata.MODE.input));
  await board.until(() => board.mode(2) === 'input' && board.digital(2) === 'high', UP_MS, 'the input to be high');
  t.is(board.eeprom[7], 42);
});

test.serial('I2C devices on the main thread answer the firmware in its', async (t) => {
  const desk = await startBoard(t, firmataHex());
  const { board, line } = desk;
  const stops: string[] = [];
  const hygrometer = Object.assign(new Sht31({ celsius: 25, percent: 40 }), { stop: () => stops.push('stop') });
  board.attachTwi(SHT31_ADDRESS, hygrometer);
  const detach = board.attachTwi(MCP9808_ADDRESS, new Mcp9808({ celsius: -10.5 }));
  await isUp(desk);

  line.heard.length = 0;
  line.write(...firmata.i2cConfig(), ...firmata.i2cRead(MCP9808_ADDRESS, 0x05, 2));
  await board.until(() => line.heard.at(-1) === 0xf7, UP_MS, 'the temperature');
  t.deepEqual(firmata.i2cData(line.heard), [0x1f, 0x58]);

  line.heard.length = 0;
  line.write(...firmata.i2cWrite(SHT31_ADDRESS, 0x24, 0x00), ...firmata.i2cReadOn(SHT31_ADDRESS, 6));
  await board.until(() => line.heard.at(-1) === 0xf7, UP_MS, 'the humidity');
  t.deepEqual(firmata.i2cData(line.heard).slice(0, 2), [0x66, 0x66]);
  t.true(stops.length > 0);

  detach();
  line.heard.length = 0;
  line.write(...firmata.i2cRead(MCP9808_ADDRESS, 0x05, 2), ...firmata.REPORT_VERSION);
  const isAnswered = (): boolean => firmata.includes(line.heard, firmata.VERSION_REPORT);
  await t.notThrowsAsync(board.until(isAnswered, UP_MS, 'the firmware to go on without it'));
});

test.serial(
  'without power the line is unplugged and every pin is low; with power the firmware starts afresh',
  async (t) => {
    const desk = await startBoard(t, firmataHex());
    const { board, line } = desk;
    await board.untilDigital(13, 'high', UP_MS);
    await board.powerOff();
    await board.powerOff();
    t.deepEqual([board.power, line.state], ['off', 'unplugged']);
    t.deepEqual([board.digital(13), board.mode(13), board.port('B')], ['low', 'input', 0]);
    const { simulatedMs } = board.stats;
    line.write(1);
    await board.reset();
    await board.powerOn();
    await board.powerOn();
    t.deepEqual([board.power, line.state], ['on', 'plugged']);
    await isUp(desk);
    t.true(board.stats.simulatedMs > simulatedMs + 1800);
  },
);

test.serial('a board on a pty talks Firmata to whoever opens it as a serial port', async (t) => {
  const line = await openPtyLine({ clock: systemClock });
  const board = await startAvrBoard({ line, hex: firmataHex(), clock: systemClock });
  t.teardown(() => board.close());
  const port = new SerialPort({ path: board.link.replace('serial:', ''), baudRate: 57_600 });
  const heard: number[] = [];
  port.on('data', (chunk: Buffer) => heard.push(...chunk));
  await eventually(() => firmata.includes(heard, firmata.VERSION_REPORT), 'the version report', UP_MS);
  port.write(Buffer.from(firmata.REPORT_FIRMWARE));
  await eventually(() => heard.filter((byte) => byte === 0x79).length === 2, 'the second report of the name', UP_MS);
  await eventually(() => heard.at(-1) === 0xf7, 'the whole name', UP_MS);
  await new Promise((resolve) => port.close(resolve));
  t.is(firmata.textOf(heard.slice(-39, -1)), 'StandardFirmata.ino');
});

test('a board that runs faster than real time has more time behind it', async (t) => {
  const board = await startAvrBoard({ line: new DeskLine(), hex: IDLE, clock: systemClock, speed: 5 });
  t.teardown(() => board.close());
  await t.notThrowsAsync(board.until(() => board.stats.realTimeFactor > 2, UP_MS, 'twice real time'));
});

test('what goes over the UART, and the edges of a pin, are told to those who listen, until they leave', async (t) => {
  const { board, line } = await startBoard(t, firmataHex());
  const serial: string[] = [];
  const levels: string[] = [];
  const leave = [
    board.onSerial((direction, bytes) => serial.push(`${direction} ${Buffer.from(bytes).toString('hex')}`)),
    board.onDigital(13, (level) => levels.push(level)),
  ];
  line.write(0x01, 0x02);
  t.deepEqual(serial, ['received 0102']);
  await board.until(() => levels.length === 4, UP_MS, 'two blinks');
  t.deepEqual(levels, ['high', 'low', 'high', 'low']);
  for (const unsubscribe of leave) unsubscribe();
  line.write(0x03);
  t.is(serial.length, 1);
});

test('a wait that is in vain says for what; one that throws says so', async (t) => {
  const { board } = await startBoard(t, IDLE);
  await t.throwsAsync(board.untilDigital(13, 'high', 20), {
    code: 'avr-timeout',
    message: 'waited 20 ms in vain for pin 13 to be high',
  });
  const bad = board.until(() => {
    throw new Error('oops');
  }, 20);
  await t.throwsAsync(bad, { code: 'avr-bad-condition' });
});

test('pins, channels, volts and addresses that there are not are refused', async (t) => {
  const { board } = await startBoard(t, IDLE);
  t.throws(() => board.digital(20), { message: 'an Uno has the pins 0 to 19 (14 = A0), not 20' });
  t.throws(() => board.setDigital(-1, 'high'), { code: 'avr-bad-pin' });
  t.throws(() => board.setAnalog(8, 1), { code: 'avr-bad-analog' });
  t.throws(() => board.setAnalog(0, 5.1), { code: 'avr-bad-analog' });
  t.throws(() => board.setAnalog(0, Number.NaN), { code: 'avr-bad-analog' });
  t.throws(() => board.attachTwi(0x80, new Sht31()), { code: 'avr-bad-address' });
});

test('firmware that is none, or is not there, is refused before anything is started', async (t) => {
  const line = new DeskLine();
  await t.throwsAsync(startAvrBoard({ line, hex: Buffer.from(':00\nx'), clock: systemClock }), {
    message: '<buffer>:1: the record is cut off: 2 digits',
  });
  await t.throwsAsync(startAvrBoard({ line, hex: '/nowhere.hex', clock: systemClock }), { code: 'ENOENT' });
  await t.throwsAsync(startAvrBoard({ line, hex: IDLE, clock: systemClock, speed: 0 }), { code: 'avr-bad-speed' });
});

test('close ends thread, line and waits, and may be called again', async (t) => {
  const line = new DeskLine();
  const board = await startAvrBoard({ line, hex: IDLE, clock: systemClock });
  const waiting = t.throwsAsync(
    board.until(() => false, UP_MS),
    { code: 'avr-closed' },
  );
  await Promise.all([board.close(), board.close()]);
  await waiting;
  t.is(line.state, 'closed');
  await t.throwsAsync(
    board.until(() => true, 10),
    { code: 'avr-closed' },
  );
  board.setDigital(2, 'high');
  await board.powerOn();
  t.is(board.power, 'off');
});

/** Its thread may hear a little later that the power is off. */
async function cyclesAtRest(board: AvrBoard): Promise<number> {
  for (;;) {
    const { cycles } = board.stats;
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (board.stats.cycles === cycles) return cycles;
  }
}

test('a board whose plug is pulled again while it goes in stays without power', async (t) => {
  const line = new DeskLine();
  const board = await startAvrBoard({ line, hex: IDLE, clock: systemClock });
  await board.powerOff();
  let letIn = (): void => {};
  line.plug = () => new Promise((resolve) => (letIn = resolve));
  const plugging = board.powerOn();
  await board.powerOff();
  letIn();
  await plugging;
  const cycles = await cyclesAtRest(board);
  await board.reset();
  t.is(board.power, 'off');
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(board.stats.cycles, cycles);
  await board.close();
});

test.serial('fifty boards, one after the other, leave no thread, descriptor or memory behind', async (t) => {
  const one = async (): Promise<void> => {
    const line = new DeskLine();
    const board = await startAvrBoard({ line, hex: IDLE, clock: systemClock });
    await board.powerOff();
    await board.powerOn();
    await board.close();
  };
  for (let count = 0; count < 10; count += 1) await one();
  const before = { threads: threads(), descriptors: descriptors(), rss: process.memoryUsage.rss() };
  for (let count = 0; count < 50; count += 1) await one();
  const grown = (process.memoryUsage.rss() - before.rss) / 2 ** 20;
  t.log(`${grown.toFixed(1)} MiB more after 50 boards`);
  await eventually(
    () => threads() <= before.threads && descriptors() <= before.descriptors,
    'threads and files to end',
  );
  t.true(grown < 150, `${grown} MiB`); // a thread that stays costs 8 and more, fifty times
});

function threads(): number {
  return readdirSync('/proc/self/task').length;
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('a line that cannot be plugged in leaves the board without power, and may be tried again', async (t) => {
  const line = new DeskLine();
  const board = await startAvrBoard({ line, hex: IDLE, clock: systemClock });
  t.teardown(() => board.close());
  await board.powerOff();
  line.refusal = new Error('the port is taken');
  await t.throwsAsync(board.powerOn(), { message: 'the port is taken' });
  t.is(board.power, 'off');
  line.refusal = undefined;
  await board.powerOn();
  t.deepEqual([board.power, line.state], ['on', 'plugged']);
});
