import test from 'ava';
import { levelOf, modeOf, pinAt, placeOf, portRegister } from '../../../src/hil/avr/pins.js';
import { dutyOf } from '../../../src/hil/avr/pwm.js';

/** Registers with these values, by address. */
function registers(values: Readonly<Record<number, number>>): Uint8Array {
  const all = new Uint8Array(0x100);
  for (const [address, value] of Object.entries(values)) all[Number(address)] = value;
  return all;
}

const DDRB = 0x24;
const PINB = 0x23;
const DDRD = 0x2a;

test('each pin of an Uno has its place, and each place its pin', (t) => {
  t.deepEqual(placeOf(0), { port: 'D', bit: 0 });
  t.deepEqual(placeOf(7), { port: 'D', bit: 7 });
  t.deepEqual(placeOf(8), { port: 'B', bit: 0 });
  t.deepEqual(placeOf(13), { port: 'B', bit: 5 });
  t.deepEqual(placeOf(14), { port: 'C', bit: 0 });
  t.deepEqual(placeOf(19), { port: 'C', bit: 5 });
  for (let pin = 0; pin < 20; pin += 1) {
    const { port, bit } = placeOf(pin);
    t.is(pinAt(port, bit), pin);
  }
  t.is(pinAt('B', 6), undefined);
  for (const pin of [-1, 20, 1.5, Number.NaN]) t.throws(() => placeOf(pin), { code: 'avr-bad-pin' });
});

test('level, mode and port are read from their registers', (t) => {
  const all = registers({ [PINB]: 0x20, [DDRB]: 0x20, 37: 0x21 });
  t.is(levelOf(all, 13), 'high');
  t.is(levelOf(all, 12), 'low');
  t.deepEqual([modeOf(all, 13), modeOf(all, 8), modeOf(all, 9)], ['output', 'pull-up', 'input']);
  t.is(portRegister(all, 'B'), 0x21);
});

test('8-bit fast PWM: the duty is (OCR + 1) / 256, inverted with COM = 3', (t) => {
  const fast = { [DDRD]: 0x40, 68: 0x83, 69: 0x03, 71: 63 };
  t.is(dutyOf(registers(fast), 6), 0.25);
  t.is(dutyOf(registers({ ...fast, 68: 0xc3 }), 6), 0.75);
});

test('8-bit phase-correct PWM: the duty is OCR / 255', (t) => {
  t.is(dutyOf(registers({ [DDRB]: 0x08, 176: 0x81, 177: 0x04, 179: 51 }), 11), 0.2);
});

test('16-bit PWM with TOP in ICR1, as servos have it: 1500 us of 20 ms', (t) => {
  // Fast PWM, mode 14, prescaler 8: 2 MHz, ICR1 = 39999, OCR1A = 2999.
  const servo = { [DDRB]: 0x02, 128: 0x82, 129: 0x1a, 134: 0x3f, 135: 0x9c, 136: 0xb7, 137: 0x0b };
  t.is(dutyOf(registers(servo), 9), 0.075);
});

test('what no timer drives has the duty of its level', (t) => {
  t.is(dutyOf(registers({ [DDRB]: 0x20, [PINB]: 0x20 }), 13), 1);
  t.is(dutyOf(registers({ [DDRB]: 0x02, 128: 0x01, 136: 99 }), 9), 0); // OC1A not connected
  t.is(dutyOf(registers({ 128: 0x81, 136: 99 }), 9), 0); // an input
  t.is(dutyOf(registers({ [DDRB]: 0x02, 128: 0x80, 136: 99 }), 9), 0); // normal mode: no PWM
});
