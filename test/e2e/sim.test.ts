// `ferrule sim`: devices from a file, a gateway on the config that it prints, and readings on MQTT; plugs that are pulled; and
// nothing left behind.

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parse } from 'yaml';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const BASE = 'ferrule/e2e';

const RECORDING = `{"ferrule_recording":1,"device":"old","driver":"json-lines"}
{"t":0,"d":"in","hex":"7b2261223a317d0a"}
{"t":300000,"d":"in","hex":"7b2261223a327d0a"}
`;

async function simFile(): Promise<string> {
  return `
devices:
  gps: { type: gnss, link: ./gps, rate: 5, speed: 10, track: [[47.3, 8.5], [47.301, 8.5]] }
  scale: { type: scale, link: "tcp://127.0.0.1:${await freePort()}" }
  therm: { type: thermometer, link: "dial://127.0.0.1:${await freePort()}", around: 50, noise: 0, every: 100ms }
  plc: { type: modbus-rtu, link: ./plc, unit: 17, registers: { 0: 555 } }
  talk: { type: script, link: ./talk, every: 10s, lines: [hello], answers: { "*IDN?": "ME,1" } }
  old: { type: replay, link: ./old, file: old.ndjson }
`;
}

brokerTest('a simulation is read by a gateway on the config that it prints; a pulled plug is seen', async (t) => {
  const dir = folderFor(t, { 'sim.yaml': await simFile(), 'old.ndjson': RECORDING });
  const printed = await ferrule(dir, ['sim', 'sim.yaml', '--print-config']);
  t.is(printed.code, 0, printed.err);
  const env = { ...process.env, NODE_V8_COVERAGE: '' };
  const sim = spawn(process.execPath, [MAIN, 'sim', 'sim.yaml', '-i'], { cwd: dir, env });
  t.teardown(() => sim.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => sim.once('close', resolve));
  const lines: string[] = [];
  for (const input of [sim.stdout, sim.stderr]) createInterface({ input }).on('line', (line) => lines.push(line));
  await eventually(() => lines.some((line) => line.startsWith('running')), 'the simulation');

  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const { devices } = parse(printed.out);
  devices.therm.link = { type: 'tcp-listen', port: Number(devices.therm.link.split(':').at(-1)), peer: 'shared' };
  for (const device of Object.values<object>(devices)) Object.assign(device, { reconnect: { first: 50, max: 200 } });
  gatewayFor(t, { config: { gateway: { id: 'e2e' }, mqtt: { url: `mqtt://127.0.0.1:${broker.port}` }, devices } });
  await subscriber.count(`${BASE}/gps`, 2);
  t.like(subscriber.last(`${BASE}/gps`), { speed: 10, satellites: { used: 7 } });
  await subscriber.count(`${BASE}/scale`, 2);
  t.regex(subscriber.texts(`${BASE}/scale`)[0] ?? '', /^(ST|US),GS,[+-]\d{4}\.\d\d,kg\r$/);
  await subscriber.count(`${BASE}/therm`, 2);
  t.like(subscriber.last(`${BASE}/therm`), { unit: 'C' });
  await subscriber.count(`${BASE}/old`, 4);
  t.deepEqual(subscriber.texts(`${BASE}/old`).slice(0, 4), ['{"a":1}', '{"a":2}', '{"a":1}', '{"a":2}']);

  await subscriber.client.publishAsync(`${BASE}/talk/set`, '*IDN?', { qos: 1 });
  await eventually(() => subscriber.texts(`${BASE}/talk`).includes('ME,1'), 'the answer of the script');
  await subscriber.client.publishAsync(`${BASE}/plc/write`, Buffer.from('110300000001869a', 'hex'));
  await subscriber.count(`${BASE}/plc`, 1);
  t.is(subscriber.on(`${BASE}/plc`)[0]?.payload.toString('hex'), '110302022b', 'checked, and without its checksum');

  sim.stdin.write('unplug gps\n');
  await subscriber.says(`${BASE}/gps/availability`, { state: 'offline' });
  t.false(existsSync(path.join(dir, 'gps')));
  sim.stdin.write('plug gps\nplug nobody\nhello\n');
  await subscriber.says(`${BASE}/gps/availability`, { state: 'online' });
  // On stdout and on stderr: which comes first is not said.
  await eventually(() => lines.some((line) => line.startsWith('"hello": expected')), 'the answer to what is none');
  await eventually(() => lines.includes('gps: plugged'), 'the answer to plug');
  const nobody = 'no device "nobody"; there are gps, scale, therm, plc, talk, old';
  await eventually(() => lines.includes(nobody), 'the answer for a device that is none');
  sim.kill('SIGTERM');
  t.is(await ended, 0);
  for (const name of ['gps', 'plc', 'talk', 'old']) t.false(existsSync(path.join(dir, name)), name);
});

