// Components that are read: buttons, switches, sensors, thermometers and the like. null until the board has told a value.

import type { ReadingValue } from 'ferrule/driver';
import five, { type Board, type Component } from 'johnny-five';
import { type BoardChannel, changeFilter, type OnChange } from '../firmata/channel.js';
import type { OptionsOf } from './component-options.js';

/** An input: `listen` is given what to call with each value. */
function input(
  listen: (tell: (value: ReadingValue) => void) => void,
  changed: OnChange,
  threshold?: number,
): BoardChannel {
  let last: ReadingValue = null;
  const filter = changeFilter(changed, threshold);
  listen((value) => {
    last = value;
    filter(value);
  });
  return { value: () => last };
}

export function buttonChannel(
  board: Board,
  { pin, pullup, invert }: OptionsOf<'button'>,
  changed: OnChange,
): BoardChannel {
  const button = new five.Button({ board, pin, isPullup: pullup, ...(invert !== undefined && { invert }) });
  return input((tell) => {
    button.on('down', () => tell(true));
    button.on('up', () => tell(false));
  }, changed);
}

export function switchChannel(
  board: Board,
  { pin, wiring, invert }: OptionsOf<'switch'>,
  changed: OnChange,
): BoardChannel {
  const contact = new five.Switch({ board, pin, type: wiring, ...(invert !== undefined && { invert }) });
  return input((tell) => {
    contact.on('close', () => tell(true));
    contact.on('open', () => tell(false));
  }, changed);
}

export function sensorChannel(
  board: Board,
  options: OptionsOf<'sensor'> | OptionsOf<'potentiometer'> | OptionsOf<'photoresistor'>,
  changed: OnChange,
): BoardChannel {
  const { pin, sample_ms, threshold, scale } = options;
  const isDigital = options.type === 'sensor' && options.digital;
  const sensor = new five.Sensor({ board, pin, freq: sample_ms, threshold, ...(isDigital && { type: 'digital' }) });
  const convert = (value: number): number => (scale ? rounded(fromTo(value, isDigital ? 1 : 1023, scale)) : value);
  // `data` carries the median of what the board reported in between: less noise than the last value.
  return input(
    (tell) => sensor.on('data', (value: number | null) => sensor.value !== null && tell(convert(value ?? 0))),
    changed,
    threshold,
  );
}

function fromTo(value: number, max: number, [low, high]: readonly [number, number]): number {
  return low + (value / max) * (high - low);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function thermometerChannel(
  board: Board,
  { controller, pin, address, sample_ms, threshold }: OptionsOf<'thermometer'>,
  changed: OnChange,
): BoardChannel {
  const thermometer = new five.Thermometer({
    board,
    controller,
    freq: sample_ms,
    ...(pin !== undefined && { pin }),
    ...(address !== undefined && { address }),
  });
  return measuring(thermometer, (data) => data.celsius, changed, threshold);
}

export function hygrometerChannel(
  board: Board,
  { controller, address, sample_ms, threshold }: OptionsOf<'hygrometer'>,
  changed: OnChange,
): BoardChannel {
  const hygrometer = new five.Hygrometer({
    board,
    controller,
    freq: sample_ms,
    ...(address !== undefined && { address }),
  });
  return measuring(hygrometer, (data) => data.relativeHumidity, changed, threshold);
}

export function proximityChannel(
  board: Board,
  { controller, pin, address, sample_ms, threshold }: OptionsOf<'proximity'>,
  changed: OnChange,
): BoardChannel {
  const proximity = new five.Proximity({
    board,
    controller,
    freq: sample_ms,
    ...(pin !== undefined && { pin }),
    ...(address !== undefined && { address }),
  });
  return measuring(proximity, (data) => data.centimeters, changed, threshold);
}

function measuring(
  component: Component,
  pick: (data: Readonly<Record<string, number>>) => number | undefined,
  changed: OnChange,
  threshold: number,
): BoardChannel {
  return input(
    (tell) =>
      component.on('data', (data: Readonly<Record<string, number>>) => {
        const value = pick(data);
        if (value !== undefined && Number.isFinite(value)) tell(rounded(value));
      }),
    changed,
    threshold,
  );
}

export function motionChannel(
  board: Board,
  { controller, pin, calibration_ms, sample_ms }: OptionsOf<'motion'>,
  changed: OnChange,
): BoardChannel {
  const motion = new five.Motion({ board, controller, pin, calibrationDelay: calibration_ms, freq: sample_ms });
  return input(
    (tell) =>
      motion.on('data', (data: { readonly isCalibrated: boolean; readonly detectedMotion: boolean }) => {
        if (data.isCalibrated) tell(data.detectedMotion);
      }),
    changed,
  );
}

export function joystickChannel(
  board: Board,
  { pins, invert_x, invert_y }: OptionsOf<'joystick'>,
  changed: OnChange,
): BoardChannel {
  const stick = new five.Joystick({ board, pins: [pins.x, pins.y], invertX: invert_x, invertY: invert_y });
  return input(
    (tell) =>
      stick.on('data', ({ x, y }: { readonly x: number; readonly y: number }) => tell({ x: coarse(x), y: coarse(y) })),
    changed,
  );
}

/** Of -1..1: finer than a hand, coarser than the converter's noise. */
function coarse(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Which of a multi's parts are read, under which name, and where johnny-five has the value. */
const PARTS = {
  thermometer: ['temperature', 'celsius'],
  hygrometer: ['humidity', 'relativeHumidity'],
  barometer: ['pressure', 'pressure'],
  altimeter: ['altitude', 'meters'],
} as const;

export function multiChannel(
  board: Board,
  { controller, address, elevation, sample_ms }: OptionsOf<'multi'>,
  changed: OnChange,
): BoardChannel {
  const multi = new five.Multi({
    board,
    controller,
    freq: sample_ms,
    ...(address !== undefined && { address }),
    ...(elevation !== undefined && { elevation }),
  });
  const values: Record<string, number> = {};
  return input((tell) => {
    for (const [part, [name, key]] of Object.entries(PARTS)) {
      if (!multi.components.includes(part)) continue;
      partOf(multi, part).on('data', (data: Readonly<Record<string, number>>) => {
        const value = data[key];
        if (value === undefined || !Number.isFinite(value)) return;
        values[name] = Math.round(value * 10) / 10;
        tell({ ...values });
      });
    }
  }, changed);
}

function partOf(multi: object, part: string): Component {
  return (multi as Readonly<Record<string, Component>>)[part] as Component; // named in its `components`
}
