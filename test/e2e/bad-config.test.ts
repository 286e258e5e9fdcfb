// A config that is wrong, as its author meets it: the built commands `check` and `run`, exit code 78, every mistake at once
// with its place, and nothing started. No secret is ever shown.

import { chmodSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openPty } from '../../src/hil/pty.js';
import { cannotDropRoot, withoutRoot } from '../support/drop-root.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import { startTcpDevice } from '../support/tcp-device.js';

/** What `check` says of these files. */
async function problemsOf(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const { code, out, errLines } = await ferrule(folderFor(t, files), ['check'], env);
  t.deepEqual([code, out], [78, '']);
  return errLines;
}

test.serial(
  'every mistake is named at once: place, path, what was expected, what was found, nearest key',
  async (t) => {
    const found = await problemsOf(t, {
      'ferrule.yaml': `gatway: { id: x }
mqtt:
  url: ftp://broker
  qos: two
devices:
  scale:
    driver: lines
    link: { type: serial, path: /dev/ttyUSB0, baud_rat: 9600 }
  fast:
    driver: lines
    link: { type: serial, path: /dev/ttyUSB7, baud_rate: "fast" }
  slow: { driver: lines, link: "tcp://10.0.0.5:99999" }
  cell/set: { driver: lines, link: "tcp://10.0.0.5:4001", silent_after: soon }
`,
    });
    t.deepEqual(found, [
      'ferrule.yaml:1:1: unknown key "gatway", did you mean "gateway"?',
      'ferrule.yaml:3:8 mqtt.url: expected mqtt://host:port (or mqtts, ws, wss), or "embedded", got "ftp://broker"',
      'ferrule.yaml:4:8 mqtt.qos: expected 0 or 1, got "two"',
      'ferrule.yaml:8:47 devices.scale.link: unknown key "baud_rat", did you mean "baud_rate"?',
      'ferrule.yaml:11:58 devices.fast.link.baud_rate: expected a positive integer, got "fast"',
      'ferrule.yaml:12:32 devices.slow.link.port: expected a port, 1 to 65535, got 99999',
      'ferrule.yaml:13:3 devices.cell/set: the name "cell/set" has the segment "set", a word that Ferrule\'s topics use themselves',
      'ferrule.yaml:13:73 devices.cell/set.silent_after: expected a duration such as 250ms, 30s or 5m, 0 to 30d, got "soon"',
      '8 problems',
    ]);
  },
);

test.serial('an unknown driver is named with the nearest one, a bad option of a driver with its place', async (t) => {
  const found = await problemsOf(t, {
    'ferrule.yaml': `devices:
  scale: { driver: lnies, link: "tcp://10.0.0.5:4001" }
  cell:
    driver: json-lines
    link: tcp://10.0.0.5:4002
    options:
      feilds: [weight]
  gps: { driver: json-lines, link: "tcp://10.0.0.5:4003", options: { fields: 7 } }
`,
  });
  t.deepEqual(found, [
    'ferrule.yaml:2:20 devices.scale.driver: no driver "lnies"; did you mean "lines"? available: firmata, johnny-five, json-lines, lines, nmea0183, raw, scpi',
    'ferrule.yaml:7:7 devices.cell.options: unknown key "feilds", did you mean "fields"?',
    'ferrule.yaml:8:78 devices.gps.options.fields: expected a list, got 7',
    '3 problems',
  ]);
});

test.serial(
  'mistakes that only the driver knows come together with those of the config, also of one device',
  async (t) => {
    const found = await problemsOf(t, {
      'ferrule.yaml': `mqtt: { qos: 5 }
devices:
  scale: { driver: lnies, link: "tcp://10.0.0.5:4001", silent_aftr: 3s }
  cell: { driver: json-lines, link: "tcp://10.0.0.5:0", options: { feilds: [a] } }
`,
    });
    t.deepEqual(found, [
      'ferrule.yaml:1:14 mqtt.qos: expected 0 or 1, got 5',
      'ferrule.yaml:3:20 devices.scale.driver: no driver "lnies"; did you mean "lines"? available: firmata, johnny-five, json-lines, lines, nmea0183, raw, scpi',
      'ferrule.yaml:3:56 devices.scale: unknown key "silent_aftr", did you mean "silent_after"?',
      'ferrule.yaml:4:37 devices.cell.link.port: expected a port, 1 to 65535, got 0',
      'ferrule.yaml:4:68 devices.cell.options: unknown key "feilds", did you mean "fields"?',
      '5 problems',
    ]);
  },
);

