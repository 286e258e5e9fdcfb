// From the options of a component to a channel: one line per type.

import type { Board } from 'johnny-five';
import type { BoardChannel, OnChange } from '../firmata/channel.js';
import type { ComponentOptions, OptionsOf } from './component-options.js';
import * as inputs from './inputs.js';
import * as outputs from './outputs.js';

type Makers = {
  readonly [Type in ComponentOptions['type']]: (
    board: Board,
    options: OptionsOf<Type>,
    changed: OnChange,
  ) => BoardChannel;
};

const MAKERS: Makers = {
  led: outputs.ledChannel,
  'rgb-led': outputs.rgbChannel,
  relay: outputs.relayChannel,
  servo: outputs.servoChannel,
  motor: outputs.motorChannel,
  piezo: outputs.piezoChannel,
  button: inputs.buttonChannel,
  switch: inputs.switchChannel,
  sensor: inputs.sensorChannel,
  potentiometer: inputs.sensorChannel,
  photoresistor: inputs.sensorChannel,
  thermometer: inputs.thermometerChannel,
  hygrometer: inputs.hygrometerChannel,
  proximity: inputs.proximityChannel,
  motion: inputs.motionChannel,
  joystick: inputs.joystickChannel,
  multi: inputs.multiChannel,
};

/** Puts a component onto the board. Throws what johnny-five throws, such as for a pin that the board does not have. */
export function makeComponent(board: Board, options: ComponentOptions, changed: OnChange): BoardChannel {
  const make = MAKERS[options.type] as (board: Board, options: ComponentOptions, changed: OnChange) => BoardChannel; // the maker of that very type
  return make(board, options, changed);
}
