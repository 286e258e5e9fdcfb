// The health of a real gateway over HTTP, in each situation that somebody may have to act on: who may restart it asks
// /health/live, who sends work to it asks /health/ready.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { ask, type HttpAnswer } from '../support/http-ask.js';
import { accepts, freePort } from '../support/mosquitto.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const EMBEDDED = { url: 'embedded', embedded: { port: 0 } };
const BRISK = { first: 50, max: 200 };

interface Served {
  readonly port: number;
  readonly gateway: GatewayProcess;
}

/** A gateway that serves HTTP. */
async function serve(t: ExecutionContext, config: object): Promise<Served> {
  const port = await freePort();
  const gateway = gatewayFor(t, {
    config: { gateway: { id: 'e2e' }, http: { listen: `127.0.0.1:${port}` }, ...config },
  });
  await gateway.waitForLog('health and metrics on');
  return { port, gateway };
}

async function deviceFor(t: ExecutionContext): Promise<TcpDevice> {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  return device;
}

function ready(port: number): Promise<HttpAnswer> {
  return ask(port, '/health/ready');
}

async function becomesReady(port: number): Promise<void> {
  await eventually(async () => (await ready(port)).status === 200, 'the gateway to be ready');
}

/** Not ready, for a reason that fits; and alive all the same. */
async function isUnready(t: ExecutionContext, port: number, reason: RegExp): Promise<void> {
  await eventually(
    async () => (await ready(port)).status === 503 && reason.test((await ready(port)).body),
    `not ready: ${reason}`,
  );
  t.log((await ready(port)).body.trim());
  t.is((await ask(port, '/health/live')).status, 200);
}

brokerTest('all well, then a device unplugged, then the broker away, then both back', async (t) => {
  const broker = await brokerFor(t);
  const scale = await deviceFor(t);
  const { port } = await serve(t, {
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, reconnect: BRISK },
    devices: { scale: { driver: 'lines', link: `tcp://127.0.0.1:${scale.port}`, reconnect: BRISK } },
  });
  const scaleIs = (state: string) =>
    eventually(async () => (await ask(port, '/health')).json().devices.scale.state === state, `scale ${state}`);

  await becomesReady(port);
  await scaleIs('online');
  t.like((await ask(port, '/health')).json(), { live: true, ready: true, degraded: false, reasons: [] });

  await scale.close();
  await scaleIs('backing-off');
  t.deepEqual((await ready(port)).json(), { ready: true, degraded: true });
  t.regex((await ask(port, '/health')).json().reasons[0], /^scale: (?:backing-off|connecting): /); // it tries again and again
  t.is((await ask(port, '/health/live')).status, 200);

  await broker.kill();
  await isUnready(t, port, /broker: (?:backing-off|connecting)/);
  t.is((await ask(port, '/health')).status, 503);

  const [brokerAgain, scaleAgain] = await Promise.all([
    brokerFor(t, { port: broker.port }),
    startTcpDevice(scale.port),
  ]);
  t.teardown(() => scaleAgain.close());
  await becomesReady(port);
  await scaleIs('online');
  t.is(brokerAgain.port, broker.port);
  t.like((await ask(port, '/health')).json(), { live: true, ready: true, degraded: false });
});

test.serial('a full spool is a reason of its own, whether it drops or makes devices wait', async (t) => {
  for (const when_full of ['drop-oldest', 'reject']) {
    const scale = await deviceFor(t);
    const { port } = await serve(t, {
      mqtt: { url: `mqtt://127.0.0.1:${await freePort()}` },
      spool: { max_size: '1MiB', when_full, write_interval: '20ms' },
      devices: { scale: { driver: 'lines', link: `tcp://127.0.0.1:${scale.port}` } },
    });
    const socket = await scale.connection();
    const lines = `${'x'.repeat(999)}\n`.repeat(4000);
    socket.write(lines);
    await isUnready(t, port, /broker: .*spool: full/);
  }
});

test.serial('a decoder that hangs in a Worker degrades its device, and the gateway stays live and ready', async (t) => {
  const device = await deviceFor(t);
  const { port } = await serve(t, {
    mqtt: EMBEDDED,
    drivers_dir: driversFor(t, { hangs: '() => ({ decode() { for (;;); } })' }),
    devices: {
      scale: { driver: 'hangs', isolation: 'worker', link: `tcp://127.0.0.1:${device.port}`, reconnect: BRISK },
    },
  });
  await becomesReady(port);
  (await device.connection()).write('hang\n');
  let asked = 0;
  let slowestMs = 0;
  const isEnded = async (): Promise<boolean> => {
    const startedAt = performance.now();
    const [live, answer] = await Promise.all([ask(port, '/health/live'), ready(port)]);
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    asked += 1;
    t.deepEqual([live.status, answer.status], [200, 200]);
    return /ferrule_device_crashes_total\{device="scale"\} [1-9]/.test((await ask(port, '/metrics')).body);
  };
  await eventually(isEnded, 'the end of the Worker');
  t.log(`asked ${asked} times while it hung, the slowest answer took ${Math.round(slowestMs)} ms`);
  t.true(asked > 1);
});

