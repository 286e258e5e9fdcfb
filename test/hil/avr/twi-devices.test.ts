import test from 'ava';
import { crc8 } from '../../../src/hil/avr/crc-8.js';
import { Htu21d } from '../../../src/hil/avr/htu21d.js';
import { Mcp9808 } from '../../../src/hil/avr/mcp9808.js';
import { Sht31 } from '../../../src/hil/avr/sht31.js';
import type { TwiDevice } from '../../../src/hil/avr/twi-device.js';
import { TwiDevices } from '../../../src/hil/avr/twi-devices.js';
import { fc } from '../../support/properties.js';

/** Writes bytes as a master does; answers the acknowledges. */
function write(device: TwiDevice, ...bytes: number[]): string[] {
  const answers = [device.start?.('write') ?? 'ack', ...bytes.map((byte) => device.write(byte))];
  device.stop?.();
  return answers;
}

/** Reads bytes as a master does; undefined if the device does not acknowledge. */
function read(device: TwiDevice, count: number): number[] | undefined {
  if (device.start?.('read') === 'nack') return undefined;
  const bytes = Array.from({ length: count }, () => device.read());
  device.stop?.();
  return bytes;
}

function word([high = 0, low = 0]: readonly number[] = []): number {
  return (high << 8) | low;
}

test('the checksum is that of the examples in the data sheets', (t) => {
  t.is(crc8([0xbe, 0xef], 0xff), 0x92); // SHT3x-DIS, 4.12
  t.is(crc8([0xdc], 0), 0x79); // HTU21D, chapter "CRC checksum"
  t.is(crc8([0x68, 0x3a], 0), 0x7c);
});

test('HTU21D: temperature and humidity come back from the formulas of the data sheet, with checksum and status bits', (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: -40, max: 125, noNaN: true }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (c, p) => {
        const device = new Htu21d({ celsius: c, percent: p });
        for (const command of [0xe3, 0xf3]) {
          t.deepEqual(write(device, command), ['ack', 'ack']);
          const answer = read(device, 3) ?? [];
          t.true(Math.abs(-46.85 + (175.72 * (word(answer) & 0xfffc)) / 65536 - c) < 0.02);
          t.is(word(answer) & 3, 0);
          t.is(answer[2], crc8(answer.slice(0, 2), 0));
        }
        for (const command of [0xe5, 0xf5]) {
          write(device, command);
          const answer = read(device, 3) ?? [];
          t.true(Math.abs(-6 + (125 * (word(answer) & 0xfffc)) / 65536 - p) < 0.02);
          t.is(word(answer) & 3, 2);
        }
      },
    ),
  );
});

test('HTU21D: its user register is written, read, and as it was after a reset; other commands are refused', (t) => {
  const device = new Htu21d();
  t.is(read(device, 1), undefined);
  write(device, 0xe6, 0x83);
  write(device, 0xe7);
  t.deepEqual(read(device, 1), [0x83]);
  write(device, 0xfe);
  write(device, 0xe7);
  t.deepEqual(read(device, 1), [0x02]);
  t.deepEqual(write(device, 0x12), ['ack', 'nack']);
});

test('SHT31: a measurement gives both words with their checksums, once', (t) => {
  const device = new Sht31({ celsius: 25, percent: 40 });
  t.is(read(device, 6), undefined);
  t.deepEqual(write(device, 0x24, 0x00), ['ack', 'ack', 'ack']);
  const answer = read(device, 6) ?? [];
  t.is((-45 + (175 * word(answer)) / 65535).toFixed(2), '25.00');
  t.is(((100 * word(answer.slice(3))) / 65535).toFixed(2), '40.00');
  t.is(answer[2], crc8(answer.slice(0, 2), 0xff));
  t.is(answer[5], crc8(answer.slice(3, 5), 0xff));
  t.is(read(device, 6), undefined);
});

test('SHT31: status is read, a reset forgets the measurement, periodic mode is refused', (t) => {
  const device = new Sht31();
  write(device, 0xf3, 0x2d);
  t.deepEqual(read(device, 3), [0, 0, crc8([0, 0], 0xff)]);
  write(device, 0x2c, 0x06);
  write(device, 0x30, 0xa2);
  t.is(read(device, 6), undefined);
  t.deepEqual(write(device, 0x21, 0x30), ['ack', 'ack', 'nack']);
});

test("MCP9808: sixteenths of a degree in two's complement", (t) => {
  const device = new Mcp9808();
  for (const [celsius, raw] of [
    [25.25, 0x0194],
    [0, 0],
    [-0.0625, 0x1fff],
    [-40, 0x1d80],
    [125, 0x07d0],
  ] as const) {
    device.celsius = celsius;
    write(device, 0x05);
    t.is(word(read(device, 2)), raw, `${celsius}`);
  }
});

test('MCP9808: it says who it is, its pointer stays, its configuration is kept and its limits are', (t) => {
  const device = new Mcp9808();
  write(device, 0x06);
  t.deepEqual(read(device, 2), [0x00, 0x54]);
  t.deepEqual(read(device, 2), [0x00, 0x54]);
  write(device, 0x07, 0xff, 0xff); // not to be written
  t.deepEqual(read(device, 2), [0x04, 0x00]);
  write(device, 0x01, 0x01, 0x20);
  t.deepEqual(read(device, 2), [0x01, 0x20]);
  write(device, 0x08, 0x01);
  t.deepEqual(read(device, 1), [0x01]);
});

test('a bus has one device an address; what was taken off reads as an idle bus', (t) => {
  const bus = new TwiDevices();
  const first = new Mcp9808();
  const second = new Mcp9808({ celsius: 1 });
  bus.add(0x18, first);
  bus.add(0x18, second);
  bus.remove(0x18, first);
  t.deepEqual(bus.addresses, [0x18]);
  t.is(bus.answer('start-write', 0x18, 0), 1);
  bus.remove(0x18, second);
  t.deepEqual(
    (['start-write', 'start-read', 'write', 'read'] as const).map((act) => bus.answer(act, 0x18, 0)),
    [0, 0, 0, 0xff],
  );
  for (const address of [0x07, 0x78, 1.5]) t.throws(() => bus.add(address, first), { code: 'avr-bad-address' });
});
