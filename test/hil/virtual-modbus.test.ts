import test from 'ava';
import { Checksum } from '../../src/device/checksum.js';
import { answerRequest } from '../../src/hil/modbus-registers.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { VirtualModbus } from '../../src/hil/virtual-modbus.js';
import { FakeClock } from '../support/fake-clock.js';
import { fc } from '../support/properties.js';

const CRC = new Checksum({ type: 'crc16-modbus', endian: 'little' });

function registers() {
  return {
    holding: new Map([
      [0, 0x022b],
      [1, 0],
      [2, -1],
    ]),
    input: new Map([[8, 10]]),
  };
}

/** Function code and data, in hexadecimal. */
function answer(hex: string, table = registers()): string {
  return answerRequest(table, Buffer.from(hex, 'hex')).toString('hex');
}

const answers: readonly [string, string, string][] = [
  ['reads holding registers', '0300000003', '0306022b0000ffff'],
  ['reads input registers', '0400080001', '0402000a'],
  ['knows no register beyond its table', '0300020002', '8302'],
  ['reads no input register as a holding one', '0300080001', '8302'],
  ['reads not none', '0300000000', '8303'],
  ['reads not more than 125', '030000007e', '8303'],
  ['writes one register', '0600010102', '0600010102'],
  ['writes no register that is not there', '0600090001', '8602'],
  ['writes several registers', '1000000002040a0b0c0d', '1000000002'],
  ['writes several only if the count fits the bytes', '1000000002020a0b', '9003'],
  ['writes none of several if one is not there', '10000200020400010002', '9002'],
  ['knows no other function', '0500000000', '8501'],
];

for (const [what, request, expected] of answers) {
  test(`a Modbus device ${what}`, (t) => {
    t.is(answer(request), expected);
  });
}

test('what was written is read again', (t) => {
  const table = registers();
  answer('1000000002040a0b0c0d', table);
  answer('060002ffee', table);
  t.is(answer('0300000003', table), '03060a0b0c0dffee');
});

test('no request makes it throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      t.true(answerRequest(registers(), Buffer.from(bytes)).length >= 2);
    }),
  );
});

class LoopLine implements VirtualLine {
  readonly link = 'serial:/dev/null';
  sent: string[] = [];
  #listener: (chunk: Buffer) => void = () => {};
  isClosed = false;

  send(bytes: Uint8Array | string): void {
    this.sent.push(Buffer.from(bytes).toString('hex'));
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  hear(bytes: Buffer): void {
    this.#listener(bytes);
  }

  async unplug(): Promise<void> {}
  async plug(): Promise<void> {}
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function start(coding: 'rtu' | 'tcp', delayMs = 0) {
  const clock = new FakeClock();
  const line = new LoopLine();
  const device = VirtualModbus.start({ line, clock, coding, unit: 17, registers: registers(), delayMs });
  return { clock, line, device };
}

function rtu(hex: string): Buffer {
  return CRC.append(Buffer.from(hex, 'hex'));
}

test('RTU: requests in any pieces are answered with their checksum; others, and broadcasts, are not', async (t) => {
  const { line, device, clock } = start('rtu');
  const request = rtu('110300000001');
  for (const byte of request) line.hear(Buffer.from([byte]));
  line.hear(Buffer.concat([rtu('120300000001'), rtu('1110000000010200ff'), rtu('000600010007')]));
  line.hear(rtu('110300000002'));
  t.deepEqual(line.sent, [
    rtu('110302022b').toString('hex'),
    rtu('111000000001').toString('hex'),
    rtu('11030400ff0007').toString('hex'),
  ]);
  await device.close();
  t.true(line.isClosed);
  t.is(clock.pending, 0);
});

test('RTU: a request with a wrong checksum is not answered, and silence clears it away', async (t) => {
  const { line, clock } = start('rtu');
  const bad = rtu('110300000001');
  bad[7] = (bad[7] ?? 0) ^ 1;
  line.hear(bad);
  line.hear(Buffer.from('1103', 'hex'));
  await clock.advance(20);
  line.hear(rtu('110300000001'));
  t.deepEqual(line.sent, [rtu('110302022b').toString('hex')]);
});

test('RTU: noise without end is not kept', (t) => {
  const { line } = start('rtu');
  for (let n = 0; n < 100; n += 1) line.hear(Buffer.alloc(1000, n));
  t.pass();
});

test('TCP: several requests in one piece, each with its transaction; what is no MBAP is dropped', async (t) => {
  const { line, clock } = start('tcp', 30);
  line.hear(Buffer.from('0001000000061103000000010002000000061104000800010003', 'hex'));
  t.deepEqual(line.sent, []);
  await clock.advance(30);
  t.deepEqual(line.sent, ['0001000000051103' + '02022b', '0002000000051104' + '02000a']);
  line.hear(Buffer.from('00040001000611030000000100', 'hex'));
  await clock.advance(30);
  t.is(line.sent.length, 2);
});
