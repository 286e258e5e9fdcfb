// A driver to copy: `cp devices/_template.ts devices/my-device.ts`. Files that start with `_` are not drivers, so this one
// is never loaded, but it is compiled and tested like the others. devices/README.md explains each part.
//
// The made-up device is a climate sensor with a fan. It prints      T=21.5;H=40
// and takes                                                         FAN 0 ... FAN 100

import { type Decoded, type DriverCommand, defineDriver, type Encoded, reject, z } from 'ferrule/driver';

/** The device's `options` in the config file. Errors are shown there, with line and column. */
const options = z.strictObject({
  /** Added to each temperature, in °C. */
  temperature_offset: z.number().default(0),
});

export default defineDriver({
  kind: 'framed',
  summary: 'Made-up climate sensor, as an example',
  options,
  defaults: { baud_rate: 9600, framing: { type: 'line', delimiter: '\r\n' } },
  channels: {
    temperature: { type: 'number', unit: '°C', deviceClass: 'temperature' },
    humidity: { type: 'number', unit: '%', deviceClass: 'humidity' },
  },
  commands: { fan: { summary: 'fan speed, 0 to 100 %' } },
  // Called once per device, and again after a crash: state of the device lives in this closure.
  create: ({ temperature_offset: offset }) => ({
    decode: (frame) => decode(frame, offset),
    encode,
  }),
  // hello: () => [Buffer.from('START')],                             sent each time the link has come up
  // poll: () => [{ payload: Buffer.from('READ?'), everyMs: 1000 }],  sent on a schedule
});

const LINE = /^T=(-?\d+(?:\.\d+)?);H=(\d+(?:\.\d+)?)$/;

function decode(frame: Buffer, offset: number): Decoded {
  const match = LINE.exec(frame.toString('latin1'));
  if (!match) return reject('expected T=<°C>;H=<%>');
  return { temperature: Number(match[1]) + offset, humidity: Number(match[2]) };
}

function encode({ verb, channel, payload }: DriverCommand): Encoded {
  if (verb !== 'set' || channel !== 'fan') return reject('takes: set/fan');
  const percent = payload.length > 0 ? Number(payload.toString()) : Number.NaN;
  if (!(percent >= 0 && percent <= 100)) return reject(`fan: expected 0 to 100, got "${payload.toString()}"`);
  return Buffer.from(`FAN ${percent}`);
}