test.serial('the config that it prints for every type of device is a good one', async (t) => {
  const types = {
    gnss: {},
    scale: {},
    thermometer: {},
    hygrometer: {},
    'modbus-rtu': {},
    'modbus-tcp': {},
    avr: { hex: 'standard-firmata' },
    script: { lines: ['hello'] },
    replay: { file: 'old.ndjson' },
  };
  const devices = Object.entries(types).map(([type, more]) => [type, { type, link: `./${type}`, ...more }]);
  const dir = folderFor(t, {
    'sim.yaml': JSON.stringify({ devices: Object.fromEntries(devices) }),
    'old.ndjson': RECORDING,
  });
  const printed = await ferrule(dir, ['sim', 'sim.yaml', '--print-config']);
  t.is(printed.code, 0, printed.err);
  writeFileSync(path.join(dir, 'ferrule.yaml'), printed.out);
  const checked = await ferrule(dir, ['check']);
  t.deepEqual([checked.code, checked.err], [0, '']);
  t.regex(checked.out, /9 devices/);
});

test.serial('what is wrong with the file, or cannot be opened, is told, and nothing is left behind', async (t) => {
  const dir = folderFor(t, {
    'bad.yaml': 'devices: { a: { type: scale, link: ./a, evry: 5 } }',
    'taken.yaml': 'devices: { a: { type: scale, link: ./a }, b: { type: scale, link: ./bad.yaml } }',
    'lost.yaml': 'devices: { a: { type: scale, link: ./a }, b: { type: replay, link: ./b, file: no.ndjson } }',
  });
  const bad = await ferrule(dir, ['sim', 'bad.yaml']);
  t.deepEqual([bad.code, bad.errLines], [78, ['bad.yaml:1:41 devices.a: unknown key "evry", did you mean "every"?']]);
  const taken = await ferrule(dir, ['sim', 'taken.yaml']);
  t.deepEqual(
    [taken.code, taken.errLines],
    [1, [`b: ${path.join(dir, 'bad.yaml')} is there already, and is no link to a pty`]],
  );
  const lost = await ferrule(dir, ['sim', 'lost.yaml']);
  t.is(lost.code, 1);
  t.regex(lost.err, /^b: ENOENT: no such file or directory, open '.*no\.ndjson'\n$/);
  t.false(existsSync(path.join(dir, 'a')) || existsSync(path.join(dir, 'b')));
});

test.serial('a replay says what is wrong with what it was asked', async (t) => {
  const header = (framing: object): string => `${JSON.stringify({ ferrule_recording: 1, device: 'x', framing })}\n`;
  const dir = folderFor(t, { 'gap.ndjson': header({ type: 'silence', gap: '5ms' }), 'no.ndjson': 'hello\n' });
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['gap.ndjson'], 64, /^say where the device is to be found: one of --pty/],
    [['gap.ndjson', '--tcp', '0', '--pty', 'x'], 64, /^say where/],
    [['gap.ndjson', '--tcp', 'x'], 64, /^--tcp: expected \[HOST:\]PORT, got "x"/],
    [['gap.ndjson', '--tcp', '0', '--speed', 'fast'], 64, /^--speed: expected a number above 0, or max/],
    [['gap.ndjson', '--tcp', '0', '--speed', '2'], 64, /framing `silence`: pauses end its frames/],
    [['no.ndjson', '--tcp', '0'], 1, /no\.ndjson:1: expected the header of a recording/],
    [['none.ndjson', '--tcp', '0'], 1, /ENOENT.*none\.ndjson/],
  ];
  const ends = await Promise.all(cases.map(([args]) => ferrule(dir, ['replay', ...args])));
  for (const [index, [args, code, sentence]] of cases.entries()) {
    t.is(ends[index]?.code, code, args.join(' '));
    t.regex(ends[index]?.err ?? '', sentence);
  }
});
