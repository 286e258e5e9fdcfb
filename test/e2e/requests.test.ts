// The bridge API against the real process: every request has exactly one answer, and nothing that is sent to it does harm.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { driversFor } from '../support/driver-folder.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { fc } from '../support/properties.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';

/** A driver that takes any options. */
const KEEPER = `import { defineDriver, z } from 'ferrule/driver';
export default defineDriver({
  kind: 'framed',
  summary: 'Takes any options',
  options: z.looseObject({}),
  create: () => ({ decode: () => [] }),
});
`;

interface Rig {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly device: TcpDevice;
  /** Sends a request and gives the answer that comes on the topic of its path. */
  ask(path: string, body: object | string | Buffer): Promise<{ status: string; error?: string; data: unknown }>;
}

async function requestRig(t: ExecutionContext): Promise<Rig> {
  const broker = await brokerFor(t);
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: {
        scale: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}`, reconnect: { first: 10, max: 50 } },
      },
    },
  });
  const subscriber = await subscriberFor(t, { port: broker.port });
  await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  let asked = 0;
  const ask: Rig['ask'] = async (path, body) => {
    const topic = `me/answers/${asked++}`;
    const payload = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const properties = { responseTopic: topic };
    await subscriber.client.publishAsync(`${BASE}/bridge/request/${path}`, payload, { qos: 1, properties });
    await subscriber.count(topic, 1);
    return subscriber.last(topic) as { status: string; data: unknown };
  };
  return { gateway, subscriber, device, ask };
}

brokerTest('a request is answered on the response topic of its path, with its transaction', async (t) => {
  const { subscriber } = await requestRig(t);
  const body = JSON.stringify({ transaction: 'abc' });
  await subscriber.client.publishAsync(`${BASE}/bridge/request/health_check`, body, { qos: 1 });
  const topic = `${BASE}/bridge/response/health_check`;
  await subscriber.count(topic, 1);
  t.like(subscriber.last(topic), { status: 'ok', data: { healthy: true, broker: 'online' }, transaction: 'abc' });
});

brokerTest('health is retained, follows the devices, and stays healthy whatever becomes of them', async (t) => {
  const { subscriber, device } = await requestRig(t);
  const topic = `${BASE}/bridge/health`;
  interface Said {
    readonly status: string;
    readonly reasons: readonly string[];
    readonly devices: Readonly<Record<string, number>>;
  }
  const said = (): Said[] => subscriber.texts(topic).map((text) => JSON.parse(text));
  await eventually(() => said().at(-1)?.status === 'ok', 'good health');
  await device.close();
  const backingOff = (): Said | undefined => said().find(({ devices }) => devices['backing-off'] === 1); // now and then
  await eventually(() => backingOff() !== undefined, 'degraded health');
  t.like(backingOff(), { status: 'degraded', healthy: true, broker: 'online' });
  t.regex(backingOff()?.reasons.join() ?? '', /^scale: backing-off: /);
  await subscriber.client.unsubscribeAsync('#');
  const before = subscriber.on(topic).length;
  await subscriber.client.subscribeAsync(topic, { qos: 1 });
  await subscriber.count(topic, before + 1);
  t.true(subscriber.on(topic).at(-1)?.retain);
});

brokerTest('no secret of the config is on any topic, whatever is asked', async (t) => {
  const broker = await brokerFor(t);
  const dir = driversFor(t, {});
  const files = { 'word.txt': 'FILE-SECRET\n', 'pin.txt': 'PIN-SECRET\n', 'keeper.js': KEEPER };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text);
  const config = `gateway: { id: e2e }
mqtt: { url: "mqtt://USER-SECRET:URL-SECRET@127.0.0.1:${broker.port}?token=TOKEN-SECRET", username: !file ${dir}/word.txt, password: PASS-SECRET }
drivers_dir: ${dir}
devices:
  scale:
    driver: keeper
    link: tcp://127.0.0.1:1
    options: { api_key: KEY-SECRET, pin: !file ${dir}/pin.txt, nested: { authToken: DEEP-SECRET, url: "http://me:HTTP-SECRET@h/?sig=SIG-SECRET" }, plain: shown }
`;
  const subscriber = await subscriberFor(t, { port: broker.port });
  gatewayFor(t, { config });
  await subscriber.count(`${BASE}/bridge/info`, 1);
  const requests = ['devices', 'threads', 'device/get', 'device/tap', 'reload', 'health_check'];
  for (const request of requests) {
    const body = JSON.stringify({ id: 'scale', mode: 'raw' });
    await subscriber.client.publishAsync(`${BASE}/bridge/request/${request}`, body, { qos: 1 });
    await subscriber.count(`${BASE}/bridge/response/${request}`, 1);
  }
  const said = subscriber.all.filter(({ topic }) => !topic.includes('/request/'));
  t.true(
    said.some(({ payload }) => payload.includes('"plain":"shown"')),
    'the options are there',
  );
  const leaks = said.filter(({ payload }) => payload.includes('-SECRET'));
  t.deepEqual(
    leaks.map(({ topic, payload }) => `${topic} ${/\w+-SECRET/.exec(payload.toString())?.[0]}`),
    [],
  );
});

brokerTest('threads tells every group with its three threads, its state and its history', async (t) => {
  const { ask } = await requestRig(t);
  const { data } = await ask('threads', {});
  const groups = data as { id: string; state: string; threads: { label: string }[]; history: { to: string }[] }[];
  t.deepEqual(groups.map(({ id }) => id).sort(), ['bridge/mqtt', 'scale']);
  for (const group of groups) {
    t.is(group.state, 'online');
    t.deepEqual(group.threads.map(({ label }) => label).sort(), ['manager', 'receive', 'send']);
    t.is(group.history.at(-1)?.to, 'online');
  }
});

brokerTest('device/restart closes the link of that device and opens it again', async (t) => {
  const { ask, device, subscriber } = await requestRig(t);
  t.is(device.accepted, 1);
  t.is((await ask('device/restart', { id: 'scale' })).status, 'ok');
  await eventually(() => device.accepted === 2, 'the second connection');
  await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
});

brokerTest('options changes the log level of everything that runs already', async (t) => {
  const { ask, gateway, device } = await requestRig(t);
  // What it has said at its start may come later through the pipe than its answers through the broker.
  await Promise.all([gateway.waitForLog('connected to the broker'), gateway.waitForLog('online on')]);
  t.is((await ask('options', { log_level: 'error' })).status, 'ok');
  const before = gateway.log.length;
  await ask('device/restart', { id: 'scale' });
  const isBack = async (): Promise<boolean> => {
    const { data } = await ask('device/get', { id: 'scale' });
    return device.accepted === 2 && (data as { state: string }).state === 'online';
  };
  await eventually(isBack, 'the device to be back'); // what it says at that would be info
  t.is((await ask('options', { log_level: 'debug' })).status, 'ok');
  t.is(gateway.log.length, before, 'nothing below error was logged');
});

brokerTest(
  'what goes wrong is on bridge/logging while there is a broker, and less or more of it by `options`',
  async (t) => {
    const { ask, device, subscriber } = await requestRig(t);
    const topic = `${BASE}/bridge/logging`;
    t.is(subscriber.on(topic).length, 0, 'all was well');
    (await device.connection()).destroy();
    await subscriber.count(topic, 1);
    t.like(subscriber.last(topic), { level: 'warn', group: 'scale', thread: 'manager' });
    t.false(subscriber.on(topic).some(({ retain }) => retain));
    await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
    t.is((await ask('options', { log_level: 'info' })).status, 'ok');
    await ask('device/restart', { id: 'scale' });
    const isOpened = (text: string): boolean => JSON.parse(text).level === 'info';
    await eventually(() => subscriber.texts(topic).some(isOpened), 'a line of level info');
  },
);

brokerTest('restart ends the process in order, for its supervisor to start it again', async (t) => {
  const { ask, gateway } = await requestRig(t);
  t.is((await ask('restart', {})).status, 'ok');
  t.like(await gateway.exited, { code: 0, signal: null });
});

brokerTest('restart that is asked for twice at once ends the process in order all the same', async (t) => {
  const { ask, gateway } = await requestRig(t);
  const [first, second] = await Promise.all([ask('restart', {}), ask('restart', {})]);
  t.is(first.status, 'ok');
  t.like(second, { status: 'error', error: 'the gateway is ending already' });
  t.like(await gateway.exited, { code: 0, signal: null });
  t.false(gateway.log.some(({ msg }) => msg.includes('SIGTERM again')));
});

brokerTest('what is asked for while a gateway ends is refused, and does not cut its end short', async (t) => {
  const { ask, device, gateway, subscriber } = await requestRig(t);
  // A peer that takes nothing: what is on its way to it holds the end up for a moment.
  (await device.connection()).pause();
  const bytes = Buffer.alloc(512 * 1024, 'x');
  for (let n = 0; n < 20; n += 1) subscriber.client.publish(`${BASE}/scale/write`, bytes);
  await subscriber.count(`${BASE}/scale/response`, 20);
  gateway.signal('SIGTERM');
  await gateway.waitForLog('SIGTERM: shutting down');
  t.like(await ask('restart', {}), { status: 'error', error: 'the gateway is ending already' });
  t.like(await ask('reload', {}), { status: 'error', error: 'the gateway is ending: nothing was changed' });
  t.like(await gateway.exited, { code: 0, signal: null });
});

brokerTest('malformed requests are answered each, and the gateway goes on', async (t) => {
  const { ask, device, subscriber } = await requestRig(t);
  const payloads = ['{', '[]', '7', 'null', '{"id":1}', '{"id":"../../etc/passwd"}', Buffer.alloc(1024 * 1024, 0x41)];
  for (const payload of payloads) {
    const { status, error } = await ask('device/restart', payload);
    t.is(status, 'error');
    t.true((error?.length ?? 0) > 0);
  }
  t.regex((await ask('device/explode', {})).error ?? '', /unknown request "device\/explode"/);
  t.is(device.accepted, 1, 'nothing was restarted');
  (await device.connection()).write('12 kg\n');
  await eventually(() => subscriber.texts(`${BASE}/scale`).includes('12 kg'), 'the reading');
});

brokerTest('whatever is sent to the bridge API, each request has one answer and the process lives', async (t) => {
  const { ask, gateway } = await requestRig(t);
  const segment = fc.constantFrom('device', 'get', 'restart', 'options', 'devices', 'threads', '..', '__proto__', 'x');
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
  const isHarmless = (candidate: string): boolean => candidate !== 'restart';
  await fc.assert(
    fc.asyncProperty(path.filter(isHarmless), fc.oneof(fc.json(), fc.string()), async (where, payload) => {
      const { status } = await ask(where, payload);
      t.true(status === 'ok' || status === 'error');
    }),
    { numRuns: 60 },
  );
  t.is((await ask('health_check', {})).status, 'ok');
  gateway.signal('SIGTERM');
  t.is((await gateway.exited).code, 0);
});
