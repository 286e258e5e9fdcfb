import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type CheckOptions, runCheck } from '../../src/cli/check.js';

async function check(t: ExecutionContext, text: string | undefined, options: Partial<CheckOptions> = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'ferrule-check-'));
  t.teardown(() => rmSync(cwd, { recursive: true }));
  if (text !== undefined) writeFileSync(join(cwd, 'ferrule.yaml'), text);
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCheck({
    cwd,
    env: {},
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    ...options,
  });
  return { code, out, err, cwd };
}

const GOOD = `gateway: { id: line-3 }
devices:
  scale: { driver: lines, link: "serial:/dev/ttyUSB0?baud_rate=9600" }
  cell/1: { driver: raw, link: "tcp://10.0.0.5:4001", enabled: false }
`;

test('a good config gives a line per device and exit code 0', async (t) => {
  const { code, out, err } = await check(t, GOOD);
  t.deepEqual(out, [
    'scale   lines on serial:/dev/ttyUSB0',
    'cell/1  raw on tcp://10.0.0.5:4001 (not enabled)',
    'ferrule.yaml: ok, 2 devices, topics below ferrule/line-3',
  ]);
  t.deepEqual([code, err], [0, []]);
});

test('commands that the broker keeps and no device holds are a warning: at the start its link is not open yet', async (t) => {
  const keeps = 'mqtt: { session_expiry: 1h }\n';
  const holds = GOOD.replace('driver: lines,', 'driver: lines, commands: { when_offline: hold },');
  const disabled = GOOD.replace('driver: raw,', 'driver: raw, commands: { when_offline: hold },');
  for (const text of [GOOD, keeps + holds]) t.deepEqual((await check(t, text)).err, []);
  for (const text of [keeps + GOOD, keeps + disabled]) {
    const { code, err } = await check(t, text);
    t.is(code, 0);
    t.is(err.length, 1);
    t.regex(err[0] ?? '', /mqtt.session_expiry .* no device has commands.when_offline: hold/);
  }
});

test('a bad config gives all problems, their number, and exit code 78', async (t) => {
  const { code, out, err } = await check(t, 'gatway: 1\nmqtt: { qos: 9 }\n');
  t.deepEqual(err, [
    'ferrule.yaml:1:1: unknown key "gatway", did you mean "gateway"?',
    'ferrule.yaml:2:14 mqtt.qos: expected 0 or 1, got 9',
    '2 problems',
  ]);
  t.deepEqual([code, out], [78, []]);
});

test('no config says where it was looked for and what to do', async (t) => {
  const { code, err, cwd } = await check(t, undefined, { path: 'nope.yaml' });
  t.is(code, 78);
  t.deepEqual(err, [
    `no config file; looked for ${join(cwd, 'nope.yaml')}`,
    'write one with `ferrule init`, name one with -c FILE, or try `ferrule demo`, which needs none',
  ]);
});

test('mistakes that only a driver sees come together with the others', async (t) => {
  const { code, err } = await check(t, GOOD.replace('driver: lines,', 'driver: lnies, qos: 9,'));
  const [driver, ...others] = err;
  t.regex(
    driver ?? '',
    /^ferrule\.yaml:3:20 devices\.scale\.driver: no driver "lnies"; did you mean "lines"\? available: /,
  );
  t.deepEqual(others, ['ferrule.yaml:3:32 devices.scale.qos: expected 0 or 1, got 9', '2 problems']);
  t.is(code, 78);
});

/** A file of what was changed over MQTT, below `dir`. */
function keep(dir: string, text: string): void {
  mkdirSync(join(dir, 'data'));
  writeFileSync(join(dir, 'data/devices.json'), text);
}

test('what was changed over MQTT is shown with the devices, so that nobody searches the file in vain', async (t) => {
  const { cwd } = await check(t, GOOD);
  const devices = { door: { driver: 'lines', link: 'tcp://h:1' } };
  keep(cwd, JSON.stringify({ version: 1, devices, enabled: { scale: false, 'cell/1': true, door: false } }));
  const { code, out, err } = await check(t, undefined, { cwd });
  t.deepEqual(out, [
    'scale   lines on serial:/dev/ttyUSB0 (disabled over MQTT)',
    'cell/1  raw on tcp://10.0.0.5:4001 (enabled over MQTT)',
    'door    lines on tcp://h:1 (disabled over MQTT, added over MQTT)',
    'ferrule.yaml: ok, 3 devices, topics below ferrule/line-3',
  ]);
  t.deepEqual([code, err], [0, []]);
});

test('what was changed over MQTT and does not fit is a warning: the gateway would run without it', async (t) => {
  const { cwd } = await check(t, GOOD);
  const devices = {
    door: { driver: 'lines', link: 'serial:/dev/ttyUSB0' },
    hall: { driver: 'lines', link: 'tcp://h:1' },
  };
  keep(cwd, JSON.stringify({ version: 1, devices, enabled: {} }));
  const { code, out, err } = await check(t, undefined, { cwd });
  t.is(code, 0);
  t.is(out.at(-2), 'hall    lines on tcp://h:1 (added over MQTT)');
  t.regex(err.join('\n'), /^door: what was changed over MQTT is left out: .*share one serial port, \/dev\/ttyUSB0/);
});

test('a file of changes that cannot be read is a warning with its name', async (t) => {
  const { cwd } = await check(t, GOOD);
  keep(cwd, 'no json');
  const { code, err } = await check(t, undefined, { cwd });
  t.is(code, 0);
  t.regex(err.join('\n'), /data\/devices\.json: not JSON: .*; what was changed over MQTT is left out$/);
});
