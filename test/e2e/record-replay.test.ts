// `ferrule record` beside a running gateway, and `ferrule replay` into a fresh one: what was read once is read again, byte for
// byte, at any speed.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/core/clock.js';
import type { VirtualScript } from '../../src/hil/virtual-device.js';
import { makeGnss } from '../../src/hil/virtual-gnss.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { openPtyLine } from '../../src/hil/virtual-pty-line.js';
import { makeScale } from '../../src/hil/virtual-scale.js';
import { openTcpLine } from '../../src/hil/virtual-tcp-line.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { ferrule, folderFor } from '../support/ferrule-command.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { sendOddly } from '../support/odd-chunks.js';
import type { Subscriber } from '../support/subscriber.js';

const BASE = 'ferrule/e2e';

interface Rig {
  readonly dir: string;
  readonly config: object;
  readonly subscriber: Subscriber;
  readonly gateway: GatewayProcess;
  /** `ferrule ...args -c` the gateway's config. */
  start(...args: string[]): GatewayProcess;
}

async function startRig(t: ExecutionContext, devices: object): Promise<Rig> {
  const broker = await brokerFor(t);
  const config = { gateway: { id: 'e2e' }, mqtt: { url: `mqtt://127.0.0.1:${broker.port}` }, devices };
  const subscriber = await subscriberFor(t, { port: broker.port });
  const gateway = gatewayFor(t, { config });
  const start = (...args: string[]): GatewayProcess => gatewayFor(t, { config, args: [...args, '-c', '{config}'] });
  return { dir: folderFor(t), config, subscriber, gateway, start };
}

/** What a device says in so many turns, without waiting for them. */
async function said(make: (clock: FakeClock) => VirtualScript, turns: number): Promise<string> {
  const clock = new FakeClock();
  const script = make(clock);
  let text = '';
  for (let turn = 0; turn < turns; turn += 1) {
    text += script.next();
    await clock.advance(script.everyMs);
  }
  return text;
}

/** Records a device while `act` runs; the file. */
async function record(t: ExecutionContext, rig: Rig, device: string, act: () => Promise<void>): Promise<string> {
  const file = path.join(rig.dir, `${device}.ndjson`);
  const recorder = rig.start('record', device, '-o', file);
  await eventually(() => recorder.stderr.includes('recording'), 'the recorder');
  await act();
  recorder.signal('SIGINT');
  t.like(await recorder.end(), { code: 0, signal: null }, recorder.stderr);
  t.regex(recorder.stderr, /\nrecorded \d+ lines, \d+ bytes/);
  return file;
}

/** The readings of a gateway that reads the replayed recordings. */
async function replayed(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
  speed: string,
  counts: Readonly<Record<string, number>>,
): Promise<Record<string, string[]>> {
  const dir = folderFor(t);
  const replays = Object.entries(files).map(([name, file], index) => {
    const place = index === 0 ? ['--pty', path.join(dir, name)] : ['--tcp', '0'];
    return gatewayFor(t, { config: '', args: ['replay', file, ...place, '--speed', speed] });
  });
  const devices: Record<string, object> = {};
  for (const [index, name] of Object.keys(files).entries()) {
    const { msg } = (await replays[index]?.waitForLog('waiting for the gateway')) ?? { msg: '' };
    const driver = name === 'gps' ? 'nmea0183' : 'lines';
    devices[name] = { driver, link: / at (\S+):/.exec(msg)?.[1] };
  }
  const rig = await startRig(t, devices);
  for (const each of replays) t.like(await each.end(), { code: 0 }, each.stderr);
  for (const [name, count] of Object.entries(counts)) await rig.subscriber.count(`${BASE}/${name}`, count);
  rig.gateway.signal('SIGTERM');
  await rig.gateway.end();
  return Object.fromEntries(Object.keys(files).map((name) => [name, rig.subscriber.texts(`${BASE}/${name}`)]));
}

brokerTest('the same config gives the same readings of a recording, at 1x and at 100x, byte for byte', async (t) => {
  const lines: Record<string, VirtualLine> = {
    gps: await openPtyLine({ clock: systemClock, symlink: path.join(folderFor(t), 'gps') }),
    scale: await openTcpLine(),
  };
  t.teardown(() => Promise.all(Object.values(lines).map((line) => line.close())));
  const rig = await startRig(t, {
    gps: { driver: 'nmea0183', link: lines.gps?.link },
    scale: { driver: 'lines', link: lines.scale?.link },
  });
  for (const name of Object.keys(lines)) await rig.subscriber.says(`${BASE}/${name}/availability`, { state: 'online' });
  const texts: Record<string, string> = {
    gps: await said((clock) => makeGnss({ clock }), 12),
    scale: await said((clock) => makeScale({ clock }), 60),
  };
  const counts = { gps: 12, scale: 60 };
  const talk = async (name: 'gps' | 'scale'): Promise<void> => {
    const line = lines[name];
    if (line) await sendOddly(line, texts[name] ?? '', 7);
    await rig.subscriber.count(`${BASE}/${name}`, counts[name]);
  };
  const [gps, scale] = await Promise.all([
    record(t, rig, 'gps', () => talk('gps')),
    record(t, rig, 'scale', () => talk('scale')),
  ]);
  const first = Object.fromEntries(Object.keys(lines).map((name) => [name, rig.subscriber.texts(`${BASE}/${name}`)]));
  t.is(first.gps?.length, counts.gps);
  t.is(first.scale?.length, counts.scale);
  t.regex(first.gps?.at(-1) ?? '', /"position":\{"lat":47/);
  const [slow, fast] = await Promise.all([
    replayed(t, { gps, scale }, '1', counts),
    replayed(t, { gps, scale }, '100', counts),
  ]);
  t.deepEqual(slow, first);
  t.deepEqual(fast, first);
});

brokerTest('a recorder and a monitor watch one device, both ways in order', async (t) => {
  const line = await openTcpLine();
  t.teardown(() => line.close());
  line.onData((chunk) => line.send(`got ${chunk.length}\n`));
  const rig = await startRig(t, { scale: { driver: 'lines', link: line.link } });
  await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  const monitor = rig.start('monitor', 'scale');
  await eventually(() => monitor.stderr.includes('watching'), 'the monitor to watch');
  const file = await record(t, rig, 'scale', async () => {
    await rig.subscriber.client.publishAsync(`${BASE}/scale/set`, 'TARE', { qos: 1 });
    await rig.subscriber.count(`${BASE}/scale`, 1);
    await line.unplug();
    await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'offline' });
    await line.plug();
    await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
    line.send('12.5 kg\r\n');
    await rig.subscriber.count(`${BASE}/scale`, 2);
  });
  await eventually(() => monitor.log.some(({ msg }) => msg.includes('12.5 kg')), 'the monitor to go on');
  const [header, ...entries] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text));
  t.like(header, { ferrule_recording: 1, device: 'scale', driver: 'lines', framing: { delimiter: '\n' } });
  t.true(header.link.startsWith(line.link));
  t.deepEqual(
    entries.map(({ d, hex, note }) => note ?? `${d} ${Buffer.from(hex, 'hex')}`),
    ['online', 'out TARE\n', 'in got 5\n', 'lost', 'online', 'in 12.5 kg\r\n'],
  );
  t.true(entries.every(({ t: at }, i) => Number.isSafeInteger(at) && at >= (entries[i - 1]?.t ?? 0)));
});

