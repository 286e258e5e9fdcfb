// `ferrule doctor` as a user runs it: with all well, with everything wrong, and with secrets everywhere.

import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { cannotDropRoot, withoutRoot } from '../support/drop-root.js';
import { brokerFor, brokerTest, gatewayFor } from '../support/e2e-test.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';

/** The lines of one area, with their marks. */
function area(out: string, name: string): string[] {
  return out.split('\n').filter((line) => line.slice(6).startsWith(name));
}

/** The files of a tar, by name. */
function unpack(t: ExecutionContext, archive: string): (name: string) => string {
  const dir = folderFor(t);
  t.is(spawnSync('tar', ['-xf', archive, '-C', dir]).status, 0);
  return (name) => readFileSync(join(dir, 'ferrule-doctor', name), 'utf8');
}

brokerTest('with all well each area is ok, and the running gateway tells its last transitions', async (t) => {
  const broker = await brokerFor(t);
  const line = await openPtyLine({ clock: systemClock });
  t.teardown(() => line.close());
  const config = {
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
    devices: { scale: { driver: 'lines', link: line.link } },
  };
  const gateway = gatewayFor(t, { config });
  await gateway.waitForLog('online on serial');
  await gateway.waitForLog('connected to the broker');
  const { code, out } = await ferrule(gateway.dir, ['doctor', '-o', 'out.tar']);
  t.is(code, 0, out);
  t.regex(area(out, 'config')[0] ?? '', /^ok .*ferrule\.yaml is good: 1 device$/);
  t.regex(
    area(out, 'links')[0] ?? '',
    /^ok .*scale: \/dev\/pts\/\d+ is there/,
    'its port is held by the gateway itself',
  );
  t.regex(area(out, 'broker')[0] ?? '', /^ok .*lets us in after \d+ ms \(MQTT 5\)$/);
  t.is(area(out, 'broker').length, 1, 'asked as the gateway asks, it has no wishes of its own');
  t.regex(
    area(out, 'gateway')[0] ?? '',
    /^ok .*the gateway runs: ok, 1 of 1 devices online, broker online, 0 messages dropped$/,
  );
  t.true(area(out, 'gateway').some((said) => said.includes('scale: connecting -> online')));
  t.regex(
    area(out, 'versions')[0] ?? '',
    new RegExp(`ferrule .*node ${process.version}.*Linux .*${process.arch}, (glibc|musl)`),
  );
  const file = unpack(t, join(gateway.dir, 'out.tar'));
  t.is(file('report.txt').split('\n')[0], out.split('\n')[0]);
  t.is(JSON.parse(file('devices.json'))[0].state, 'online');
  t.is(JSON.parse(file('config.json')).devices.scale.driver, 'lines');
  t.true(Array.isArray(JSON.parse(file('threads.json'))[0].history));
});

test.serial('with everything wrong each area says what and the way out, soon, and hides no other', async (t) => {
  // Takes connections and says nothing.
  const sockets = new Set<net.Socket>();
  const silent = net.createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as net.AddressInfo;
  const config = {
    gateway: { data_dir: '/proc/ferrule' },
    mqtt: { url: `mqtt://127.0.0.1:${port}` },
    devices: {
      gone: { driver: 'lines', link: 'serial:/dev/ttyUSB99' },
      usb: { driver: 'lines', link: 'usb:0403:6001' },
      off: { driver: 'lines', link: 'serial:/dev/ttyUSB98', enabled: false },
      plain: { driver: 'lines', link: 'serial:/etc/hostname' },
    },
  };
  const dir = folderFor(t, { 'ferrule.yaml': JSON.stringify(config) });
  const startedAt = performance.now();
  const { code, out } = await ferrule(dir, ['doctor']);
  const tookMs = performance.now() - startedAt;
  t.is(code, 1);
  t.true(tookMs < 30_000, `${tookMs} ms`);
  const links = area(out, 'links');
  t.is(links.length, 3);
  t.regex(links[0] ?? '', /^FAIL .*gone: no such port \/dev\/ttyUSB99/);
  t.regex(links[1] ?? '', /^FAIL .*usb: no USB serial device 0403:6001/);
  t.regex(links[2] ?? '', /^FAIL .*plain: \/etc\/hostname is not a serial port/);
  t.regex(area(out, 'broker')[0] ?? '', /^FAIL .*nothing there answered as an MQTT broker within 4 s/);
  t.regex(area(out, 'gateway')[0] ?? '', /^WARN .*nothing is known of a running gateway/);
  t.regex(out, /^\d things do not work, \d to look at$/m);
});

const whyNot = process.getuid?.() === 0 ? cannotDropRoot : 'skipped: needs root, to become nobody';
const dropTest = whyNot === undefined ? test.serial : test.serial.skip;

dropTest(
  `who may not open a port or write the data folder is told which group, and what to do (${whyNot ?? 'as nobody'})`,
  async (t) => {
    const line = await openPtyLine({ clock: systemClock });
    t.teardown(() => line.close());
    const path = line.link.replace(/^serial:|\?.*$/g, '');
    chmodSync(path, 0o660);
    const config = { mqtt: { url: 'embedded' }, devices: { scale: { driver: 'lines', link: line.link } } };
    const dir = folderFor(t, { 'ferrule.yaml': JSON.stringify(config) });
    const { code, out } = await ferrule(dir, ['doctor'], withoutRoot(t));
    t.is(code, 1);
    t.regex(area(out, 'links')[0] ?? '', /^FAIL .*scale: no permission for .*usermod -aG \w+ nobody/, out);
    t.regex(area(out, 'user')[0] ?? '', /^WARN .*user nobody.*not in dialout/, out);
    t.regex(area(out, 'disk')[0] ?? '', /^WARN .*data cannot be written by this user/, out);
  },
);

