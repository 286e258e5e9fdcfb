import test from 'ava';
import { framingSchema } from '../../src/config/framing-schema.js';
import { linkSchema } from '../../src/config/link-schema.js';
import { type Driver, defineDriver, z } from '../../src/device/driver.js';
import { checkDevice, type DevicePlan, type PlannableDevice, type PlanResult } from '../../src/device/plan.js';

const driver: Driver = defineDriver({
  kind: 'framed',
  summary: 'test',
  options: z.strictObject({ scale: z.number().default(1) }),
  defaults: { baud_rate: 4800, framing: { type: 'line', delimiter: '\r\n', max_length: 99 } },
  create: () => ({}),
});

const serial = linkSchema.parse({ type: 'serial', path: '/dev/ttyUSB0' });

function planned(t: { true(value: boolean): unknown }, result: PlanResult): DevicePlan {
  t.true(result.ok);
  if (!result.ok) throw new Error('not planned');
  return result.plan;
}

test('defaults of the driver fill what the device leaves open', (t) => {
  const plan = planned(t, checkDevice('gps', { driver: 'test', link: serial }, driver));
  t.is(plan.name, 'gps');
  t.is(plan.driverName, 'test');
  t.deepEqual(plan.options, { scale: 1 });
  t.deepEqual(plan.framing, { type: 'line', delimiter: Buffer.from('\r\n'), max_length: 99 });
  t.deepEqual(plan.link, { ...serial, baud_rate: 4800 } as typeof serial);
});

test('the config of the device wins over the driver', (t) => {
  const device: PlannableDevice = {
    driver: 'test',
    link: linkSchema.parse({ type: 'usb', id: '0403:6001', baud_rate: 115200 }),
    framing: framingSchema.parse({ type: 'slip' }),
    options: { scale: 2 },
  };
  const plan = planned(t, checkDevice('gps', device, driver));
  t.is(plan.framing.type, 'slip');
  t.deepEqual(plan.options, { scale: 2 });
  t.like(plan.link, { baud_rate: 115200 });
});

test('a driver without defaults gets 9600 baud and lines', (t) => {
  const { defaults: _, ...bare } = driver;
  const plan = planned(t, checkDevice('x', { driver: 'test', link: serial }, bare));
  t.like(plan.link, { baud_rate: 9600 });
  t.is(plan.framing.type, 'line');
});

test('a TCP link is left as it is', (t) => {
  const link = linkSchema.parse({ type: 'tcp', host: 'h', port: 1 });
  t.is(planned(t, checkDevice('x', { driver: 'test', link }, driver)).link, link);
});

test('wrong options are told with their place and the schema', (t) => {
  const device = { driver: 'test', link: serial, options: { scale: 'big', scael: 1 } };
  const result = checkDevice('x', device, driver);
  t.false(result.ok);
  if (result.ok) return;
  t.is(result.errors.length, 1);
  const [fault] = result.errors;
  t.deepEqual(fault?.path, ['options']);
  t.is(fault?.schema, driver.options);
  t.deepEqual(
    fault?.error.issues.map(({ code }) => code),
    ['invalid_type', 'unrecognized_keys'],
  );
});

test('an impossible default framing is laid at the door of the driver', (t) => {
  const broken: Driver = { ...driver, defaults: { framing: { type: 'lnie' } } };
  const result = checkDevice('x', { driver: 'test', link: serial, options: { scale: '' } }, broken);
  t.false(result.ok);
  if (result.ok) return;
  t.deepEqual(
    result.errors.map(({ path }) => path),
    [['options'], ['driver']],
  );
  t.regex(result.errors[1]?.error.issues[0]?.message ?? '', /the driver test has an impossible default framing/);
});

const session: Driver = defineDriver({
  kind: 'session',
  summary: 'test',
  options: z.strictObject({}),
  defaults: { baud_rate: 57600 },
  open: async () => ({}),
});

test('a driver of sessions gets the bytes as they come, and its baud rate', (t) => {
  const plan = planned(t, checkDevice('board', { driver: 'test', link: serial, isolation: 'worker' }, session));
  t.is(plan.framing.type, 'raw');
  t.like(plan.link, { baud_rate: 57600 });
});

test('a driver of sessions cannot be run inline, and has no framing: both are told with the reason', (t) => {
  const framing = framingSchema.parse({ type: 'line' });
  const result = checkDevice('board', { driver: 'test', link: serial, isolation: 'inline', framing }, session);
  const told = result.ok ? [] : result.errors.map(({ path, error }) => [path[0], error.issues[0]?.message]);
  t.deepEqual(
    told.map(([key]) => key),
    ['isolation', 'framing'],
  );
  t.regex(String(told[0]?.[1]), /always runs in a Worker/);
  t.regex(String(told[1]?.[1]), /has no framing/);
});
