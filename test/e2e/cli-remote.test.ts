// `ferrule status`, `send` and `healthcheck` beside a running gateway, all of them real processes: what they print, and the
// exit codes that scripts rely on.

import type { ExecutionContext } from 'ava';
import test from 'ava';
import { BASE, BridgeRig } from '../support/bridge-rig.js';
import { brokerTest, gatewayFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { type CommandEnd, ferrule, ferruleUnread, folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';
import { startTcpDevice } from '../support/tcp-device.js';

/** `ferrule ...args` with the gateway's config. */
function run(rig: BridgeRig, ...args: string[]): Promise<CommandEnd> {
  return ferrule(rig.gateway.dir, args);
}

async function startRig(t: ExecutionContext): Promise<BridgeRig> {
  const rig = await BridgeRig.start(t);
  await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  return rig;
}

brokerTest('status shows every device on 80 columns, and below what is wrong with whom', async (t) => {
  const rig = await startRig(t);
  await rig.ask('device/add', { id: 'hall/north/door-1', config: { driver: 'lines', link: 'tcp://127.0.0.1:1' } });
  await rig.ask('device/add', { id: 'spare', config: { driver: 'lines', link: 'tcp-listen://127.0.0.1:0' } });
  await rig.ask('device/disable', { id: 'spare' });
  await rig.hears(rig.scale, 'scale', '12 kg');
  await eventually(async () => (await rig.devices())[1]?.state === 'backing-off', 'the door to be given up');
  const { code, out, err } = await run(rig, 'status');
  t.deepEqual([code, err], [0, '']);
  t.regex(out, /^DEVICE {13}STATE +SINCE {2}HEARD {2}READINGS {2}DROPPED +RETRY$/m);
  t.regex(out, /^scale +online +\d+s +\d+s +1 +0$/m);
  t.regex(out, /^hall\/north\/door-1 +(?:backing-off +\d+s +- +0 +0 +in \d+s|connecting .*)$/m);
  t.regex(out, /^spare +disabled +- +- +0$/m);
  t.regex(out, /^hall\/north\/door-1: .*added over MQTT$/m);
  t.regex(out, /^spare: added over MQTT; disabled over MQTT$/m);
  t.regex(out, /^gateway: degraded; broker: online; spool: \w+; dropped: 0$/m);
  const table = out.split('\n\n')[0] ?? '';
  t.true(
    table.split('\n').every((line) => line.length <= 80),
    table,
  );

  const json = await run(rig, 'status', '--json');
  const { health, devices } = JSON.parse(json.out);
  t.like(health, { healthy: true, status: 'degraded' });
  t.deepEqual(
    devices.map(({ name }: { name: string }) => name),
    ['scale', 'hall/north/door-1', 'spare'],
  );
});

brokerTest(
  'who closes the pipe early, as grep -q does, gets the exit code all the same, and nothing on stderr',
  async (t) => {
    const rig = await startRig(t);
    t.deepEqual(await ferruleUnread(rig.gateway.dir, ['status']), { code: 0, err: '' });
  },
);

brokerTest('send prints what becomes of a command, and the device gets exactly what was typed', async (t) => {
  const rig = await startRig(t);
  const socket = await rig.scale.connection();
  const got = async (bytes: string): Promise<void> =>
    eventually(() => rig.scale.received().toString('latin1').endsWith(bytes), `${JSON.stringify(bytes)} at the device`);
  for (const [args, bytes] of [
    [['TARE'], 'TARE\n'],
    [['{"on":true}'], '{"on":true}\n'],
    [['{"transaction":"mine","value":"x"}'], '{"transaction":"mine","value":"x"}\n'],
    [['--hex', '02 b0 03'], '\x02\xb0\x03\n'],
    [['--write', '--hex', '1b40'], '\x1b@'],
    [['--write', 'raw'], 'raw'],
  ] as const) {
    const { code, out, err } = await run(rig, 'send', 'scale', ...args);
    t.deepEqual([code, err], [0, ''], args.join(' '));
    t.regex(out, /^accepted\n(?:sent\n)?ok\b.*\n$/);
    await got(bytes);
  }
  t.false(socket.destroyed);
  const json = await run(rig, 'send', 'scale', 'TARE', '--json');
  const statuses = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { status: string; transaction: string });
  t.is(statuses.at(-1)?.status, 'ok');
  t.is(new Set(statuses.map(({ transaction }) => transaction)).size, 1);
});

brokerTest('send says what is wrong: exit code 1 for the device, 64 for how it was called', async (t) => {
  const rig = await startRig(t);
  await rig.ask('device/add', { id: 'door', config: { driver: 'lines', link: 'tcp://127.0.0.1:1' } });
  await rig.ask('device/add', { id: 'spare', config: { driver: 'lines', link: 'tcp://127.0.0.1:1', enabled: false } });
  for (const [args, code, words] of [
    [['scael', 'x'], 1, /^no device "scael"; did you mean "scale"\?\n$/],
    [['zebra', 'x'], 1, /^no device "zebra"; there are scale, door, spare\n$/],
    [['spare', 'x'], 1, /^spare is disabled: enable it/],
    [['door', 'x'], 1, /^error: .*offline/],
    [['scale', 'x', '--wait', 'soon'], 64, /^--wait: expected a duration/],
    [['scale', 'x', '--get', '--write'], 64, /cannot be used with/],
  ] as const) {
    const end = await run(rig, 'send', ...args);
    t.is(end.code, code, args.join(' '));
    t.regex(end.out + end.err, words);
  }
  t.is(rig.scale.received().length, 0);
});

brokerTest('healthcheck is 0 while the gateway works, 1 when it or its broker is gone, and says which', async (t) => {
  const rig = await startRig(t);
  t.like(await run(rig, 'healthcheck'), { code: 0, out: 'healthy, ok\n', err: '' });
  await rig.ask('device/add', { id: 'door', config: { driver: 'lines', link: 'tcp://127.0.0.1:1' } });
  await eventually(
    async () => (await run(rig, 'healthcheck')).out.includes('degraded: door: backing-off:'),
    'the door',
  );

  const config = rig.config();
  rig.gateway.signal('SIGTERM');
  await rig.gateway.end();
  const dir = folderFor(t, {
    'ferrule.yaml': config,
    'elsewhere.yaml': config.replace('id: e2e', 'id: nobody'),
    'no-broker.yaml': config.replace(`127.0.0.1:${rig.port}`, `me:secret@127.0.0.1:${await freePort()}`),
  });
  const offline = await ferrule(dir, ['healthcheck']);
  t.is(offline.code, 1);
  t.regex(offline.err, /^the gateway below ferrule\/e2e is offline, says its broker: start it with `ferrule run`\n$/);
  const nobody = await ferrule(dir, ['healthcheck', '-c', 'elsewhere.yaml', '--wait', '500ms']);
  t.is(nobody.code, 1);
  t.regex(nobody.err, /^no gateway answers below ferrule\/nobody: is `ferrule run` up/);
  const noBroker = await ferrule(dir, ['status', '-c', 'no-broker.yaml']);
  t.is(noBroker.code, 1);
  t.regex(noBroker.err, /^no broker at mqtt:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  t.false(noBroker.err.includes('secret'));
});

test.serial(
  'with the embedded broker, which speaks MQTT 3.1.1, the commands work too, unless its port is 0',
  async (t) => {
    const scale = await startTcpDevice();
    t.teardown(() => scale.close());
    const config = (port: number): string => `gateway: { id: e2e }
mqtt: { url: embedded, embedded: { port: ${port} } }
devices: { scale: { driver: lines, link: "tcp://127.0.0.1:${scale.port}" } }
`;
    const port = await freePort();
    const gateway = gatewayFor(t, { config: config(port) });
    await scale.connection();
    await eventually(async () => (await ferrule(gateway.dir, ['healthcheck'])).code === 0, 'the gateway to be up');
    for (const args of [['TARE'], ['--hex', 'b0'], ['--write', 'raw']]) {
      const { code, out } = await ferrule(gateway.dir, ['send', 'scale', ...args]);
      t.is(code, 0, args.join(' '));
      t.regex(out, /^accepted\n(?:sent\n)?ok\b.*\n$/);
    }
    await eventually(() => scale.received().toString('latin1') === 'TARE\n\xb0\nraw', 'all of it');

    const dir = folderFor(t, { 'ferrule.yaml': config(0) });
    const lost = await ferrule(dir, ['status']);
    t.is(lost.code, 78);
    t.regex(lost.err, /mqtt\.embedded\.port is 0/);
  },
);

test.serial('a damaged certificate is said in words by whoever visits the broker', async (t) => {
  const mqtt = { url: `mqtts://127.0.0.1:${await freePort()}`, cert: 'broken.pem', key: 'broken.pem' };
  const dir = folderFor(t, {
    'ferrule.yaml': JSON.stringify({ mqtt, devices: {} }),
    'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  });
  const commands = [['status'], ['healthcheck'], ['send', 'scale', 'TARE'], ['monitor', 'scale'], ['record', 'scale']];
  for (const args of commands) {
    const { code, errLines } = await ferrule(dir, args);
    t.is(code, 1, args.join(' '));
    t.is(errLines.length, 1, errLines.join('\n'));
    t.regex(errLines[0] ?? '', /^no broker at mqtts:\/\/[\d.:]+: mqtt\.cert, mqtt\.key or mqtt\.ca cannot be used: /);
  }
});
