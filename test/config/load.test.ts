// Finding, reading and merging: what a config means when it is right. What is said when it is wrong: problems.test.ts.

import test from 'ava';
import { loadFiles, loadText, problemLines } from '../support/config-files.js';

const DEVICE = 'driver: lines, link: tcp://10.0.0.5:4001';

test('an empty file is a gateway with the defaults of the contract', (t) => {
  const { config } = loadText('');
  t.like(config.gateway, { id: 'board', data_dir: '/gw/data', shutdown_deadline: 8000 });
  t.like(config.mqtt, {
    url: 'mqtt://localhost:1883',
    base_topic: 'ferrule/board',
    version: 5,
    client_id: 'ferrule-board',
  });
  t.like(config.mqtt, { keepalive: 30_000, qos: 1, reconnect: { first: 1000, max: 30_000 } });
  t.deepEqual(config.spool, {
    mode: 'offline',
    max_size: 64 * 1024 ** 2,
    when_full: 'drop-oldest',
    max_age: 0,
    write_interval: 1000,
    sync: false,
    replay_rate: 1000,
  });
  t.deepEqual(config.log, { level: 'info' });
  t.deepEqual(config.devices, {});
});

test('a device gets every default of the contract', (t) => {
  const { config } = loadText(`devices: { cell: { ${DEVICE} } }`);
  t.deepEqual(config.devices.cell, {
    driver: 'lines',
    link: { type: 'tcp', host: '10.0.0.5', port: 4001, connect_timeout: 10_000, idle_timeout: 0 },
    options: {},
    qos: 1,
    retain: false,
    silent_after: 0,
    reconnect: { first: 250, max: 30_000 },
    commands: { when_offline: 'refuse', max_hold: 30_000, timeout: 5000, critical: false },
    queue_size: 256 * 1024,
    enabled: true,
  });
});

test('durations come out in milliseconds, sizes in bytes, byte strings as Buffers', (t) => {
  const { config } = loadText(`devices:
  a:
    driver: lines
    link: { type: serial, path: /dev/ttyS0, idle_timeout: 1.5s }
    framing: { type: line, delimiter: "\\r\\n", max_length: 1KiB }
    silent_after: 2m
    on_shutdown: [0x02, 255]
    queue_size: 65536`);
  const device = config.devices.a;
  t.like(device, { silent_after: 120_000, queue_size: 65_536, link: { idle_timeout: 1500 } });
  t.deepEqual(device?.on_shutdown, Buffer.from([2, 255]));
  t.deepEqual(device?.framing, { type: 'line', delimiter: Buffer.from('\r\n'), max_length: 1024 });
});

test('a device without its own qos has that of mqtt', (t) => {
  const { config } = loadText(`{ mqtt: { qos: 0 }, devices: { a: { ${DEVICE} }, b: { ${DEVICE}, qos: 1 } } }`);
  t.deepEqual([config.devices.a?.qos, config.devices.b?.qos], [0, 1]);
});

test('the id of the gateway is its own, else that of balena, else the host name made fit for a topic', (t) => {
  t.is(loadText('gateway: { id: line-3 }', { env: { BALENA_DEVICE_UUID: 'abc' } }).config.gateway.id, 'line-3');
  t.is(loadText('', { env: { BALENA_DEVICE_UUID: 'abc' } }).config.gateway.id, 'abc');
  t.is(loadText('', { hostname: 'my/pi +#1' }).config.gateway.id, 'my-pi-1');
  t.is(loadText('', { hostname: '' }).config.gateway.id, 'gateway');
});

test('{id} in base_topic and client_id is the id of the gateway', (t) => {
  const { mqtt } = loadText('{ gateway: { id: g }, mqtt: { base_topic: "site/{id}/x", client_id: "c-{id}" } }').config;
  t.deepEqual([mqtt.base_topic, mqtt.client_id], ['site/g/x', 'c-g']);
});

test('without -c, the places are searched in order, and a miss says which they were', (t) => {
  t.true(loadFiles({ 'ferrule.yaml': '' }).ok);
  t.true(loadFiles({ '/etc/ferrule/ferrule.yaml': '' }).ok);
  t.deepEqual(loadFiles({}), { ok: false, missing: ['/gw/ferrule.yaml', '/etc/ferrule/ferrule.yaml'] });
  const env = { FERRULE_CONFIG_FILE: '/srv/f.yaml' };
  t.true(loadFiles({ '/srv/f.yaml': '' }, { env }).ok);
  t.deepEqual(loadFiles({ 'ferrule.yaml': '' }, { env }), { ok: false, missing: ['/srv/f.yaml'] });
  t.deepEqual(loadFiles({ 'ferrule.yaml': '' }, { path: 'x.yaml' }), { ok: false, missing: ['/gw/x.yaml'] });
});

