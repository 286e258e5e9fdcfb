// What a wrong config is answered with: the exact lines that people read.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables look in a config file

import test from 'ava';
import { z } from 'zod';
import { formatPath, formatProblem, hideCredentials } from '../../src/config/problem.js';
import { problemAt } from '../../src/config/source.js';
import { zodProblems } from '../../src/config/zod-problems.js';
import { loadFiles, loadText, problemLines, problemsOf } from '../support/config-files.js';

const device = (keys: string): string => `devices: { a: { driver: lines, ${keys} } }`;
const TCP = 'link: tcp://h:1';

/** Text of a ferrule.yaml -> its problems, without the file name in front. */
const TABLE: Readonly<Record<string, readonly [string, ...string[]]>> = {
  // one value
  'gateway: { id: a+b }': [
    '1:16 gateway.id: expected an id without spaces and without + # /, not beginning with $, got "a+b"',
  ],
  'gateway: 5': ['1:10 gateway: expected a map, got 5'],
  'mqtt: { url: http://x }': [
    '1:14 mqtt.url: expected mqtt://host:port (or mqtts, ws, wss), or "embedded", got "http://x"',
  ],
  'mqtt: { url: http://me:pw@x }': [
    '1:14 mqtt.url: expected mqtt://host:port (or mqtts, ws, wss), or "embedded", got "http://***@x"',
  ],
  'mqtt: { url: "mqtt://gw:s3cr/et@h:1" }': [
    '1:14 mqtt.url: expected mqtt://host:port with / # ? in the password as %2F %23 %3F (or the password in mqtt.password), got "mqtt://***@h:1"',
  ],
  'mqtt: { url: "mqtt://gw:s3 \\"#cret@h" }': [
    '1:14 mqtt.url: expected mqtt://host:port with / # ? in the password as %2F %23 %3F (or the password in mqtt.password), got "mqtt://***@h"',
  ],
  'mqtt: { qos: 2 }': ['1:14 mqtt.qos: expected 0 or 1, got 2'],
  'mqtt: { version: 3 }': ['1:18 mqtt.version: expected 4 or 5, got 3'],
  'mqtt: { username: }': ['1:9 mqtt.username: expected a string, got null'],
  'mqtt: { username: "" }': ['1:19 mqtt.username: expected a string that is not empty, got ""'],
  'mqtt: { password: hunter2 }': ['1:19 mqtt.password: needs a user name: mqtt.username'],
  'mqtt: { password: 123 }': ['1:19 mqtt.password: expected a string, got a secret that is not shown'],
  'mqtt: { keepalive: soon }': [
    '1:20 mqtt.keepalive: expected a duration such as 250ms, 30s or 5m, 0 to 65535s, got "soon"',
  ],
  'mqtt: { keepalive: -1 }': ['1:20 mqtt.keepalive: expected a duration such as 250ms, 30s or 5m, 0 to 65535s, got -1'],
  'mqtt: { keepalive: true }': [
    '1:20 mqtt.keepalive: expected a duration such as 250ms, 30s or 5m, 0 to 65535s, got true',
  ],
  'mqtt: { reject_unauthorized: "no" }': ['1:30 mqtt.reject_unauthorized: expected true or false, got "no"'],
  'mqtt: { reconnect: { first: 5s, max: 1s } }': [
    '1:38 mqtt.reconnect.max: expected at least as long as `first`, got "1s"',
  ],
  'mqtt: { base_topic: a/# }': [
    '1:21 mqtt.base_topic: expected a topic without + and #, without empty segments, not beginning with $, got "a/#"',
  ],
  'mqtt: { base_topic: $x }': [
    '1:21 mqtt.base_topic: expected a topic without + and #, without empty segments, not beginning with $, got "$x"',
  ],
  'mqtt: { embedded: { host: 0.0.0.0 } }': [
    '1:27 mqtt.embedded.host: expected a loopback address: the embedded broker has no passwords, got "0.0.0.0"',
  ],
  'spool: { max_size: lots }': [
    '1:20 spool.max_size: expected a size such as 4KiB or 64MiB, 1MiB to 64GiB, got "lots"',
  ],
  'spool: { mode: offlin }': [
    '1:16 spool.mode: expected one of offline, off, always, got "offlin", did you mean "offline"?',
  ],
  'log: { level: warning }': ['1:15 log.level: expected one of debug, info, warn, error, got "warning"'],
  'http: { listen: 1 }': ['1:17 http.listen: expected host:port, such as 127.0.0.1:8377 or [::1]:8377, got 1'],
  'http: { listen: "127.0.0.1" }': [
    '1:17 http.listen: expected host:port, such as 127.0.0.1:8377 or [::1]:8377, got "127.0.0.1"',
  ],
  'http: { listen: "::1:8377" }': [
    '1:17 http.listen: expected host:port, such as 127.0.0.1:8377 or [::1]:8377, got "::1:8377"',
  ],
  'http: { listen: "127.0.0.1:70000" }': [
    '1:17 http.listen: expected host:port, such as 127.0.0.1:8377 or [::1]:8377, got "127.0.0.1:70000"',
  ],
  'http: { listen: "127.0.0.1:1", lisen: a }': ['1:32 http: unknown key "lisen", did you mean "listen"?'],
  'http: { listen: "0.0.0.0:8377" }': [
    '1:17 http.listen: is not loopback and needs `http.token`: whoever reaches it could read what the gateway does',
  ],
  'http: { listen: "[::]:8377", token: short }': [
    '1:37 http.token: expected at least 8 visible ASCII characters; `openssl rand -hex 16` makes some, got a secret that is not shown',
  ],
  'http: { lisen: "127.0.0.1:1" }': ['1:9 http: unknown key "lisen", did you mean "listen"?'],
  'http: true': ['1:7 http: expected a map or false, got true'],
  'devices: []': ['1:10 devices: expected a map, got a list'],
  '- a': ['1:1: expected a map of keys, got something else'],
  // keys
  'gatway: {}': ['1:1: unknown key "gatway", did you mean "gateway"?'],
  'zzz: 1': ['1:1: unknown key "zzz", known are gateway, mqtt, spool, http, log, drivers_dir, defaults, devices'],
  'log: { levle: info }': ['1:8 log: unknown key "levle", did you mean "level"?'],
  // devices
  'devices: { a: }': ['1:12 devices.a: expected a device: a map with `driver` and `link`, got null'],
  'devices:\n  a: { link: tcp://h:1 }': [
    '2:3 devices.a.driver: expected the name of a driver, such as lines, got nothing',
  ],
  'devices:\n  a: { driver: lines }': [
    '2:3 devices.a.link: expected a link such as "serial:/dev/ttyUSB0", "tcp://host:port" or { type: ... }, got nothing',
  ],
  'devices: { a: { driver: ../x, link: tcp://h:1 } }': [
    '1:25 devices.a.driver: expected the name of a driver, such as lines, got "../x"',
  ],
  [device('link: 7')]: [
    '1:38 devices.a.link: expected a link such as "serial:/dev/ttyUSB0", "tcp://host:port" or { type: ... }, got 7',
  ],
  [device('link: { type: seriall }')]: [
    '1:46 devices.a.link.type: expected one of serial, usb, tcp, tcp-listen, got "seriall", did you mean "serial"?',
  ],
  [device('link: {}')]: ['1:32 devices.a.link.type: expected one of serial, usb, tcp, tcp-listen, got nothing'],
  [device('link: { type: serial, path: /dev/a, baud_rate: "fast" }')]: [
    '1:79 devices.a.link.baud_rate: expected a positive integer, got "fast"',
  ],
  [device('link: { type: serial, path: /dev/a, baud_rate: 1 }')]: [
    '1:79 devices.a.link.baud_rate: expected an integer from 50 to 4000000, got 1',
  ],
  [device('link: { type: serial, path: /dev/a, baudrate: 1 }')]: [
    '1:68 devices.a.link: unknown key "baudrate", did you mean "baud_rate"?',
  ],
  [device('link: serial:/dev/a?baudRate=1')]: [
    '1:38 devices.a.link: unknown key "baudRate", did you mean "baud_rate"?',
  ],
  [device('link: "serial:/dev/a?baud_rate=x"')]: [
    '1:38 devices.a.link.baud_rate: expected a positive integer, got "x"',
  ],
  [device('link: tcp://h:70000')]: ['1:38 devices.a.link.port: expected a port, 1 to 65535, got 70000'],
  [device('link: tcp://h')]: ['1:38 devices.a.link: expected tcp://host:port (IPv6: tcp://[::1]:port), got "tcp://h"'],
  [device('link: ftp://h:1')]: [
    '1:38 devices.a.link: expected a link: serial:/dev/..., usb:VID:PID, tcp://host:port or tcp-listen://host:port, got "ftp://h:1"',
  ],
  [device('link: usb:12')]: ['1:38 devices.a.link.id: expected VID:PID in hexadecimal, e.g. "0403:6001", got "12"'],
  [device('link: "tcp-listen://h:1?peer=first-frame&peer_pattern=("')]: [
    '1:38 devices.a.link.peer_pattern: expected a regular expression, got "("',
  ],
  [device('link: "tcp-listen://h:1?peer={id}"')]: [
    '1:38 devices.a.link.peer: expected "shared", "first-frame" or a template with {ip}, {port} or {n}, such as "{ip}-{port}", without / + #, got "{id}"',
  ],
  [device(`${TCP}, framing: { type: lin }`)]: [
    '1:66 devices.a.framing.type: expected one of line, fixed, length-prefix, start-end, silence, slip, cobs, regex, raw, got "lin", did you mean "line"?',
  ],
  [device(`${TCP}, framing: { type: line, delimiter: [256] }`)]: [
    '1:84 devices.a.framing.delimiter[0]: expected a byte, 0 to 255, got 256',
  ],
  [device(`${TCP}, framing: { type: regex, pattern: "(" }`)]: [
    '1:82 devices.a.framing.pattern: expected a regular expression, got "("',
  ],
  [device(`${TCP}, options: [1]`)]: ['1:58 devices.a.options: expected a map, got a list'],
  [device(`${TCP}, queue_size: 1`)]: [
    '1:61 devices.a.queue_size: expected a size such as 4KiB or 64MiB, 1KiB to 256MiB, got 1',
  ],
  // YAML
  'a: [': ['1:5: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
  'mqtt: { qos: ${Q} }': [
    '1:15: not valid YAML: unexpected flow-map-start at node end, inside { } or [ ] a variable must be quoted: "${NAME}"',
  ],
  'log: { level: info }\n---\nmqtt: { qos: 0 }': [
    '2:1: a second document begins here (---): only one is read, so put all into it',
  ],
  'devices: { k\ufffdche: { driver: lines, link: tcp://h:1 } }': ['1:1: not UTF-8 text: save it as UTF-8'],
  'mqtt: { qos: 0, qos: 1 }': ['1:17 mqtt: duplicate key "qos", first at ferrule.yaml:1:9'],
  'log: *x': ['1:6 log: the alias *x has no anchor &x before it'],
  'log: &x { level: *x }': ['1:18 log.level: the alias *x stands inside its own anchor'],
  'log: !secret x': ['1:6: not valid YAML: unresolved tag: !secret'],
  '? [a]\n: 1': ['1:3: expected a plain word as key, got a collection or alias'],
  '__proto__: { a: 1 }': ['1:1: expected a plain word as key, got __proto__'],
  // variables and files
  'log: { level: "${LEVEL}" }': ['1:15 log.level: the variable LEVEL is not set, ${LEVEL:-...} gives a default'],
  'log: { level: "${A B}" }': ['1:15 log.level: "${A B}" is no variable reference, write $${ for a plain ${'],
  'mqtt: { password: !file pw }': ['1:25 mqtt.password: cannot read the file /gw/pw: no such file'],
  'mqtt: { url: mqtts://b, ca: nowhere.pem }': ['1:29 mqtt.ca: cannot read the file /gw/nowhere.pem: no such file'],
  // values against each other
  'mqtt: { ca: "-----BEGIN" }': ['1:13 mqtt.ca: needs a TLS connection: url with mqtts:// or wss://'],
  'mqtt: { url: mqtts://b, cert: "-----BEGIN" }': ['1:31 mqtt.cert: needs its private key: mqtt.key'],
  'mqtt: { url: mqtts://b, key: "-----BEGIN" }': ['1:30 mqtt.key: needs its certificate: mqtt.cert'],
  'mqtt: { url: embedded, username: me }': [
    '1:34 mqtt.username: the embedded broker knows no username: leave it out, or name a broker in url',
  ],
};

for (const [text, lines] of Object.entries(TABLE)) {
  test(`says what is wrong with: ${text}`, (t) => {
    t.deepEqual(
      problemsOf(text),
      lines.map((line) => `ferrule.yaml:${line}`),
    );
  });
}

test('says what is wrong with thousands of brackets', (t) => {
  t.regex(
    problemsOf(`devices: ${'['.repeat(20_000)}`)[0] ?? '',
    /^ferrule\.yaml:1:\d+: not valid YAML: nested too deep$/,
  );
});

const NAMES: Readonly<Record<string, string>> = {
  'a+': 'contains "+", a wildcard of MQTT',
  'a/#': 'contains "#", a wildcard of MQTT',
  '/a': 'has an empty segment (no "/" at the ends, no "//")',
  'a//b': 'has an empty segment (no "/" at the ends, no "//")',
  '': 'is empty',
  $a: 'begins with "$", which brokers keep for themselves',
  'a/../b': 'has a segment "." or ".."',
  'a/bridge': 'has the segment "bridge", a word that Ferrule\'s topics use themselves',
  set: 'has the segment "set", a word that Ferrule\'s topics use themselves',
  'a\nb': 'contains a control character',
  [`${'x'.repeat(201)}`]: 'is longer than 200 characters',
};

for (const [name, trouble] of Object.entries(NAMES)) {
  test(`refuses the device name ${JSON.stringify(name).slice(0, 40)}, also when the device has other problems`, (t) => {
    const lines = problemsOf(`devices:\n  ${JSON.stringify(name)}: { driver: lines, link: tcp://h:0 }`);
    t.is(lines.length, 2);
    t.true(lines[0]?.endsWith(`: the name ${JSON.stringify(name)} ${trouble}`), lines[0]);
    t.true(lines[0]?.startsWith('ferrule.yaml:2:3 devices.'), lines[0]);
  });
}

test('two devices on one serial port are both named', (t) => {
  const text = 'devices:\n  a: { driver: lines, link: /dev/ttyS0 }\n  b: { driver: raw, link: serial:/dev/ttyS0 }\n';
  t.deepEqual(problemsOf(text), [
    'ferrule.yaml:3:27 devices.b.link: "b" and "a" (ferrule.yaml:2:29) share one serial port, /dev/ttyS0: each device needs its own',
  ]);
  t.deepEqual(problemsOf(text.replace('driver: raw,', 'driver: raw, enabled: false,')), []);
});

test('two names of one serial port are found out, if they exist', (t) => {
  const text = 'devices: { a: { driver: raw, link: /dev/ttyS0 }, b: { driver: raw, link: /dev/serial/by-id/x } }';
  t.is(problemsOf(text, { realPath: () => '/dev/ttyS0' }).length, 1);
  const realPath = (): string => {
    throw new Error('ENOENT');
  };
  t.is(problemsOf(text, { realPath }).length, 0);
});

test('two devices on one USB identity, or two listeners on one address, are both named', (t) => {
  const usb = 'devices: { a: { driver: raw, link: usb:0403:600A }, b: { driver: raw, link: usb:0403:600a } }';
  t.regex(problemsOf(usb).join(), /"b" and "a" \(ferrule.yaml:1:36\) share one USB device, 0403:600a: each/);
  const listen =
    'devices: { a: { driver: raw, link: tcp-listen://127.0.0.1:7 }, b: { driver: raw, link: tcp-listen://localhost:7 } }';
  t.regex(problemsOf(listen).join(), /"b" and "a" .* share one address, localhost:7: each/);
  t.deepEqual(problemsOf(listen.replaceAll(':7 ', ':0 ')), []);
});

test('no device may stand where the connections of a listener get their names', (t) => {
  const text = 'devices:\n  s: { driver: raw, link: tcp-listen://h:7 }\n  s/x: { driver: raw, link: tcp://h:7 }\n';
  t.deepEqual(problemsOf(text), [
    'ferrule.yaml:3:3 devices.s/x: the name "s/x" stands where the connections of "s" (ferrule.yaml:2:3) get their names',
  ]);
  t.deepEqual(problemsOf(text.replace('h:7 ', 'h:7?peer=shared ')), []);
});

test('all problems of all files come at once, by place, the environment last', (t) => {
  const result = loadFiles(
    {
      'ferrule.yaml':
        'devices:\n  a: { driver: raw, link: /dev/ttyS0 }\n  x: { driver: raw, link: nope:1 }\nhttp: []\n',
      'devices.d/b.yaml': 'b: { driver: raw, link: /dev/ttyS0 }\na: { driver: raw, link: tcp://h:1 }\n',
    },
    { env: { FERRULE_LOG_LEVEL: 'info', FERRULE_DEVICES__C__QOS: '1', FERRULE_MQTT__QOS: '7' } },
  );
  t.deepEqual(problemLines(result), [
    'ferrule.yaml:3:27 devices.x.link: expected a link: serial:/dev/..., usb:VID:PID, tcp://host:port or tcp-listen://host:port, got "nope:1"',
    'ferrule.yaml:4:7 http: expected a map or false, got a list',
    'devices.d/b.yaml:1:25 devices.b.link: "b" and "a" (ferrule.yaml:2:27) share one serial port, /dev/ttyS0: each device needs its own',
    'devices.d/b.yaml:2:1 devices.a: duplicate device "a", first at ferrule.yaml:2:3',
    'env FERRULE_DEVICES__C__QOS devices: no device "c", did you mean "a"?',
    'env FERRULE_MQTT__QOS mqtt.qos: expected 0 or 1, got 7',
    'env FERRULE_LOG_LEVEL: unknown key "log_level", known are gateway, mqtt, spool, http, log, drivers_dir, defaults, devices',
  ]);
});

test('an override below a single value is a problem', (t) => {
  t.deepEqual(problemsOf('log: debug', { env: { FERRULE_LOG__LEVEL: 'info' } }), [
    'ferrule.yaml:1:6 log: expected a map, got "debug"',
    'env FERRULE_LOG__LEVEL log: expected a map there, got a single value in the config',
  ]);
});

test('a wrong default is reported once, where it was written', (t) => {
  const text =
    'defaults: { qos: 7 }\ndevices: { a: { driver: raw, link: tcp://h:1 }, b: { driver: raw, link: tcp://h:2 } }';
  t.deepEqual(problemsOf(text), ['ferrule.yaml:1:18 defaults.qos: expected 0 or 1, got 7']);
});

test('a file that cannot be read says why', (t) => {
  const readFile = (): string => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  };
  t.deepEqual(problemsOf('', { readFile }), ['ferrule.yaml: cannot be read: permission denied']);
});

