import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  t.deepEqual(err, [
    'ferrule.yaml:3:20 devices.scale.driver: no driver "lnies"; did you mean "lines"? available: json-lines, lines, nmea0183, raw',
    'ferrule.yaml:3:32 devices.scale.qos: expected 0 or 1, got 9',
    '2 problems',
  ]);
  t.is(code, 78);
});
