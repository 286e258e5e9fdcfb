// A plain pin as a channel: what its mode says, no more.

import type { ReadingValue } from 'ferrule/driver';
import { z } from 'ferrule/driver';
import type { Firmata } from 'firmata-io';
import { type BoardChannel, changeFilter, type OnChange } from './channel.js';
import { type Orders, obey, shape } from './orders.js';
import { type Pin, pinSchema } from './pin.js';

const pin = pinSchema;
const pulse = z.int().min(0).max(16_383);

export const pinOptions = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z.literal('output'),
    pin,
    initial: z.boolean().optional(),
    invert: z.boolean().default(false),
  }),
  z.strictObject({ mode: z.literal('pwm'), pin, initial: z.int().min(0).max(255).optional() }),
  z.strictObject({
    mode: z.literal('servo'),
    pin,
    initial: z.number().min(0).max(180).optional(),
    pulse: z.tuple([pulse, pulse]).default([544, 2400]),
  }),
  z.strictObject({ mode: z.literal('input'), pin, invert: z.boolean().default(false) }),
  z.strictObject({ mode: z.literal('pullup'), pin, invert: z.boolean().default(true) }),
  z.strictObject({
    mode: z.literal('analog'),
    pin,
    threshold: z.number().min(0).default(2),
    scale: z.tuple([z.number(), z.number()]).optional(),
  }),
]);
export type PinOptions = z.output<typeof pinOptions>;

/** Sets the pin up. Throws, in a sentence, where the board has no such pin or the pin no such mode. */
export function pinChannel(board: Firmata, options: PinOptions, changed: OnChange): BoardChannel {
  const number = pinNumber(board, options.pin);
  const mode = modeOf(board, number, options);
  switch (options.mode) {
    case 'analog':
      return analog(board, number, options, changed);
    case 'input':
    case 'pullup':
      board.pinMode(number, mode);
      // The pull-up, for firmwares that know no mode of that name.
      if (options.mode === 'pullup') board.digitalWrite(number, 1);
      return digital(board, number, options.invert, changed);
    case 'output':
      board.pinMode(number, mode);
      return output(levelOrders(board, number, options.invert), options.initial);
    case 'pwm':
      board.pinMode(number, mode);
      return output(pwmOrders(board, number), options.initial);
    case 'servo':
      board.servoConfig(number, options.pulse[0], options.pulse[1]);
      return output(angleOrders(board, number), options.initial);
  }
}

function pinNumber(board: Firmata, name: Pin): number {
  const number = typeof name === 'number' ? name : board.analogPins[Number(name.slice(1))];
  if (number === undefined || board.pins[number] === undefined) {
    throw new Error(
      `the board has no pin ${name}: it has ${board.pins.length}, ${board.analogPins.length} of them analog`,
    );
  }
  return number;
}

/** StandardFirmata 2.4 and older have a pull-up without saying so: there it is an input that is written high. */
function modeOf(board: Firmata, number: number, { mode, pin: name }: PinOptions): number {
  const { MODES } = board;
  const supported = board.pins[number]?.supportedModes ?? [];
  const wanted = MODES[mode.toUpperCase()] ?? -1;
  if (supported.includes(wanted)) return wanted;
  const input = MODES.INPUT ?? 0;
  if (mode === 'pullup' && supported.includes(input)) return input;
  const able = Object.keys(MODES).filter((key) => supported.includes(MODES[key] ?? -1));
  throw new Error(
    `pin ${name} cannot be ${mode}; the board says it can be ${able.join(', ').toLowerCase() || 'nothing'}`,
  );
}

function analog(
  board: Firmata,
  number: number,
  { threshold, scale }: Extract<PinOptions, { mode: 'analog' }>,
  changed: OnChange,
): BoardChannel {
  let last: number | null = null;
  const filter = changeFilter(changed, threshold);
  const max = board.RESOLUTION.ADC ?? 1023;
  board.pinMode(board.analogPins.indexOf(number), board.MODES.ANALOG ?? 2);
  board.analogRead(board.analogPins.indexOf(number), (raw) => {
    last = scale ? Math.round((scale[0] + (raw / max) * (scale[1] - scale[0])) * 1000) / 1000 : raw;
    filter(last);
  });
  return { value: () => last };
}

function digital(board: Firmata, number: number, invert: boolean, changed: OnChange): BoardChannel {
  let last: boolean | null = null;
  const filter = changeFilter(changed);
  board.digitalRead(number, (level) => {
    last = (level === 1) !== invert;
    filter(last);
  });
  return { value: () => last };
}

function output(orders: Orders, initial: ReadingValue | undefined): BoardChannel {
  let last: ReadingValue = null;
  const note = (value: ReadingValue): void => {
    last = value;
  };
  if (initial !== undefined) obey(orders, initial, note);
  return { value: () => last, set: (wanted) => obey(orders, wanted, note) };
}

function levelOrders(board: Firmata, number: number, invert: boolean): Orders {
  let isOn = false;
  const put = (on: boolean): boolean => {
    isOn = on;
    board.digitalWrite(number, on !== invert ? 1 : 0);
    return on;
  };
  return { words: { on: () => put(true), off: () => put(false), toggle: () => put(!isOn) } };
}

function pwmOrders(board: Firmata, number: number): Orders {
  const max = board.RESOLUTION.PWM ?? 255;
  const put = (value: number): number => {
    board.pwmWrite(number, Math.round((value / 255) * max));
    return value;
  };
  const fields = { value: z.number().min(0).max(255) };
  return {
    words: { on: () => put(255), off: () => put(0) },
    shapes: [shape('value', '{"value": 0..255}', fields, ({ value }) => put(value))],
    bare: 'value',
  };
}

function angleOrders(board: Firmata, number: number): Orders {
  const put = (to: number): number => {
    board.servoWrite(number, Math.round(to));
    return to;
  };
  const fields = { to: z.number().min(0).max(180) };
  return { shapes: [shape('to', '{"to": 0..180}', fields, ({ to }) => put(to))], bare: 'to' };
}
