// The rules of changes over MQTT, with a config in a folder of its own and a gateway that only notes what it is given. How they
// reach a real gateway is proved in test/e2e/device-requests.test.ts.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DeviceChanges } from '../../src/cli/device-changes.js';
import { LiveConfig, type LiveConfigOptions } from '../../src/cli/live-config.js';
import { MAX_ADDED_DEVICES } from '../../src/config/remote-changes.js';
import { RequestError } from '../../src/control/requests.js';
import { folderFor } from '../support/ferrule-command.js';
import { RecordingLog } from '../support/recording-log.js';

const CELL = { driver: 'lines', link: 'tcp://h:1' };
const CONFIG = 'devices:\n  scale: { driver: lines, link: "tcp://h:9", enabled: false }\n';

interface Rig {
  readonly live: LiveConfig;
  readonly changes: DeviceChanges;
  readonly log: RecordingLog;
  /** The enabled devices of each config that was applied. */
  readonly applied: string[][];
  readonly dir: string;
  mayChange: boolean;
  kept(): { devices: Record<string, object>; enabled: Record<string, boolean> };
}

async function rigFor(t: ExecutionContext, options: Partial<LiveConfigOptions> = {}, files = {}): Promise<Rig> {
  const dir = folderFor(t, { 'ferrule.yaml': CONFIG, ...files });
  const live = await LiveConfig.open({ place: { cwd: dir, env: {} }, ...options });
  if (!(live instanceof LiveConfig)) throw new Error(live.lines.join('\n'));
  const log = new RecordingLog();
  const applied: string[][] = [];
  const rig = { live, log, applied, dir, mayChange: true };
  const changes = new DeviceChanges({
    live,
    log,
    apply: async ({ devices }) => void applied.push(devices.map(({ plan }) => plan.name)),
    mayChange: () => rig.mayChange,
  });
  const kept = () => JSON.parse(readFileSync(path.join(dir, 'data/devices.json'), 'utf8'));
  return Object.assign(rig, { changes, kept });
}

async function refusal(t: ExecutionContext, work: Promise<unknown>): Promise<string> {
  const error = await t.throwsAsync(work, { instanceOf: RequestError });
  return error?.message ?? '';
}

test('a change is kept before it is applied, and logged', async (t) => {
  const order: string[] = [];
  const rig = await rigFor(t, { write: async () => void order.push('kept') });
  rig.applied.push = (devices) => order.push(`applied ${devices}`);
  await rig.changes.addDevice('cell', CELL);
  t.deepEqual(order, ['kept', 'applied cell']);
  t.deepEqual(
    rig.log.lines.map(({ message }) => message),
    ['device cell was added over MQTT'],
  );
});

test('where the disk is full nothing is changed, and the next request finds everything as it was', async (t) => {
  let isFull = true;
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const rig = await rigFor(t, { write: () => (isFull ? Promise.reject(full) : Promise.resolve()) });
  t.regex(await refusal(t, rig.changes.addDevice('cell', CELL)), /^nothing was changed: .*ENOSPC: no space left/);
  t.regex(await refusal(t, rig.changes.enableDevice('scale', true)), /^nothing was changed/);
  t.deepEqual(rig.applied, []);
  t.deepEqual(Object.keys(rig.live.current.config.devices), ['scale']);
  isFull = false;
  await rig.changes.addDevice('cell', CELL);
  t.deepEqual(rig.applied, [['cell']]);
});

test('as many devices as there may be, and no more', async (t) => {
  const devices = Object.fromEntries(Array.from({ length: MAX_ADDED_DEVICES }, (_, i) => [`d${i}`, CELL]));
  const rig = await rigFor(t, {}, { 'data/devices.json': JSON.stringify({ version: 1, devices, enabled: {} }) });
  t.regex(await refusal(t, rig.changes.addDevice('one-more', CELL)), /^256 devices were added already: no more/);
  t.true(await rig.changes.removeDevice('d7'));
  await rig.changes.addDevice('one-more', CELL);
  t.is(Object.keys(rig.kept().devices).length, MAX_ADDED_DEVICES);
});

test('more than the file may hold is refused', async (t) => {
  const rig = await rigFor(t);
  const big = { ...CELL, driver: 'lines', on_shutdown: 'x'.repeat(4096) };
  await rig.changes.addDevice('fits', big);
  const { live } = rig;
  const devices = new Map(Array.from({ length: 300 }, (_, i) => [`d${i}`, big] as const));
  const work = live.commit(live.current, { devices, enabled: new Map() }, async () => {});
  t.regex(await refusal(t, work), /^no room/);
  t.deepEqual(Object.keys(rig.kept().devices), ['fits']);
});

test('a thousand mistakes are told as eight and a number', async (t) => {
  const rig = await rigFor(t);
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`wrong_${i}`, i]));
  const sentence = await refusal(t, rig.changes.addDevice('cell', { ...CELL, ...many }));
  t.is(sentence.split('; ').length, 9);
  t.regex(sentence, /and 992 more$/);
});

test('a switch that says what the config says anyway is not kept', async (t) => {
  const rig = await rigFor(t);
  t.true(await rig.changes.enableDevice('scale', true));
  t.deepEqual(rig.kept().enabled, { scale: true });
  t.true(await rig.changes.enableDevice('scale', false));
  t.deepEqual(rig.kept().enabled, {});
  t.deepEqual(rig.applied, [['scale'], []]);
  t.false(await rig.changes.enableDevice('nobody', true));
  t.false(await rig.changes.enableDevice('toString', true));
});

test('a device that only its being disabled keeps from a clash is enabled when the other is gone', async (t) => {
  const rig = await rigFor(t);
  const port = { driver: 'lines', link: 'tcp-listen://127.0.0.1:7777' };
  await rig.changes.addDevice('a', port);
  await rig.changes.addDevice('b', { ...port, enabled: false });
  t.regex(
    await refusal(t, rig.changes.enableDevice('b', true)),
    /"b" and "a" \(.*\) share one address, 127\.0\.0\.1:7777/,
  );
  await rig.changes.enableDevice('a', false);
  await rig.changes.enableDevice('b', true);
  t.deepEqual(rig.applied.at(-1), ['b']);
  t.regex(await refusal(t, rig.changes.enableDevice('a', true)), /share one address/);
  t.true(await rig.changes.removeDevice('b'));
  t.deepEqual(rig.kept(), { version: 1, devices: { a: port }, enabled: { a: false } } as object);
});

test('a gateway that shuts down takes no more changes', async (t) => {
  const rig = await rigFor(t);
  rig.mayChange = false;
  t.is(
    await refusal(t, rig.changes.addDevice('cell', CELL)),
    'the gateway is starting or shutting down: no changes now',
  );
  t.is(
    await refusal(t, rig.changes.enableDevice('scale', true)),
    'the gateway is starting or shutting down: no changes now',
  );
});