test.serial(
  'a decoder that hangs inline holds everything up: ferrule healthcheck --live says so, and that it is over',
  async (t) => {
    const device = await deviceFor(t);
    const over = path.join(folderFor(t), 'over');
    const { port, gateway } = await serve(t, {
      mqtt: EMBEDDED,
      drivers_dir: driversFor(t, { hangs: hangsUntil(over) }),
      devices: { scale: { driver: 'hangs', isolation: 'inline', link: `tcp://127.0.0.1:${device.port}` } },
    });
    const check = () => ferrule(gateway.dir, ['healthcheck', '--live', '--wait', '1s']);
    await becomesReady(port);
    let said = await check();
    const isLive = async (): Promise<boolean> => {
      said = await check();
      return said.code === 0;
    };
    await eventually(isLive, 'the gateway to be live');
    t.is(said.out, `live (http://127.0.0.1:${port}/health/live)\n`);
    (await device.connection()).write('hang\n');
    await eventually(async () => !(await isLive()), 'the gateway to hang');
    t.deepEqual([said.code, said.err], [1, '']);
    t.is(said.out, `not live: no answer within 1000 ms (http://127.0.0.1:${port}/health/live)\n`);
    writeFileSync(over, '');
    await eventually(isLive, 'the end of the hang');
  },
);

/** A driver that hangs, and the whole gateway with it, until there is a file `over`. */
function hangsUntil(over: string): string {
  return `() => ({ decode() { while (!process.getBuiltinModule('node:fs').existsSync(${JSON.stringify(over)})); return {}; } })`;
}

brokerTest('a gateway that shuts down is not ready, alive, and serves until it has drained', async (t) => {
  const broker = await brokerFor(t);
  const scale = await deviceFor(t);
  const { port, gateway } = await serve(t, {
    gateway: { id: 'e2e', shutdown_deadline: '20s' },
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
    devices: { scale: { driver: 'lines', link: `tcp://127.0.0.1:${scale.port}` } },
  });
  const subscriber = await subscriberFor(t, { port: broker.port });
  (await scale.connection()).write('first\n');
  await subscriber.count('ferrule/e2e/scale', 1);
  await becomesReady(port);
  process.kill(broker.pid, 'SIGSTOP'); // it does not acknowledge, so the shutdown takes its time
  try {
    (await scale.connection()).write('second\n');
    await eventually(
      async () => /ferrule_uplink_unacknowledged_messages [1-9]/.test((await ask(port, '/metrics')).body),
      'an unacknowledged message',
    );
    gateway.signal('SIGTERM');
    await isUnready(t, port, /the gateway is shutting down/);
  } finally {
    process.kill(broker.pid, 'SIGCONT');
  }
  await gateway.end();
  t.false(await accepts(port));
});

test.serial('an address off loopback without a token is refused with 78; with one, it is asked for', async (t) => {
  const port = await freePort();
  const config = `gateway: { id: e2e }\nmqtt: { url: embedded, embedded: { port: 0 } }\nhttp: { listen: "0.0.0.0:${port}"TOKEN }\n`;
  const dir = folderFor(t, { 'ferrule.yaml': config.replace('TOKEN', '') });
  for (const command of ['run', 'check']) {
    const { code, errLines } = await ferrule(dir, [command]);
    t.is(code, 78);
    t.is(
      errLines[0],
      'ferrule.yaml:3:17 http.listen: is not loopback and needs `http.token`: whoever reaches it could read what the gateway does',
    );
  }
  const gateway = gatewayFor(t, { config: config.replace('TOKEN', ', token: correct-horse') });
  await gateway.waitForLog('health and metrics on');
  t.is((await ask(port, '/health/live')).status, 401);
  t.is((await ask(port, '/health/live', { token: 'correct-horse' })).status, 200);
  t.is((await ferrule(gateway.dir, ['healthcheck', '--live'])).code, 0);
});

test.serial('a reload moves the server and changes its token; a taken port keeps nobody from anything', async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const config = (http: object | false) => ({ gateway: { id: 'e2e' }, mqtt: EMBEDDED, http });
  const gateway = gatewayFor(t, { config: config({ listen: `127.0.0.1:${first}` }) });
  await gateway.waitForLog('health and metrics on');
  const reload = async (http: object | false) => {
    writeFileSync(path.join(gateway.dir, 'ferrule.yaml'), JSON.stringify(config(http)));
    const done = gateway.log.filter(({ msg }) => msg.startsWith('reloaded:')).length + 1;
    gateway.signal('SIGHUP');
    await eventually(() => gateway.log.filter(({ msg }) => msg.startsWith('reloaded:')).length === done, 'the reload');
  };
  await reload({ listen: `127.0.0.1:${second}`, token: 'correct-horse' });
  await gateway.waitForLog(`health and metrics on http://127.0.0.1:${second}`);
  t.is((await ask(second, '/health/live', { token: 'correct-horse' })).status, 200);
  t.false(await accepts(first));

  const other = gatewayFor(t, { config: config({ listen: `127.0.0.1:${second}` }) });
  const { level, group } = await other.waitForLog(`cannot listen on 127.0.0.1:${second}: another process does already`);
  t.deepEqual([level, group], ['error', 'http']);
  await other.waitForLog('connected to the broker');

  await reload(false);
  t.false(await accepts(second));
  const off = await ferrule(gateway.dir, ['healthcheck', '--live']);
  t.deepEqual(
    [off.code, off.out],
    [1, 'not known: http is off in the config, and --live asks there; see http.listen\n'],
  );
  await other.waitForLog(`health and metrics on http://127.0.0.1:${second}`);
});
