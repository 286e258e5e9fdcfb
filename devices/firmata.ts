// A board with Firmata (an Arduino with the sketch StandardFirmata), pin by pin: for those who want no more than to read and to set
// pins. All values are one reading, on change and, with `every_ms`, on schedule.
//
//   set/<name>   output: on | off | toggle     pwm: 0..255     servo: degrees
//   set          {"led": "on", "arm": 90}      several at once
//   get          a reading of all, now

import { defineDriver, z } from 'ferrule/driver';
import { named } from './firmata/named.js';
import { pinOptions } from './firmata/pin-channel.js';
import { reportOptions } from './firmata/report-options.js';

const options = z.strictObject({
  /** Name -> pin. The names are the channels. */
  pins: named('pin', pinOptions, ({ pin }) => [pin]),
  ...reportOptions,
});

export default defineDriver({
  kind: 'session',
  summary: 'Arduino and others with Firmata, pin by pin: digital, analog, PWM, servo',
  options,
  defaults: { baud_rate: 57600 },
  open: async (host, given) => (await import('./firmata/open-pins.js')).openPins(host, given),
});
