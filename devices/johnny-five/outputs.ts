// Components that are told: LEDs, relays, servos, motors, piezos. Their value is what they were told last; before that nobody knows.

import { type ReadingValue, z } from 'ferrule/driver';
import five, { type Board, type Led, type Motor, type Piezo, type Relay, type Rgb, type Servo } from 'johnny-five';
import type { BoardChannel } from '../firmata/channel.js';
import { type Orders, obey, shape } from '../firmata/orders.js';
import type { OptionsOf } from './component-options.js';

const MAX_MS = 24 * 60 * 60 * 1000;
const duration = z.number().min(1).max(MAX_MS);
const period = z.number().min(20).max(MAX_MS);
const byte = z.number().min(0).max(255);

/** An output: told by orders, each of which leaves a value behind. */
function output(orders: Orders, first: ReadingValue = null): BoardChannel {
  let last = first;
  const note = (value: ReadingValue): void => {
    last = value;
  };
  return { value: () => last, set: (wanted) => obey(orders, wanted, note) };
}

export function ledChannel(board: Board, { pin, inverted }: OptionsOf<'led'>): BoardChannel {
  const led: Led = new five.Led({ board, pin, isAnode: inverted });
  const needsPwm = (): void => {
    if (!board.pins.isPwm(led.pin)) throw new Error(`pin ${pin} has no PWM: it can only be on or off, or blink`);
  };
  return output({
    words: {
      on: () => led.stop().on().isOn,
      off: () => led.stop().off().isOn,
      toggle: () => led.stop().toggle().isOn,
      stop: () => led.stop().isOn,
    },
    shapes: [
      shape('blink', '{"blink": ms}', { blink: period }, ({ blink }) => {
        led.stop().blink(blink);
        return true;
      }),
      shape('pulse', '{"pulse": ms}', { pulse: period }, ({ pulse }) => {
        needsPwm();
        led.stop().pulse(pulse);
        return true;
      }),
      shape('brightness', '{"brightness": 0..255}', { brightness: byte }, ({ brightness }) => {
        needsPwm();
        led.stop().brightness(brightness);
        return brightness > 0;
      }),
      shape('fade', '{"fade": 0..255, "time": ms}', { fade: byte, time: duration.default(1000) }, ({ fade, time }) => {
        needsPwm();
        led.stop().fade(fade, time);
        return fade > 0;
      }),
    ],
  });
}

