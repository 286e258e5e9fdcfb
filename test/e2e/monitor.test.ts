// `ferrule monitor` beside a running gateway, both as processes of their own: the line of a device live, and nothing left
// behind when it ends.

import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort } from '../support/mosquitto.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';
const TIME = /^\d\d:\d\d:\d\d\.\d{3} /;

interface Rig {
  readonly gateway: GatewayProcess;
  readonly config: object;
  readonly subscriber: Subscriber;
  readonly scale: TcpDevice;
  /** `ferrule monitor ...args` with the gateway's config. */
  monitor(...args: string[]): GatewayProcess;
}

async function startRig(t: ExecutionContext): Promise<Rig> {
  const broker = await brokerFor(t);
  const scale = await startTcpDevice();
  t.teardown(() => scale.close());
  const config = {
    gateway: { id: 'e2e' },
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
    devices: {
      scale: { driver: 'lines', link: `tcp://127.0.0.1:${scale.port}` },
      cells: { driver: 'lines', link: { type: 'tcp-listen', port: 0, peer: 'peer-{n}' } },
    },
  };
  const subscriber = await subscriberFor(t, { port: broker.port });
  const gateway = gatewayFor(t, { config });
  await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  await subscriber.says(`${BASE}/bridge/state`, { state: 'online' });
  const monitor = (...args: string[]): GatewayProcess =>
    gatewayFor(t, { config, args: ['monitor', ...args, '-c', '{config}'] });
  return { gateway, config, subscriber, scale, monitor };
}

/** The threads of a group, as `bridge/request/threads` tells them. */
async function threadsOf({ subscriber }: Rig, id: string): Promise<string[]> {
  const topic = `${BASE}/bridge/response/threads`;
  const count = subscriber.on(topic).length;
  await subscriber.client.publishAsync(`${BASE}/bridge/request/threads`, '', { qos: 1 });
  await subscriber.count(topic, count + 1);
  const { data } = subscriber.last(topic) as { data: { id: string; threads: { label: string }[] }[] };
  return data.find((group) => group.id === id)?.threads.map(({ label }) => label) ?? [];
}

/** What a monitor has printed, without the times. */
function shown(monitor: GatewayProcess): string[] {
  return monitor.log.map(({ msg }) => msg.replace(TIME, ''));
}

async function watching(monitor: GatewayProcess): Promise<void> {
  await eventually(() => monitor.stderr.includes('watching'), 'the monitor to watch');
}

brokerTest('a monitor shows lines in and a command out while its thread runs, and leaves nothing behind', async (t) => {
  const rig = await startRig(t);
  const monitor = rig.monitor('scale');
  await watching(monitor);
  t.deepEqual(await threadsOf(rig, 'scale'), ['manager', 'send', 'receive', 'tap']);

  (await rig.scale.connection()).write('12.5 kg\r\n\x1b[2J\xb0\n', 'latin1');
  await eventually(() => shown(monitor).includes('in  <- 12.5 kg\\r\\n'), 'the line');
  await eventually(() => shown(monitor).includes('in  <- \\x1b[2J\\xb0\\n'), 'the line that would clear the screen');
  await rig.subscriber.client.publishAsync(`${BASE}/scale/set`, '{"value":"TARE","transaction":"t-1"}', { qos: 1 });
  await eventually(() => shown(monitor).includes('out -> TARE\\n'), 'the command');
  await eventually(() => shown(monitor).some((line) => /^response .*"ok".*"t-1"/.test(line)), 'its answer');
  t.true(shown(monitor).includes('availability {"state":"online"}'));
  t.true(shown(monitor).includes('reading 12.5 kg\\r'), shown(monitor).join('\n'));
  t.true(monitor.log.every(({ msg }) => TIME.test(msg)));

  monitor.signal('SIGINT');
  t.like(await monitor.end(), { code: 0, signal: null });
  t.is(monitor.stderr, 'watching scale; Ctrl-C ends\n');
  await eventually(async () => !(await threadsOf(rig, 'scale')).includes('tap'), 'the end of the tap thread');
  t.is(rig.scale.accepted, 1, 'the device was not touched');
  t.true(rig.subscriber.on(`${BASE}/scale/tap`).every(({ retain }) => !retain));
});