test('FERRULE_CONFIG holds a config where there is no file', (t) => {
  const good = loadFiles({}, { env: { FERRULE_CONFIG: 'gateway: { id: inline }' } });
  t.true(good.ok && good.config.gateway.id === 'inline');
  const bad = loadFiles({}, { env: { FERRULE_CONFIG: '\ngatway: 1' } });
  t.deepEqual(problemLines(bad), ['env FERRULE_CONFIG:2:1: unknown key "gatway", did you mean "gateway"?']);
});

test('FERRULE_DEVICES is a config of its own where there is no other', (t) => {
  const devices = JSON.stringify({ scale: { driver: 'lines', link: 'tcp://10.0.0.5:4001' } });
  const result = loadFiles({}, { env: { FERRULE_DEVICES: devices, FERRULE_MQTT__URL: 'mqtt://broker' } });
  if (!result.ok) return t.fail(problemLines(result).join('\n'));
  t.deepEqual(Object.keys(result.config.devices), ['scale']);
  t.is(result.config.mqtt.url, 'mqtt://broker');
  t.is(result.source.file, 'env FERRULE_DEVICES');
});

test('a mistake in a config of variables alone is told with the name of the variable', (t) => {
  const bad = loadFiles({}, { env: { FERRULE_DEVICES: '{"scale":{"driver":"lines","lnk":"tcp://10.0.0.5:4001"}}' } });
  t.true(problemLines(bad).some((line) => line.includes('FERRULE_DEVICES') && line.includes('lnk')));
});

test('variables without devices are no config: it is said where one was looked for', (t) => {
  const result = loadFiles({}, { env: { FERRULE_MQTT__URL: 'mqtt://broker' } });
  t.deepEqual(problemLines(result), ['missing /gw/ferrule.yaml', 'missing /etc/ferrule/ferrule.yaml']);
});

test('a file that is there counts, and FERRULE_DEVICES is an override of it', (t) => {
  const files = { 'ferrule.yaml': 'gateway: { id: filed }' };
  const result = loadFiles(files, {
    env: { FERRULE_DEVICES: '{"scale":{"driver":"lines","link":"tcp://10.0.0.5:1"}}' },
  });
  if (!result.ok) return t.fail(problemLines(result).join('\n'));
  t.is(result.config.gateway.id, 'filed');
  t.deepEqual(Object.keys(result.config.devices), ['scale']);
});

test('a file named with -c counts, not FERRULE_CONFIG', (t) => {
  const files = { 'ferrule.yaml': 'gateway: { id: filed }' };
  const result = loadFiles(files, { path: 'ferrule.yaml', env: { FERRULE_CONFIG: 'gateway: { id: inline }' } });
  t.is(result.ok && result.config.gateway.id, 'filed');
});

test('devices.d adds devices, with or without the word `devices` around them', (t) => {
  const result = loadFiles({
    'ferrule.yaml': `devices: { a: { ${DEVICE} } }`,
    'devices.d/one.yaml': `b: { ${DEVICE} }`,
    'devices.d/two.yml': `devices: { c: { ${DEVICE} } }`,
    'devices.d/README.md': 'not yaml: [',
    'devices.d/.hidden.yaml': 'not yaml: [',
  });
  t.deepEqual(result.ok && Object.keys(result.config.devices), ['a', 'b', 'c']);
  t.deepEqual(result.ok && result.source.files, ['ferrule.yaml', 'devices.d/one.yaml', 'devices.d/two.yml']);
});

test('a section with nothing below it counts as left out', (t) => {
  t.deepEqual(loadText('mqtt:\ndevices:\n#  a: 1\n').config.devices, {});
});

test('anchors, aliases and merge keys work, own keys win', (t) => {
  const { config } = loadText(
    `devices:
  a: &a { driver: lines, link: tcp://h:1, qos: 0, silent_after: 5s }
  b: { <<: *a, link: tcp://h:2, qos: 1 }
  c: { <<: [*a], link: *link-is-fine }
`.replace('*link-is-fine', 'tcp://h:3'),
  );
  t.like(config.devices.b, { driver: 'lines', qos: 1, silent_after: 5000, link: { port: 2 } });
  t.like(config.devices.c, { qos: 0, link: { port: 3 } });
});

test('variables are replaced, with defaults, and become numbers where a number belongs', (t) => {
  const env = { HOST: 'h', PORT: '99', PASS: '12345', EMPTY: '' };
  const { config } = loadText(
    `mqtt: { password: "\${PASS}", username: "\${EMPTY:-me}", client_id: "a$\${b}" }
devices:
  a:
    driver: lines
    link: { type: tcp, host: "\${HOST}.\${DOMAIN:-lan}", port: "\${PORT}" }
    retain: \${R:-true}
    options: { n: "\${PORT}", deep: ["\${HOST}"] }`,
    { env },
  );
  t.like(config.mqtt, { password: '12345', username: 'me', client_id: `a\${b}` });
  t.like(config.devices.a, { link: { host: 'h.lan', port: 99 }, retain: true, options: { n: 99, deep: ['h'] } });
});

