// What can be on the board, as it stands in the config: one schema per `type`. Names follow johnny-five; only `type` of a relay or
// switch is called `wiring` here, since `type` says what the component is.

import { z } from 'ferrule/driver';
import { type Pin, pinSchema } from '../firmata/pin.js';

const pin = pinSchema;
const address = z.int().min(0x03).max(0x77).optional();
const range = z.tuple([z.number(), z.number()]);
const wiring = z.enum(['NO', 'NC']).default('NO');
/** How often it is looked at, ms, and by how much it must move to be a change. */
const looked = { sample_ms: z.int().min(10).max(60_000).default(25) };
const measured = { ...looked, threshold: z.number().min(0).default(1) };
const scaled = { pin, ...measured, scale: range.optional() };
const fine = { ...looked, threshold: z.number().min(0).default(0.1) };

const ANALOG_THERMOMETERS = ['LM35', 'LM335', 'TMP36', 'TINKERKIT', 'GROVE'] as const;
const WIRE_THERMOMETERS = ['DS18B20', 'MAX31850K'] as const;
const I2C_THERMOMETERS = [
  ...['MCP9808', 'TMP102', 'SHT31D', 'HTU21D', 'HIH6130', 'TH02', 'SI7020', 'SI7021', 'BMP180', 'BMP280', 'BME280'],
  ...['MPU6050', 'MPL115A2', 'MPL3115A2', 'MS5611', 'DHT11_I2C_NANO_BACKPACK', 'DHT22_I2C_NANO_BACKPACK'],
] as const;
const HYGROMETERS = [
  ...['SHT31D', 'HTU21D', 'HIH6130', 'TH02', 'SI7020', 'SI7021', 'BME280'],
  ...['DHT11_I2C_NANO_BACKPACK', 'DHT22_I2C_NANO_BACKPACK'],
] as const;
const MULTIS = [...HYGROMETERS, 'BMP180', 'BMP280', 'MPL115A2', 'MPL3115A2', 'MS5611'] as const;
const PIN_PROXIMITY = ['GP2Y0A21YK', 'GP2D120XJ00F', 'GP2Y0A02YK0F', 'GP2Y0A41SK0F', 'GP2Y0A710K0F'] as const;
const OTHER_PROXIMITY = ['MB1000', 'MB1003', 'MB1230', 'SRF10', 'LIDARLITE', 'HCSR04', 'HCSR04I2CBACKPACK'] as const;

export const componentSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('led'), pin, inverted: z.boolean().default(false) }),
  z.strictObject({
    type: z.literal('rgb-led'),
    pins: z.strictObject({ red: pin, green: pin, blue: pin }),
    inverted: z.boolean().default(false),
  }),
  z.strictObject({ type: z.literal('relay'), pin, wiring }),
  z.strictObject({
    type: z.literal('button'),
    pin,
    pullup: z.boolean().default(false),
    invert: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal('switch'), pin, wiring, invert: z.boolean().optional() }),
  z.strictObject({ type: z.literal('sensor'), ...scaled, digital: z.boolean().default(false) }),
  z.strictObject({ type: z.literal('potentiometer'), ...scaled }),
  z.strictObject({ type: z.literal('photoresistor'), ...scaled }),
  z
    .strictObject({
      type: z.literal('thermometer'),
      controller: z.enum([...ANALOG_THERMOMETERS, ...WIRE_THERMOMETERS, ...I2C_THERMOMETERS]),
      pin: pin.optional(),
      address,
      ...fine,
    })
    .refine(
      ({ controller, pin: at }) => isOneOf(I2C_THERMOMETERS, controller) || at !== undefined,
      'this controller needs a pin',
    ),
  z.strictObject({
    type: z.literal('servo'),
    pin,
    range: range.default([0, 180]),
    pwm_range: range.optional(),
    offset: z.number().default(0),
    invert: z.boolean().default(false),
    continuous: z.boolean().default(false),
    start_at: z.number().optional(),
  }),
  z.strictObject({
    type: z.literal('motor'),
    pins: z.strictObject({
      pwm: pin,
      dir: pin.optional(),
      cdir: pin.optional(),
      brake: pin.optional(),
      enable: pin.optional(),
    }),
    invert_pwm: z.boolean().default(false),
  }),
  z.strictObject({
    type: z.literal('motion'),
    controller: z.enum(['PIR', 'GP2Y0A60SZLF']).default('PIR'),
    pin,
    calibration_ms: z.int().min(0).max(120_000).default(2000),
    ...looked,
  }),
  z.strictObject({
    type: z.literal('proximity'),
    controller: z.enum([...PIN_PROXIMITY, ...OTHER_PROXIMITY]).default('GP2Y0A21YK'),
    pin: pin.optional(),
    address,
    ...measured,
  }),
  z.strictObject({ type: z.literal('piezo'), pin }),
  z.strictObject({
    type: z.literal('joystick'),
    pins: z.strictObject({ x: pin, y: pin }),
    invert_x: z.boolean().default(false),
    invert_y: z.boolean().default(false),
  }),
  z.strictObject({ type: z.literal('hygrometer'), controller: z.enum(HYGROMETERS), address, ...fine }),
  z.strictObject({
    type: z.literal('multi'),
    controller: z.enum(MULTIS),
    address,
    elevation: z.number().optional(),
    ...looked,
  }),
]);

export type ComponentOptions = z.output<typeof componentSchema>;
/** Of one type: `OptionsOf<'led'>`. */
export type OptionsOf<Type extends ComponentOptions['type']> = Extract<ComponentOptions, { type: Type }>;

/** The pins that a component takes for itself; I2C is shared. */
export function pinsOf(component: ComponentOptions): Pin[] {
  const named = 'pins' in component ? Object.values(component.pins) : [];
  return [...named, 'pin' in component ? component.pin : undefined].filter((used) => used !== undefined);
}

function isOneOf(list: readonly string[], value: string): boolean {
  return list.includes(value);
}