export function rgbChannel(board: Board, { pins, inverted }: OptionsOf<'rgb-led'>): BoardChannel {
  const led: Rgb = new five.Led.RGB({ board, pins: { ...pins }, isAnode: inverted });
  const look = (after: Rgb): ReadingValue => ({ on: after.isOn, color: hexOf(after.color()) });
  const color = z.string().regex(/^#[0-9a-f]{6}$/i, 'expected #rrggbb');
  const percent = z.number().min(0).max(100);
  return output(
    {
      words: {
        on: () => look(led.stop().on()),
        off: () => look(led.stop().off()),
        toggle: () => look(led.stop().toggle()),
        stop: () => look(led.stop()),
      },
      shapes: [
        shape('color', '{"color": "#rrggbb"}', { color }, (order) => look(led.stop().color(order.color))),
        shape('intensity', '{"intensity": 0..100}', { intensity: percent }, (order) =>
          look(led.intensity(order.intensity)),
        ),
        shape('blink', '{"blink": ms}', { blink: period }, ({ blink }) => look(led.stop().blink(blink))),
      ],
      bare: 'color',
    },
    { on: false, color: '#ffffff' }, // johnny-five begins with all off
  );
}

function hexOf({ red, green, blue }: { red: number; green: number; blue: number }): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

export function relayChannel(board: Board, { pin, wiring }: OptionsOf<'relay'>): BoardChannel {
  const relay: Relay = new five.Relay({ board, pin, type: wiring });
  return output({
    words: {
      on: () => relay.close().isClosed,
      off: () => relay.open().isClosed,
      toggle: () => (relay.isClosed ? relay.open() : relay.close()).isClosed,
    },
  });
}

export function servoChannel(board: Board, options: OptionsOf<'servo'>): BoardChannel {
  const servo: Servo = new five.Servo({ board, ...servoOptions(options) });
  const orders = options.continuous ? turnOrders(servo) : moveOrders(servo, options.range);
  return output(orders, options.start_at ?? null);
}

function servoOptions({ pin, range, pwm_range, offset, invert, continuous, start_at }: OptionsOf<'servo'>): object {
  return {
    pin,
    range,
    offset,
    invert,
    ...(pwm_range && { pwmRange: pwm_range }),
    ...(continuous && { type: 'continuous' }),
    ...(start_at !== undefined && { startAt: start_at }),
  };
}

/** For a servo that goes to an angle, in degrees. */
function moveOrders(servo: Servo, [low, high]: readonly [number, number]): Orders {
  const degrees = z.number().min(low).max(high);
  const go = (to: number, time?: number): number => {
    servo.stop();
    servo.to(to, time);
    return to;
  };
  return {
    words: {
      min: () => go(low),
      max: () => go(high),
      center: () => go((low + high) / 2),
      stop: () => {
        servo.stop();
        return undefined;
      },
    },
    shapes: [
      shape('to', '{"to": degrees, "time": ms}', { to: degrees, time: duration.optional() }, ({ to, time }) =>
        go(to, time),
      ),
    ],
    bare: 'to',
  };
}

/** For a servo that turns: the value is its speed, -1 to 1, clockwise positive. */
function turnOrders(servo: Servo): Orders {
  const rate = z.number().min(0).max(1);
  return {
    words: {
      stop: () => {
        servo.stop();
        return 0;
      },
    },
    shapes: [
      shape('cw', '{"cw": 0..1}', { cw: rate }, ({ cw }) => {
        servo.cw(cw);
        return cw;
      }),
      shape('ccw', '{"ccw": 0..1}', { ccw: rate }, ({ ccw }) => {
        servo.ccw(ccw);
        return -ccw;
      }),
    ],
  };
}

export function motorChannel(board: Board, { pins, invert_pwm }: OptionsOf<'motor'>): BoardChannel {
  const motor: Motor = new five.Motor({ board, pins: { ...pins }, invertPWM: invert_pwm });
  let direction: 'forward' | 'reverse' = 'forward';
  const halted = (): ReadingValue => ({ speed: 0, direction });
  const order = { speed: byte, direction: z.enum(['forward', 'reverse']).optional() };
  return output({
    words: {
      stop: () => {
        motor.stop();
        return halted();
      },
      brake: () => {
        if (pins.brake === undefined) throw new Error('this motor has no brake pin; it accepts stop');
        motor.brake();
        return halted();
      },
    },
    shapes: [
      shape('speed', '{"speed": 0..255, "direction": "forward" | "reverse"}', order, (wanted) => {
        if (wanted.direction === 'reverse' && pins.dir === undefined) throw new Error('this motor has no dir pin');
        direction = wanted.direction ?? direction;
        if (direction === 'forward') motor.forward(wanted.speed);
        else motor.reverse(wanted.speed);
        return { speed: wanted.speed, direction };
      }),
    ],
    bare: 'speed',
  });
}

/** Each half wave is a message of 3 bytes: at 57600 baud the line ends at about 950 Hz. */
const MAX_HERTZ = 900;
const MAX_TONE_MS = 10_000;

export function piezoChannel(board: Board, { pin }: OptionsOf<'piezo'>): BoardChannel {
  const piezo: Piezo = new five.Piezo({ board, pin });
  const tone = {
    frequency: z.number().min(20).max(MAX_HERTZ),
    duration: z.number().min(1).max(MAX_TONE_MS).default(500),
  };
  const silence = (): ReadingValue => {
    piezo.off();
    return 0;
  };
  return output(
    {
      words: { off: silence, stop: silence },
      shapes: [
        shape('frequency', `{"frequency": 20..${MAX_HERTZ}, "duration": ms}`, tone, ({ frequency, duration: ms }) => {
          piezo.frequency(frequency, ms);
          return frequency;
        }),
      ],
      bare: 'frequency',
    },
    0,
  );
}
