// A gateway as a fleet runs it: its config in the environment alone, on a board that balena manages.

import { existsSync, mkdirSync, rmdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const LOCK_FOLDER = '/tmp/balena';
const LOCK_FILE = path.join(LOCK_FOLDER, 'updates.lock');
const PASSWORD = 'correct-horse-battery';

interface Fleet {
  readonly gateway: GatewayProcess;
  readonly device: TcpDevice;
  readonly brokerPort: number;
}

/** The file that every test gateway has beside it would be an error: proof that it is not read. */
const NO_CONFIG = 'this: is: not: yaml';

async function startFleet(t: ExecutionContext, env: Readonly<Record<string, string>> = {}): Promise<Fleet> {
  const broker = await brokerFor(t);
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const config = [
    'mqtt:',
    `  url: mqtt://127.0.0.1:${broker.port}`,
    '  username: fleet',
    `  password: ${PASSWORD}`,
    'devices:',
    `  scale: { driver: lines, link: "tcp://127.0.0.1:${device.port}" }`,
  ].join('\n');
  const gateway = gatewayFor(t, {
    config: NO_CONFIG,
    args: ['run'],
    env: { FERRULE_CONFIG: config, BALENA_DEVICE_UUID: 'board-7', ...env },
  });
  return { gateway, device, brokerPort: broker.port };
}

/** What the supervisor makes for a service: a folder of its own; taken away with the test. */
function lockFolderFor(t: ExecutionContext): void {
  mkdirSync(LOCK_FOLDER, { mode: 0o1777 });
  t.teardown(() => {
    rmSync(LOCK_FILE, { force: true });
    rmdirSync(LOCK_FOLDER);
  });
}

brokerTest('a config in the environment alone runs a device, under the name that balena gave the board', async (t) => {
  const { gateway, device, brokerPort } = await startFleet(t);
  const subscriber = await subscriberFor(t, { port: brokerPort });
  const wire = await device.connection();
  await subscriber.says('ferrule/board-7/scale/availability', { state: 'online' });
  wire.write('42.5 kg\n');
  await subscriber.count('ferrule/board-7/scale', 1);
  t.deepEqual(subscriber.texts('ferrule/board-7/scale'), ['42.5 kg']);
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0);
  t.false(JSON.stringify(gateway.log).includes(PASSWORD), 'the log');
  t.false(
    subscriber.all.some(({ payload }) => payload.includes(PASSWORD)),
    'MQTT',
  );
});

test('single variables are a config too, if one of them has the devices', async (t) => {
  const env = {
    FERRULE_DEVICES: '{"scale":{"driver":"lines","link":"tcp://10.0.0.5:4001"}}',
    FERRULE_GATEWAY__ID: 'bare',
  };
  const { code, out } = await ferrule(folderFor(t), ['check'], env);
  t.is(code, 0);
  t.regex(out, /ok, 1 device, topics below ferrule\/bare/);
});

test('a mistake in FERRULE_CONFIG is told with its line and column, and the exit code is 78', async (t) => {
  const env = { FERRULE_CONFIG: 'devices:\n  scale: { driver: lines, lnk: "tcp://10.0.0.5:4001" }' };
  const { code, err } = await ferrule(folderFor(t), ['run'], env);
  t.is(code, 78);
  t.regex(err, /env FERRULE_CONFIG:2:\d+.*lnk/);
});

const needsFolder = existsSync(LOCK_FOLDER) ? 'this board is managed by balena' : undefined;
const lockTest: typeof brokerTest = needsFolder === undefined ? brokerTest : (title) => test.skip(title, () => {});

lockTest('updates are held off while a gateway on balena drains, and not a moment longer', async (t) => {
  lockFolderFor(t);
  const { gateway, device } = await startFleet(t);
  await device.connection();
  await gateway.waitForLog('connected to the broker');
  t.false(existsSync(LOCK_FILE), 'a gateway that runs holds nothing');
  const seen: boolean[] = [];
  const watcher = watch(LOCK_FOLDER, () => seen.push(existsSync(LOCK_FILE)));
  t.teardown(() => watcher.close());
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0);
  await eventually(() => seen.length >= 2, 'the lock to come and go');
  t.false(existsSync(LOCK_FILE));
});

lockTest('a lock that a killed gateway left does not keep updates away for ever', async (t) => {
  lockFolderFor(t);
  writeFileSync(LOCK_FILE, 'ferrule\n');
  const { gateway } = await startFleet(t);
  await gateway.waitForLog('update lock: one that a gateway left');
  t.false(existsSync(LOCK_FILE));
});

lockTest('a gateway that the supervisor stops, lock in hand, stops cleanly and leaves that lock', async (t) => {
  lockFolderFor(t);
  const { gateway, device } = await startFleet(t);
  await device.connection();
  await gateway.waitForLog('connected to the broker');
  writeFileSync(LOCK_FILE, '');
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0);
  t.true(existsSync(LOCK_FILE));
});