test('aliases that multiply are cut short', (t) => {
  const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`);
  t.true(problemsOf(`a0: &a0 [x]\n${levels.join('\n')}`).some((line) => line.includes('more than 100000 values')));
});

test('secrets are never shown, wherever they come from', (t) => {
  const files = {
    'ferrule.yaml':
      'mqtt: { qos: !file pw, password: [hunter2], key: { a: hunter2 } }\ndevices: { a: { driver: x, link: !file pw } }\n',
    pw: 'hunter2',
  };
  t.notRegex(problemLines(loadFiles(files)).join('\n'), /hunter2/);
  t.notRegex(problemsOf('mqtt: { password: "hunter2"hunter2 }').join('\n'), /hunter2/);
  t.notRegex(problemsOf('', { env: { FERRULE_MQTT__KEY: '["hunter2"]' } }).join('\n'), /hunter2/);
});

test('problems of driver options carry the place in the file', (t) => {
  const options = z.strictObject({ unit: z.enum(['kg', 'lb']), tare: z.number().max(5), token: z.int().optional() });
  const text = `devices:\n  a:\n    driver: raw\n    ${TCP}\n    options:\n      unit: g\n      tare: 9\n      tarre: 1\n      token: abc\n`;
  const { config, source } = loadText(text);
  const value = config.devices.a?.options;
  const { error } = options.safeParse(value);
  const problems = error === undefined ? [] : zodProblems(source, ['devices', 'a', 'options'], value, error, options);
  t.deepEqual(problems.map(formatProblem), [
    'ferrule.yaml:6:13 devices.a.options.unit: expected one of kg, lb, got "g", did you mean "kg"?',
    'ferrule.yaml:7:13 devices.a.options.tare: expected a number, at most 5, got 9',
    'ferrule.yaml:9:14 devices.a.options.token: expected a number, got a secret that is not shown',
    'ferrule.yaml:8:7 devices.a.options: unknown key "tarre", did you mean "tare"?',
  ]);
  t.is(
    formatProblem(problemAt(source, ['devices', 'a', 'driver'], 'a driver that exists', '"raw"')),
    'ferrule.yaml:3:13 devices.a.driver: expected a driver that exists, got "raw"',
  );
});

test('paths quote what a dot would make unclear', (t) => {
  t.is(formatPath(['devices', '10.0.0.1', 'a/b', 3]), 'devices."10.0.0.1".a/b[3]');
});

test('the login of a URL is hidden whatever is in it, and the words around it stay', (t) => {
  for (const password of ['word', 'wo/rd', 'wo#rd', 'wo?rd', 'wo@rd', 'wo:rd', 'wo rd', 'wo"rd']) {
    t.is(hideCredentials(`mqtt://gw:${password}@host:1`), 'mqtt://***@host:1', password);
  }
  t.is(
    hideCredentials('no broker at mqtt://gw:wo/rd@host: ask joe@plant'),
    'no broker at mqtt://***@host: ask joe@plant',
  );
  t.is(hideCredentials('{"url":"tcp://host:1","mail":"joe@plant"}'), '{"url":"tcp://host:1","mail":"joe@plant"}');
  t.is(hideCredentials('ws://host/path?token=t&keep=yes'), 'ws://host/path?token=***&keep=yes');
  t.is(hideCredentials('joe@plant.example'), 'joe@plant.example');
});