test.serial('two devices on one port are found, also where one of them names it by a symbolic link', async (t) => {
  const pty = await openPty();
  t.teardown(() => pty.close());
  const dir = folderFor(t, {
    'ferrule.yaml': `devices:
  scale: { driver: lines, link: "serial:${pty.path}" }
  other: { driver: lines, link: "serial:./by-id" }
  twin: { driver: raw, link: "serial:${pty.path}?baud_rate=19200" }
`,
  });
  symlinkSync(pty.path, path.join(dir, 'by-id'));
  const { code, errLines } = await ferrule(dir, ['check']);
  t.is(code, 78);
  t.deepEqual(errLines, [
    'ferrule.yaml:3:33 devices.other.link: "other" and "scale" (ferrule.yaml:2:33) share one serial port, ./by-id: each device needs its own',
    `ferrule.yaml:4:30 devices.twin.link: "twin" and "scale" (ferrule.yaml:2:33) share one serial port, ${pty.path}: each device needs its own`,
    '2 problems',
  ]);
});

test.serial('a config that is not there: what was looked for, and how to make one', async (t) => {
  const dir = folderFor(t);
  for (const command of ['check', 'run']) {
    const { code, out, errLines } = await ferrule(dir, [command, '-c', 'nope.yaml']);
    t.deepEqual([code, out], [78, '']);
    t.deepEqual(errLines, [
      `no config file; looked for ${path.join(dir, 'nope.yaml')}`,
      'write one with `ferrule init`, name one with -c FILE, or try `ferrule demo`, which needs none',
    ]);
  }
  const { code, errLines } = await ferrule(dir, ['run', '-c', '.']);
  t.deepEqual([code, errLines], [78, [`${dir}: cannot be read: it is a directory`, '1 problem']]);
});

test.serial(
  'a !file that is missing, a directory or not ours to read is named with its place and its reason',
  async (t) => {
    const yaml = (secret: string): string => `devices: {}
mqtt:
  username: board
  password: !file ${secret}
`;
    const reasons: [string, string][] = [
      ['./nope', 'no such file'],
      ['.', 'it is a directory'],
    ];
    if (cannotDropRoot === undefined) reasons.push(['./locked', 'permission denied']);
    else t.log(`permission denied: ${cannotDropRoot}`);
    const env = withoutRoot(t);
    for (const [secret, reason] of reasons) {
      const dir = folderFor(t, { 'ferrule.yaml': yaml(secret), locked: 'hunter2' });
      chmodSync(path.join(dir, 'locked'), 0);
      const { code, errLines } = await ferrule(dir, ['check'], env);
      t.is(code, 78);
      t.deepEqual(errLines, [
        `ferrule.yaml:4:19 mqtt.password: cannot read the file ${path.resolve(dir, secret)}: ${reason}`,
        '1 problem',
      ]);
    }
  },
);

test.serial('a bad override from the environment names its variable', async (t) => {
  const env = {
    FERRULE_MQTT__KEEPALIVE: 'often',
    FERRULE_MQQT__URL: 'mqtt://broker',
    FERRULE_DEVICES__SCAEL__QOS: '1',
    FERRULE_DEVICES__SCALE__QOS: '7',
    FERRULE_SPOOL: '{"mode":"sometimes"}',
  };
  const found = await problemsOf(
    t,
    { 'ferrule.yaml': 'devices: { scale: { driver: lines, link: "tcp://h:1" } }' },
    env,
  );
  t.deepEqual(found.toSorted(), [
    '5 problems',
    'env FERRULE_DEVICES__SCAEL__QOS devices: no device "scael", did you mean "scale"?',
    'env FERRULE_DEVICES__SCALE__QOS devices.scale.qos: expected 0 or 1, got 7',
    'env FERRULE_MQQT__URL: unknown key "mqqt", did you mean "mqtt"?',
    'env FERRULE_MQTT__KEEPALIVE mqtt.keepalive: expected a duration such as 250ms, 30s or 5m, 0 to 65535s, got "often"',
    'env FERRULE_SPOOL spool.mode: expected one of offline, off, always, got "sometimes"',
  ]);
});