const ASKED = [
  { ferrule_recording: 1, device: 'scale' },
  { t: 0, d: 'in', hex: Buffer.from('hello\n').toString('hex') },
  { t: 500_000, d: 'out', hex: Buffer.from('TARE\n').toString('hex') },
];

brokerTest('a replay with --expect is content with what was recorded, and tells what differs', async (t) => {
  const text = ASKED.map((line) => JSON.stringify(line)).join('\n');
  const file = path.join(folderFor(t, { 'asked.ndjson': text }), 'asked.ndjson');
  const expecting = async (command: string): Promise<GatewayProcess> => {
    const replay = gatewayFor(t, { config: '', args: ['replay', file, '--tcp', '0', '--expect'] });
    const { msg } = await replay.waitForLog('waiting for the gateway');
    const { subscriber } = await startRig(t, { scale: { driver: 'lines', link: / at (\S+):/.exec(msg)?.[1] } });
    await subscriber.count(`${BASE}/scale`, 1);
    await subscriber.client.publishAsync(`${BASE}/scale/set`, command, { qos: 1 });
    return replay;
  };
  const [good, bad] = await Promise.all([expecting('TARE'), expecting('ZERO')]);
  t.is((await good.end()).code, 0, good.stderr);
  t.true(good.log.some(({ msg }) => msg === 'the gateway wrote what it should: 5 bytes'));
  t.is((await bad.end()).code, 1);
  t.regex(bad.stderr, /after 0 bytes: expected "TARE\\n", the gateway wrote "ZERO\\n"/);
});

brokerTest('a recording goes on when the gateway starts anew, and says that something may be missing', async (t) => {
  const line = await openTcpLine();
  t.teardown(() => line.close());
  const rig = await startRig(t, { scale: { driver: 'lines', link: line.link } });
  await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  const file = await record(t, rig, 'scale', async () => {
    line.send('before\n');
    await rig.subscriber.count(`${BASE}/scale`, 1);
    rig.gateway.signal('SIGTERM');
    await rig.gateway.end();
    gatewayFor(t, { config: rig.config });
    await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
    const recorded = (): boolean => readFileSync(path.join(rig.dir, 'scale.ndjson'), 'utf8').includes('restarted');
    await eventually(recorded, 'the tap to begin anew');
    line.send('after\n');
    await rig.subscriber.count(`${BASE}/scale`, 2);
  });
  const entries = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((text) => JSON.parse(text));
  t.deepEqual(
    entries.map(({ hex, note }) => note ?? `${Buffer.from(hex, 'hex')}`).filter((what) => what !== 'lost'),
    ['online', 'before\n', 'restarted', 'online', 'after\n'],
  );
  t.true(entries.every(({ t: at }, i) => at >= (entries[i - 1]?.t ?? 0)));
});

brokerTest('a recording on stdout is clean, ends by its time; a file that is there is left alone', async (t) => {
  const line = await openTcpLine();
  t.teardown(() => line.close());
  const rig = await startRig(t, { scale: { driver: 'lines', link: line.link } });
  await rig.subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  const recorder = rig.start('record', 'scale', '-o', '-', '--seconds', '5');
  await eventually(() => recorder.stderr.includes('recording'), 'the recorder');
  line.send('1\n');
  t.like(await recorder.end(), { code: 0 });
  t.deepEqual(
    recorder.log.map(({ ferrule_recording, note, hex }) => ferrule_recording ?? note ?? hex),
    [1, 'online', '310a'],
  );
  const dir = folderFor(t, { 'ferrule.yaml': JSON.stringify(rig.config), 'scale.ndjson': 'mine' });
  const taken = await ferrule(dir, ['record', 'scale']);
  t.deepEqual(
    [taken.code, taken.errLines],
    [64, [`${path.join(dir, 'scale.ndjson')} is there already; --force writes over it`]],
  );
  const unknown = await ferrule(dir, ['record', 'scael', '-o', 'x.ndjson']);
  t.deepEqual([unknown.code, unknown.errLines], [64, ['no device "scael"; there are scale']]);
});
