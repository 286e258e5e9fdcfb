// The file of `ferrule sim`: which virtual devices there are, and where. One schema: types, defaults and error words.

import { z } from 'zod';
import { duration, integer, sentence } from '../config/values.js';
import { LINE_PLACES, parseLinePlace } from './line-place.js';

const link = z
  .string({ error: LINE_PLACES })
  .refine((text) => parseLinePlace(text, '/') !== undefined, { error: LINE_PLACES });

const every = (ms: number) => duration({ min: 10 }).prefault(ms);

const degrees = (max: number) => {
  const error = `degrees, -${max} to ${max}`;
  return z.number({ error }).min(-max, { error }).max(max, { error });
};

/** `[47.3, 8.5]`, latitude first. */
const position = z
  .tuple([degrees(90), degrees(180)], { error: 'a position: [latitude, longitude]' })
  .transform(([lat, lon]) => ({ lat, lon }));

/** The same point twice in a row is no way. */
const trackPoints = z
  .array(position)
  .min(2, { error: 'at least two positions' })
  .refine(
    (points) => points.length < 2 || points.some(({ lat, lon }) => lat !== points[0]?.lat || lon !== points[0]?.lon),
    sentence('all positions of the track are the same'),
  );

const above = (min: number, error: string) => z.number({ error }).gt(min, { error });

const gnss = z.strictObject({
  type: z.literal('gnss'),
  link,
  track: trackPoints.optional(),
  centre: position.optional(),
  radius: above(0, 'metres, above 0').default(300),
  speed: above(0, 'metres per second, above 0').default(4),
  rate: integer(1, 10).default(1),
});

const scale = z.strictObject({ type: z.literal('scale'), link, every: every(200) });

const thermometer = z.strictObject({
  type: z.literal('thermometer'),
  link,
  around: z.number().default(21),
  noise: z.number().min(0, { error: '°C, 0 or more' }).default(0.1),
  every: every(500),
});

const hygrometer = z.strictObject({ type: z.literal('hygrometer'), link, every: every(1000) });

const REGISTER = 'register numbers, 0 to 65535';
const registers = z
  .record(
    z.string().regex(/^\d{1,5}$/, { error: REGISTER }),
    z.int({ error: 'a value, -32768 to 65535' }).min(-32768).max(65535),
    { error: 'a map of register numbers and values' },
  )
  .refine((table) => Object.keys(table).every((key) => Number(key) <= 65535), { error: REGISTER })
  .transform((table) => new Map(Object.entries(table).map(([key, value]) => [Number(key), value])));

const modbusKeys = {
  link,
  unit: integer(1, 247).default(1),
  registers: registers.prefault({}),
  input_registers: registers.prefault({}),
  answer_after: duration({ max: 10_000 }).prefault(0),
};
const modbusRtu = z.strictObject({ type: z.literal('modbus-rtu'), ...modbusKeys });
const modbusTcp = z.strictObject({ type: z.literal('modbus-tcp'), ...modbusKeys });

const avr = z.strictObject({
  type: z.literal('avr'),
  link,
  /** A path, or `standard-firmata`. */
  hex: z.string().min(1),
});

const script = z
  .strictObject({
    type: z.literal('script'),
    link,
    every: every(1000),
    lines: z.array(z.string()).default([]),
    answers: z.record(z.string(), z.string()).default({}),
    line_end: z.string().default('\n'),
  })
  .refine(
    ({ lines, answers }) => lines.length > 0 || Object.keys(answers).length > 0,
    sentence('has nothing to say: give it `lines` or `answers`'),
  );

const replay = z.strictObject({
  type: z.literal('replay'),
  link,
  file: z.string().min(1),
  speed: above(0, 'a number above 0').default(1),
  loop: z.boolean().default(true),
});

const simDevice = z.discriminatedUnion('type', [
  gnss,
  scale,
  thermometer,
  hygrometer,
  modbusRtu,
  modbusTcp,
  avr,
  script,
  replay,
]);

export const simSchema = z.strictObject({
  /** Chance follows from it: the same seed, the same devices. */
  seed: z.int().default(1),
  devices: z.record(z.string(), simDevice),
});

export type SimFile = z.output<typeof simSchema>;
export type SimDeviceConfig = z.output<typeof simDevice>;