test.serial(
  'mistakes in several files are named with their files: main file first, then devices.d by name',
  async (t) => {
    const found = await problemsOf(t, {
      'ferrule.yaml': 'mqtt: { qos: 9 }\ndevices:\n  scale: { driver: lines, link: "tcp://h:1" }\n',
      'devices.d/20-cells.yaml':
        'cell: { driver: lines, link: "tcp://h:2", retian: true }\nscale: { driver: raw, link: "tcp://h:3" }\n',
      'devices.d/10-gps.yaml': 'gps: { driver: nmea0184, link: "tcp://h:4" }\n',
      'devices.d/30-list.yaml': '- not a map\n',
    });
    t.deepEqual(found, [
      'ferrule.yaml:1:14 mqtt.qos: expected 0 or 1, got 9',
      'devices.d/10-gps.yaml:1:16 devices.gps.driver: no driver "nmea0184"; did you mean "nmea0183"? available: firmata, johnny-five, json-lines, lines, nmea0183, raw, scpi',
      'devices.d/20-cells.yaml:1:43 devices.cell: unknown key "retian", did you mean "retain"?',
      'devices.d/20-cells.yaml:2:1 devices.scale: duplicate device "scale", first at ferrule.yaml:3:3',
      'devices.d/30-list.yaml:1:1: expected a map of keys, got something else',
      '5 problems',
    ]);
  },
);

test.serial('a file that is no YAML is named with the places where it stops being YAML', async (t) => {
  const found = await problemsOf(t, { 'ferrule.yaml': 'devices:\n  scale: {driver: lines\n\tlink: x\n' });
  t.true(found.length >= 2);
  for (const line of found.slice(0, -1)) t.regex(line, /^ferrule\.yaml:\d+:\d+: not valid YAML: /);
  const binary = await problemsOf(t, { 'ferrule.yaml': '\u0000\u0001\u0002ELF' });
  t.regex(binary[0] ?? '', /^ferrule\.yaml:1:1: /);
});

test.serial('secrets are shown neither by check nor by run, wherever the mistake is', async (t) => {
  const secrets = ['hunter2', 'hunter3', 'hunter4', 'hunter5', 'hunter6'];
  const dir = folderFor(t, {
    'ferrule.yaml': `mqtt:
  url: htp://admin:hunter2@broker
  password: [hunter3]
  keepalive: !file ./secret
devices:
  scale: { driver: lines, link: "tcp://h:1", options: { api_key: hunter5 } }
`,
    secret: 'hunter4\n',
  });
  const env = { FERRULE_MQTT__KEY: '{"x":"hunter6"}' };
  const check = await ferrule(dir, ['check'], env);
  const run = await ferrule(dir, ['run'], env);
  for (const { code, out } of [check, run]) t.deepEqual([code, out], [78, '']);
  t.is(run.err, check.err, 'run says what check says');
  for (const secret of secrets) t.false(check.err.includes(secret), secret);
  t.deepEqual(check.errLines, [
    'ferrule.yaml:2:8 mqtt.url: expected mqtt://host:port (or mqtts, ws, wss), or "embedded", got "htp://***@broker"',
    'ferrule.yaml:3:13 mqtt.password: expected a string, got a secret that is not shown',
    'ferrule.yaml:4:20 mqtt.keepalive: expected a duration such as 250ms, 30s or 5m, 0 to 65535s, got a secret that is not shown',
    'ferrule.yaml:6:57 devices.scale.options: unknown key "api_key"',
    'env FERRULE_MQTT__KEY mqtt.key: expected a string, got a secret that is not shown',
    '5 problems',
  ]);
});

test.serial('with one mistake nothing is started: no port is opened, no device called, no broker made', async (t) => {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const ports = await Promise.all([freeListener(t), freeListener(t)]);
  const dir = folderFor(t, {
    'ferrule.yaml': `mqtt: { url: embedded, embedded: { port: ${ports[0]} } }
devices:
  cell: { driver: lines, link: "tcp://127.0.0.1:${device.port}" }
  sensors: { driver: lines, link: "tcp-listen://127.0.0.1:${ports[1]}" }
  broken: { driver: nolines, link: "tcp://127.0.0.1:${device.port}" }
`,
  });
  // Were they opened, the gateway would say so: they are taken.
  const { code, out, errLines } = await ferrule(dir, ['run']);
  t.is(code, 78);
  t.is(out, '', 'not even a line of the log');
  t.regex(errLines[0] ?? '', /^ferrule\.yaml:5:21 devices\.broken\.driver: no driver "nolines"/);
  t.is(device.accepted, 0);
});

/** A port that is taken; freed with the test. */
async function freeListener(t: ExecutionContext): Promise<number> {
  const server = net.createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port; // listens on TCP
}