test.serial('a bad config is told with all its lines, and the rest is examined all the same', async (t) => {
  const dir = folderFor(t, { 'ferrule.yaml': 'devices:\n  a: { driver: nope, link: serial:/dev/ttyS0 }\n  b: 7\n' });
  const { code, out } = await ferrule(dir, ['doctor', '-o', 'out.tar']);
  t.is(code, 1);
  t.regex(area(out, 'config')[0] ?? '', /^FAIL .*ferrule\.yaml:2/);
  t.true(out.includes('ferrule.yaml:3:'));
  t.is(area(out, 'clock').length, 1);
  t.is(area(out, 'broker').length, 0);
  t.is(unpack(t, join(dir, 'out.tar'))('report.txt').split('\n')[0], out.split('\n')[0]);
});

test.serial('a driver that never loads does not hang the doctor', async (t) => {
  const drivers = { 'drivers/stuck.js': 'await new Promise(() => {}); export default {};' };
  const config = { drivers_dir: './drivers', devices: { a: { driver: 'stuck', link: 'tcp://127.0.0.1:1' } } };
  const dir = folderFor(t, { ...drivers, 'package.json': '{"type":"module"}', 'ferrule.yaml': JSON.stringify(config) });
  const { code, out } = await ferrule(dir, ['doctor']);
  t.is(code, 1);
  t.regex(area(out, 'config')[0] ?? '', /^FAIL .*cannot be read: it took more than 3 s$/);
  t.is(area(out, 'versions').length, 1);
});

test.serial('a tar that cannot be written is said on stderr, with exit code 1', async (t) => {
  const dir = folderFor(t, { 'ferrule.yaml': 'mqtt: { url: embedded }\ndevices: {}\n' });
  const { code, err } = await ferrule(dir, ['doctor', '-o', '/nonexistent/out.tar']);
  t.is(code, 1);
  t.regex(err, /^\/nonexistent\/out\.tar: ENOENT/);
});

test.serial('no secret is in the report, nor in the tar, whoever says it', async (t) => {
  const secrets = ['s3cret-pass', 'url-p4ss', 'file-s3cret', 'opt-t0ken', 'env-s3cret', 'MIIEvQIBADANBgkqhkiG9w0'];
  const [password = '', urlPassword, fromFile = '', option, fromEnv = '', pem] = secrets;
  const port = await blabbingBroker(t, `user plant with ${password} is unknown`);
  const yaml = `
mqtt:
  url: mqtt://joe:${urlPassword}@127.0.0.1:${port}
  username: plant
  password: ${password}
http: { listen: 127.0.0.1:${await freePort()}, token: "\${TOKEN}" }
drivers_dir: ./drivers
devices:
  cell:
    driver: any
    link: tcp://127.0.0.1:1
    options:
      api_token: ${option}
      door: !file door.txt
      client: { private_key: "-----BEGIN PRIVATE KEY-----\\n${pem}\\n-----END PRIVATE KEY-----" }
`;
  const driver = `export default { kind: 'framed', summary: 'any', options: { safeParse: (data) => ({ success: true, data }) },
    create: () => ({ decode: () => undefined }) };`;
  const files = { 'door.txt': fromFile, 'drivers/any.js': driver, 'package.json': '{"type":"module"}' };
  const dir = folderFor(t, { 'ferrule.yaml': yaml, ...files });
  const { out, err } = await ferrule(dir, ['doctor', '-o', 'out.tar'], { TOKEN: fromEnv });
  t.regex(area(out, 'config')[0] ?? '', /^ok /, out);
  t.regex(area(out, 'broker')[0] ?? '', /^FAIL .*not authorized.*user plant with \*\*\* is unknown/, out);
  const archive = readFileSync(join(dir, 'out.tar'), 'utf8');
  t.true(archive.includes('ferrule-doctor/config.json') && archive.includes('"private_key": "***"'));
  for (const secret of secrets) t.false(`${out}${err}${archive}`.includes(secret), secret);
});

test.serial(
  'a password that makes the URL a bad one is hidden too, and a tar that was there is only for its owner',
  async (t) => {
    const dir = folderFor(t, {
      'ferrule.yaml': 'mqtt: { url: "mqtt://gw:pa/s3cret@127.0.0.1:1" }\n',
      'out.tar': 'old',
    });
    chmodSync(join(dir, 'out.tar'), 0o644);
    const { code, out } = await ferrule(dir, ['doctor', '-o', 'out.tar']);
    t.is(code, 1);
    t.regex(area(out, 'config')[0] ?? '', /^FAIL .*got "mqtt:\/\/\*\*\*@127/);
    t.false(`${out}${readFileSync(join(dir, 'out.tar'), 'utf8')}`.includes('s3cret'));
    t.is(statSync(join(dir, 'out.tar')).mode & 0o777, 0o600);
  },
);

/** A broker that refuses everybody (MQTT 5, code 135) and says why with more words than it should. */
async function blabbingBroker(t: ExecutionContext, reason: string): Promise<number> {
  const words = Buffer.from(reason);
  const property = Buffer.concat([Buffer.from([0x1f, 0, words.length]), words]);
  const connack = Buffer.concat([Buffer.from([0x20, property.length + 3, 0, 135, property.length]), property]);
  const server = net.createServer((socket) => {
    socket.on('error', () => {}); // the client breaks it off
    socket.once('data', () => socket.end(connack));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}