brokerTest('a monitor says when the gateway is gone, and shows the line again when it is back', async (t) => {
  const rig = await startRig(t);
  const monitor = rig.monitor('scale');
  await watching(monitor);
  rig.gateway.signal('SIGKILL');
  await eventually(() => monitor.stderr.includes('is offline, says its broker'), 'the monitor to notice');
  const again = gatewayFor(t, { config: rig.config });
  await again.waitForLog('connected to the broker');
  await eventually(() => monitor.stderr.includes('back: scale is seen again'), 'the monitor to go on');
  await eventually(() => rig.scale.accepted === 2, 'the device to be connected again');
  (await rig.scale.connection()).write('13.5 kg\n');
  await eventually(() => shown(monitor).includes('in  <- 13.5 kg\\n'), 'the line');
  monitor.signal('SIGINT');
  t.like(await monitor.end(), { code: 0, signal: null });
  t.deepEqual(
    monitor.stderr
      .trimEnd()
      .split('\n')
      .filter((line) => !line.endsWith('; trying again')),
    [
      'watching scale; Ctrl-C ends',
      'the gateway below ferrule/e2e is offline, says its broker: nothing is seen of scale until it is back',
      'back: scale is seen again',
    ],
  );
});

brokerTest('a connection of a listener is watched by its name; --json, and an end after --seconds', async (t) => {
  const rig = await startRig(t);
  const { listen } = await rig.gateway.waitForLog('listening on');
  const socket = net.connect(Number(String(listen).split(':').at(-1)), '127.0.0.1');
  t.teardown(() => socket.destroy());
  await rig.subscriber.says(`${BASE}/cells/peer-1/availability`, { state: 'online' });
  const monitor = rig.monitor('cells/peer-1', '--json', '--seconds', '5');
  await watching(monitor);
  socket.write('7\n');
  t.like(await monitor.end(), { code: 0, signal: null });
  const tap = monitor.log.find(({ kind }) => kind === 'tap');
  t.like(tap?.payload, { direction: 'in', hex: '370a', text: '7\\n', dropped: 0 });
  t.true(monitor.log.some(({ kind, payload }) => kind === 'reading' && payload === 7));
});

brokerTest('who cannot be watched is said in the sentence of the gateway, exit code 64', async (t) => {
  const rig = await startRig(t);
  for (const [device, sentence] of [
    ['scael', /^no device "scael"; there are scale, cells\n$/],
    ['cells', /^cells is a listener: name one of its connections, cells\/<peer>; open are none\n$/],
    ['cells/#', /^"cells\/#" is no name of a device: it contains "#"/],
  ] as const) {
    const monitor = rig.monitor(device);
    t.is((await monitor.end()).code, 64, device);
    t.regex(monitor.stderr, sentence);
  }
});

brokerTest('without a gateway, or without a broker, it says so within seconds, exit code 1', async (t) => {
  const broker = await brokerFor(t);
  const config = (port: number): string =>
    JSON.stringify({ gateway: { id: 'gone' }, mqtt: { url: `mqtt://me:secret@127.0.0.1:${port}` }, devices: {} });
  const dir = folderFor(t, { 'gone.yaml': config(broker.port), 'no-broker.yaml': config(await freePort()) });
  const [gone, noBroker] = await Promise.all([
    ferrule(dir, ['monitor', 'scale', '-c', 'gone.yaml']),
    ferrule(dir, ['monitor', 'scale', '-c', 'no-broker.yaml']),
  ]);
  t.deepEqual([gone.code, gone.out, noBroker.code, noBroker.out], [1, '', 1, '']);
  t.regex(gone.err, /^no gateway answers below ferrule\/gone: is `ferrule run` up/);
  t.regex(noBroker.err, /^no broker at mqtt:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
});

test.serial('the embedded broker is found by its port, unless the system chooses that', async (t) => {
  const scale = await startTcpDevice();
  t.teardown(() => scale.close());
  const config = (port: number): object => ({
    gateway: { id: 'e2e' },
    mqtt: { url: 'embedded', embedded: { port } },
    devices: { scale: { driver: 'lines', link: `tcp://127.0.0.1:${scale.port}` } },
  });
  const port = await freePort();
  gatewayFor(t, { config: config(port) });
  const connection = await scale.connection();
  const monitor = gatewayFor(t, { config: config(port), args: ['monitor', 'scale', '-c', '{config}'] });
  await watching(monitor);
  connection.write('12.5 kg\n');
  await eventually(() => shown(monitor).includes('in  <- 12.5 kg\\n'), 'the line');
  monitor.signal('SIGTERM');
  t.like(await monitor.end(), { code: 0, signal: null });

  const lost = gatewayFor(t, { config: config(0), args: ['monitor', 'scale', '-c', '{config}'] });
  t.is((await lost.end()).code, 78);
  t.regex(lost.stderr, /mqtt\.embedded\.port is 0/);
});