test('!file gives the text of a file beside the config, without its last newline', (t) => {
  const result = loadFiles({ 'ferrule.yaml': 'mqtt: { username: me, password: !file pw }', pw: ' se cret \n' });
  t.is(result.ok && result.config.mqtt.password, ' se cret ');
});

test('PEM files of mqtt are read, PEM text is taken as it is', (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----';
  const result = loadFiles({
    'ferrule.yaml': 'mqtt: { url: "mqtts://b", ca: ca.pem, cert: !file ca.pem, key: ca.pem }',
    'ca.pem': `${pem}\n`,
  });
  t.like(result.ok && result.config.mqtt, { ca: pem, cert: pem, key: pem });
});

test('FERRULE_ variables override the file, go down with __, and take JSON', (t) => {
  const env = {
    FERRULE_MQTT__URL: 'mqtts://broker',
    FERRULE_MQTT__USERNAME: 'me',
    FERRULE_MQTT__PASSWORD: '007',
    FERRULE_MQTT__QOS: '0',
    FERRULE_LOG: '{"level":"debug"}',
    FERRULE_DEVICES__PRESS_SCALE_2__LINK__BAUD_RATE: '19200',
    FERRULE_DEVICES__PRESS_SCALE_2__ON_SHUTDOWN: '[1,2]',
    FERRULE_DEVICES__PRESS_SCALE_2__RETAIN: 'true',
    UNRELATED: 'x',
  };
  const { config } = loadText('devices: { Press/scale-2: { driver: lines, link: serial:/dev/ttyS1 } }', { env });
  t.like(config.mqtt, { url: 'mqtts://broker', password: '007', qos: 0 });
  t.is(config.log.level, 'debug');
  const device = config.devices['Press/scale-2'];
  t.like(device, { link: { path: '/dev/ttyS1', baud_rate: 19_200 }, retain: true });
  t.deepEqual(device?.on_shutdown, Buffer.from([1, 2]));
});

test('a FERRULE_ variable that may mean two devices sets none of them, and says so', (t) => {
  const env = { FERRULE_DEVICES__PRESS_SCALE__QOS: '0' };
  const device = '{ driver: lines, link: "tcp://h:1" }';
  const result = loadFiles({ 'ferrule.yaml': `devices: { press-scale: ${device}, press_scale: ${device} }` }, { env });
  t.deepEqual(problemLines(result), [
    'env FERRULE_DEVICES__PRESS_SCALE__QOS devices: "press_scale" may be press-scale or press_scale: give one of them another name',
  ]);
});

test('defaults fill what a device does not say: whole keys, reconnect key by key, links of the same type key by key', (t) => {
  const { config } = loadText(`defaults:
  driver: lines
  qos: 0
  framing: { type: slip }
  reconnect: { first: 1s, max: 2s }
  link: { type: serial, baud_rate: 115200, rtscts: true }
devices:
  a: { link: serial:/dev/ttyS0?baud_rate=300 }
  b: { link: tcp://h:1, qos: 1, framing: { type: cobs }, reconnect: { max: 9s } }`);
  t.like(config.devices.a, {
    driver: 'lines',
    qos: 0,
    framing: { type: 'slip' },
    reconnect: { first: 1000, max: 2000 },
    link: { baud_rate: 300, rtscts: true },
  });
  t.like(config.devices.b, { qos: 1, framing: { type: 'cobs' }, reconnect: { first: 1000, max: 9000 } });
});

test('the source knows where each value stands, or what is around it', (t) => {
  const { source } = loadText('devices:\n  a:\n    driver: lines\n    link: tcp://h:1\n    options: { n: 1 }\n');
  t.deepEqual(source.locate(['devices', 'a', 'options', 'n']), { file: 'ferrule.yaml', line: 5, col: 19 });
  t.deepEqual(source.locate(['devices', 'a', 'link', 'port']), { file: 'ferrule.yaml', line: 4, col: 11 });
  t.deepEqual(source.locate(['devices', 'a', 'options', 'missing']), { file: 'ferrule.yaml', line: 5, col: 5 });
  t.deepEqual(source.locateKey(['devices', 'a']), { file: 'ferrule.yaml', line: 2, col: 3 });
  t.deepEqual(source.locate(['mqtt', 'url']), { file: 'ferrule.yaml', line: 1, col: 1 });
});
