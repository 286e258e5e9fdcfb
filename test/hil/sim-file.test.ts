import test from 'ava';
import { parse } from 'yaml';
import { simConfig } from '../../src/hil/sim-config.js';
import { readSimFile, type SimFileResult } from '../../src/hil/sim-file.js';

function read(text: string): SimFileResult {
  return readSimFile({ file: 'sim.yaml', cwd: '/work', env: { PORT: '7001' }, readFile: () => text });
}

function lines(text: string): readonly string[] {
  const result = read(text);
  return result.ok ? [] : result.lines;
}

const GOOD = `
seed: 7
devices:
  gps: { type: gnss, link: ./gps, rate: 5, track: [[47.3, 8.5], [47.301, -8.5]] }
  scale: { type: scale, link: "tcp://0.0.0.0:\${PORT}" }
  therm: { type: thermometer, link: "dial://[::1]:7102", noise: 0.5, every: 2s }
  plc: { type: modbus-rtu, link: /tmp/plc, registers: { 0: 100, 1: -1 } }
  ied: { type: modbus-tcp, link: "tcp://127.0.0.1:5020", unit: 3, input_registers: { 7: 8 } }
  uno: { type: avr, link: /tmp/uno, hex: standard-firmata }
  talk: { type: script, link: /tmp/talk, answers: { "*IDN?": "ME,1" } }
  old: { type: replay, link: /tmp/old, file: old.ndjson }
`;

test('a good file is read with its defaults; durations are ms, registers a table', (t) => {
  const result = read(GOOD);
  t.true(result.ok, JSON.stringify(result));
  if (!result.ok) return;
  const { gps, scale, therm, plc, old } = result.sim.devices;
  t.like(gps, {
    rate: 5,
    speed: 4,
    track: [
      { lat: 47.3, lon: 8.5 },
      { lat: 47.301, lon: -8.5 },
    ],
  });
  t.like(scale, { link: 'tcp://0.0.0.0:7001', every: 200 });
  t.like(therm, { noise: 0.5, every: 2000, around: 21 });
  t.deepEqual(plc?.type === 'modbus-rtu' && [...plc.registers], [
    [0, 100],
    [1, -1],
  ]);
  t.like(old, { loop: true, speed: 1 });
  t.is(result.dir, '/work');
});

test('the config for these devices names a driver and a link for each', (t) => {
  const result = read(GOOD);
  if (!result.ok) return t.fail();
  const recorded = new Map([['old', { driver: 'json-lines' }]]);
  const { devices } = parse(simConfig(result.sim, result.dir, recorded));
  t.deepEqual(
    Object.entries<{ driver: string; link: string }>(devices).map(([name, { driver, link }]) => [name, driver, link]),
    [
      ['gps', 'nmea0183', 'serial:/work/gps'],
      ['scale', 'lines', 'tcp://127.0.0.1:7001'],
      ['therm', 'json-lines', 'tcp-listen://[::1]:7102'],
      ['plc', 'raw', 'serial:/tmp/plc'],
      ['ied', 'raw', 'tcp://127.0.0.1:5020'],
      ['uno', 'firmata', 'serial:/tmp/uno'],
      ['talk', 'lines', 'serial:/tmp/talk'],
      ['old', 'json-lines', 'serial:/tmp/old'],
    ],
  );
});

const faults: readonly [string, string, string][] = [
  [
    'a type that is none',
    'devices:\n  gps: { type: gnns, link: ./gps }',
    'sim.yaml:2:16 devices.gps.type: expected one of gnss, scale, thermometer, hygrometer, modbus-rtu, modbus-tcp, avr, ' +
      'script, replay, got "gnns", did you mean "gnss"?',
  ],
  [
    'an unknown key',
    'devices:\n  a: { type: scale, link: /tmp/a, evry: 5 }',
    'sim.yaml:2:35 devices.a: unknown key "evry", did you mean "every"?',
  ],
  [
    'a link that is none',
    'devices:\n  a: { type: scale, link: "tcp:/x" }',
    'sim.yaml:2:27 devices.a.link: expected a path for a pty such as /tmp/gps, tcp://HOST:PORT or dial://HOST:PORT, got "tcp:/x"',
  ],
  [
    'a link to port 0 of somebody else',
    'devices:\n  a: { type: scale, link: "dial://h:0" }',
    'sim.yaml:2:27 devices.a.link: expected a path for a pty such as /tmp/gps, tcp://HOST:PORT or dial://HOST:PORT, got "dial://h:0"',
  ],
  [
    'a track of one point',
    'devices:\n  a: { type: gnss, link: /tmp/a, track: [[1, 2]] }',
    'sim.yaml:2:41 devices.a.track: expected at least two positions, got a list',
  ],
  [
    'a track that goes nowhere',
    'devices:\n  a: { type: gnss, link: /tmp/a, track: [[1, 2], [1, 2]] }',
    'sim.yaml:2:41 devices.a.track: all positions of the track are the same',
  ],
  [
    'a latitude beyond the pole',
    'devices:\n  a: { type: gnss, link: /tmp/a, track: [[91, 2], [1, 2]] }',
    'sim.yaml:2:43 devices.a.track[0][0]: expected degrees, -90 to 90, got 91',
  ],
  [
    'a device without a word',
    'devices:\n  a: { type: script, link: /tmp/a }',
    'sim.yaml:2:6 devices.a: has nothing to say: give it `lines` or `answers`',
  ],
  [
    'two devices on one link',
    'devices:\n  a: { type: scale, link: /work/x }\n  b: { type: scale, link: ./x }',
    'sim.yaml:3:27 devices.b.link: the link of a already: ./x',
  ],
  [
    'a name that no topic takes',
    'devices:\n  a+b: { type: scale, link: /tmp/a }',
    'sim.yaml:2:3 devices.a+b: the name contains "+", a wildcard of MQTT',
  ],
  [
    'no YAML',
    'devices: [',
    'sim.yaml:1:11: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
];

for (const [what, text, expected] of faults) {
  test(`${what} is told with its place`, (t) => {
    t.deepEqual(lines(text), [expected]);
  });
}

test('everything that is wrong is told at once; a file that is not there too', (t) => {
  t.is(lines('devices:\n  a: { type: scale }\n  b: { type: gnss, link: 5, rate: 99 }\nseeed: 1').length, 4);
  const missing = readSimFile({
    file: 'sim.yaml',
    cwd: '/work',
    env: {},
    readFile: () => {
      throw new Error('ENOENT');
    },
  });
  t.deepEqual(missing, { ok: false, lines: ['sim.yaml: cannot be read: ENOENT'] });
});
