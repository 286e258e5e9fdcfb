import dns from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { framingSchema } from '../../src/config/framing-schema.js';
import { tcpListenLink } from '../../src/config/link-schema.js';
import { systemClock } from '../../src/core/clock.js';
import { Presence } from '../../src/core/presence.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import { type Driver, defineDriver, type z } from '../../src/device/driver.js';
import type { DownMessage } from '../../src/device/message.js';
import { ServerManager, type ServerManagerOptions } from '../../src/group/server-manager.js';
import { UplinkAbsence } from '../../src/group/uplink-absence.js';
import { eventually } from '../support/eventually.js';
import { FakeRelay } from '../support/fake-relay.js';
import { command, echoDriver, SETTINGS } from '../support/group-rig.js';
import { RecordingLog } from '../support/recording-log.js';

interface ServerRig {
  readonly server: ServerManager;
  readonly relay: FakeRelay;
  readonly log: RecordingLog;
  readonly registry: ThreadRegistry<DownMessage>;
  /** Connects; resolves once connected. */
  connect(): Promise<net.Socket>;
}

/** Not started. */
function listenerOn(
  listen: Omit<z.input<typeof tcpListenLink>, 'type'>,
  registry: ThreadRegistry<DownMessage>,
  more: Partial<ServerManagerOptions> = {},
): ServerManager {
  return new ServerManager({
    id: 'door',
    clock: systemClock,
    log: new RecordingLog(),
    registry,
    relay: new FakeRelay(),
    plan: planOf(echoDriver),
    settings: SETTINGS,
    listen: tcpListenLink.parse({ type: 'tcp-listen', ...listen }),
    ...more,
  });
}

function planOf(driver: Driver): ServerManagerOptions['plan'] {
  const framing = framingSchema.parse({ type: 'line' });
  return { driverName: 'test', driverDirs: [], driver, options: undefined, framing };
}

async function serverRig(
  t: ExecutionContext,
  listen: Partial<z.input<typeof tcpListenLink>> = {},
  driver: Driver = echoDriver,
  more: Partial<ServerManagerOptions> = {},
): Promise<ServerRig> {
  const registry = new ThreadRegistry<DownMessage>(systemClock);
  const relay = new FakeRelay();
  const log = new RecordingLog();
  const server = listenerOn({ port: 0, ...listen }, registry, { log, relay, plan: planOf(driver), ...more });
  const sockets = new Set<net.Socket>();
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await registry.shutdown(3000, 'test is over');
  });
  t.true(server.start());
  await eventually(() => server.port > 0, 'the listener is up');
  return {
    server,
    relay,
    log,
    registry,
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = net.connect({ port: server.port, host: '127.0.0.1' }, () => resolve(socket));
        socket.on('error', reject);
        sockets.add(socket);
      }),
  };
}

function counters(rig: ServerRig): Record<string, unknown> {
  return rig.server.group.view().counters;
}

test('each connection is a child group with its own topics, and is gone with its socket', async (t) => {
  const rig = await serverRig(t);
  const socket = await rig.connect();
  const id = `door/127.0.0.1-${socket.localPort}`;
  socket.end('hello\nwor');
  await eventually(() => rig.relay.availability(id).includes('gone'), 'the connection is gone');
  t.deepEqual(
    rig.relay.readings.map(({ device }) => device),
    [id],
  );
  t.deepEqual(rig.relay.texts, ['hello']);
  t.deepEqual(rig.relay.deadLetters, ['partial']);
  t.is(rig.server.group.childCount, 0);
  t.deepEqual(rig.registry.ids(), ['door']);
  t.deepEqual(rig.relay.availability('door'), ['online']);
});

test('connections over max_connections are refused and counted', async (t) => {
  const rig = await serverRig(t, { max_connections: 2 });
  const [first] = [await rig.connect(), await rig.connect()];
  await eventually(() => rig.server.group.childCount === 2, 'two are in');
  const third = await rig.connect();
  await new Promise((resolve) => third.once('close', resolve).resume());
  t.is(counters(rig).refused, 1);
  t.is(rig.log.matching('connection refused').length, 1);
  first?.destroy();
  await eventually(() => rig.server.group.childCount === 1, 'one has left');
  await rig.connect();
  await eventually(() => rig.server.group.childCount === 2, 'another is in');
  t.is(counters(rig).accepted, 3);
});

test('shared peer: all on the topic of the listener, set goes to all', async (t) => {
  const rig = await serverRig(t, { peer: 'shared' });
  const nobody = command();
  rig.registry.route('door', nobody);
  t.deepEqual(rig.relay.statuses(nobody.transaction), ['error']);
  const sockets = [await rig.connect(), await rig.connect()];
  await eventually(() => rig.server.group.childCount === 2, 'both are in');
  const got = sockets.map(() => '');
  for (const [at, socket] of sockets.entries()) {
    socket.on('data', (chunk) => {
      got[at] += chunk.toString();
    });
    socket.write(`from ${at}\n`);
  }
  await eventually(() => rig.relay.texts.length === 2, 'both were read');
  t.deepEqual(
    rig.relay.readings.map(({ device }) => device),
    ['door', 'door'],
  );
  const all = command({ payload: Buffer.from('go') });
  rig.registry.route('door', all);
  await eventually(() => got.every((text) => text === 'go\n'), 'both were told');
  for (const socket of sockets) socket.destroy();
  await eventually(() => rig.server.group.childCount === 0, 'both are gone');
  t.deepEqual(rig.relay.availability('door'), ['online'], 'the listener speaks for them');
});

test('a command for one connection reaches it alone; one for the listener is told to name a connection', async (t) => {
  const rig = await serverRig(t);
  const [one, other] = [await rig.connect(), await rig.connect()];
  await eventually(() => rig.server.group.childCount === 2, 'both are in');
  let got = '';
  one?.on('data', (chunk) => {
    got += chunk.toString();
  });
  let otherGot = 0;
  other?.on('data', (chunk) => {
    otherGot += chunk.length;
  });
  rig.registry.route(`door/127.0.0.1-${one?.localPort}`, command({ payload: Buffer.from('you') }));
  await eventually(() => got === 'you\n', 'it was told');
  t.is(otherGot, 0);
  const set = command();
  rig.registry.route('door', set);
  t.regex(rig.relay.responses(set.transaction)[0]?.error ?? '', /name the connection: door\/<peer>; 2 are connected/);
});

test('a driver that throws ends its own connection, and the next one is as new', async (t) => {
  const touchy = defineDriver({
    ...echoDriver,
    create: () => ({
      decode(frame) {
        if (frame.toString() === 'bad') throw new Error('bad frame');
        return { text: frame.toString() };
      },
    }),
  });
  const rig = await serverRig(t, {}, touchy);
  const [calm, bad] = [await rig.connect(), await rig.connect()];
  bad?.write('bad\n');
  await new Promise((resolve) => bad?.once('close', resolve).resume());
  calm?.write('calm\n');
  await eventually(() => rig.relay.texts.length === 1, 'the neighbour is read');
  await eventually(() => rig.server.group.childCount === 1, 'the bad one is gone');
  (await rig.connect()).write('good\n');
  await eventually(() => rig.relay.texts.length === 2, 'a new one is read');
  t.is(rig.log.at('error').length, 1);
});

test('2,000 connections closed at once by reset leave no group behind and the listener accepts again', async (t) => {
  t.timeout(120_000);
  const count = 2000;
  const rig = await serverRig(t, { max_connections: count });
  const sockets: net.Socket[] = [];
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => rig.connect()))));
  await eventually(() => rig.server.group.childCount === count, 'all are in');
  for (const socket of sockets) socket.write('line\n');
  await eventually(() => rig.relay.texts.length === count, 'all were read');
  for (const socket of sockets) socket.resetAndDestroy();
  await eventually(() => rig.server.group.childCount === 0, 'all groups are gone');
  t.deepEqual(rig.registry.ids(), ['door']);
  t.is(counters(rig).connections, 0);
  t.is(rig.relay.taken.filter((each) => each.kind === 'availability' && each.state === 'gone').length, count);
  (await rig.connect()).write('again\n');
  await eventually(() => rig.relay.texts.at(-1) === 'again', 'the listener accepts again');
  t.is(rig.log.at('error').length, 0);
});

test('closing the listener closes its connections first, with what they have read', async (t) => {
  const rig = await serverRig(t);
  const sockets = [await rig.connect(), await rig.connect()];
  await eventually(() => rig.server.group.childCount === 2, 'both are in');
  for (const socket of sockets) socket.write('last\nhalf');
  await eventually(() => rig.relay.texts.length === 2, 'both were read');
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve).resume()));
  const { clean } = await rig.registry.shutdown(3000, 'test');
  t.true(clean);
  await Promise.all(closed);
  t.deepEqual(rig.relay.deadLetters, ['partial', 'partial']);
  t.is(rig.registry.size, 0);
  t.is(rig.relay.availability('door').at(-1), 'offline');
  await t.throwsAsync(rig.connect(), { code: 'ECONNREFUSED' });
});

test('a listener that is given up says that it is offline then, and nothing behind that', async (t) => {
  const rig = await serverRig(t);
  rig.relay.fill();
  (await rig.connect()).write('held\n');
  await eventually(() => rig.server.group.children[0]?.view().counters.readings === 1, 'it was read');
  rig.server.group.close('it is no longer in the config');
  t.false((await rig.server.group.wait(50)).ended);
  t.deepEqual(rig.relay.availability('door'), ['online']);
  rig.server.group.cleanup();
  t.deepEqual(rig.relay.availability('door'), ['online', 'offline']);
  await setImmediate();
  t.deepEqual(rig.relay.availability('door'), ['online', 'offline'], 'whoever clears it now has the last word');
});

test('a port that is taken is said so, and listened on once it is free', async (t) => {
  const squatter = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  const { port } = squatter.address() as net.AddressInfo;
  const registry = new ThreadRegistry<DownMessage>(systemClock);
  const log = new RecordingLog();
  const clock = { ...systemClock, random: () => 0.2 };
  const server = listenerOn({ port }, registry, { clock, log });
  server.start();
  await eventually(() => log.find('another process does already') !== undefined, 'it says so');
  t.is(server.group.state.state, 'backing-off');
  squatter.close();
  await eventually(() => server.group.state.state === 'online', 'it listens');
  t.is(log.at('warn').length, 1);
  t.true((await registry.shutdown(3000, 'test')).clean);
});

test.serial('a listener closed while its host name is looked up does not listen once that is found', async (t) => {
  const squatter = net.createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as net.AddressInfo; // a TCP server has no string address
  squatter.close();
  const { lookup } = dns;
  let find = (): void => t.fail('no name was looked up');
  dns.lookup = ((_host: string, ...rest: unknown[]) => {
    find = () => Reflect.apply(lookup, dns, ['127.0.0.1', ...rest]);
  }) as typeof lookup; // of its many forms the one that is used
  const registry = new ThreadRegistry<DownMessage>(systemClock);
  const server = listenerOn({ host: 'door.test', port }, registry);
  server.start();
  await setImmediate();
  dns.lookup = lookup;
  t.true((await registry.shutdown(3000, 'it has left the config')).clean);
  find();
  await setImmediate();
  const successor = net.createServer().listen(port, '127.0.0.1');
  await t.notThrowsAsync(once(successor, 'listening'));
  successor.close();
});

test('a connection whose id another device has is turned away', async (t) => {
  const rig = await serverRig(t, { peer: '{ip}' });
  await rig.connect();
  await rig.connect();
  await eventually(() => rig.server.group.childCount === 2, 'both are in');
  t.deepEqual(rig.registry.ids().sort(), ['door', 'door/127.0.0.1', 'door/127.0.0.1-2']);
});

test('a connection accepted during the close is turned away and not counted as refused', async (t) => {
  const rig = await serverRig(t);
  const [first] = [await rig.connect()];
  await eventually(() => rig.server.group.childCount === 1, 'it is in');
  rig.relay.fill();
  first?.write('held\n');
  await eventually(() => rig.server.group.children[0]?.view().counters.readings === 1, 'it was read');
  rig.server.group.close('test');
  const late = await rig.connect();
  await new Promise((resolve) => late.once('close', resolve).resume());
  t.is(counters(rig).refused, 0);
  rig.relay.empty();
  t.true((await rig.server.group.wait(3000)).ended);
  rig.server.group.cleanup();
  t.is(rig.registry.size, 0);
});

test('every connection gets the on_uplink_lost bytes while the broker is away', async (t) => {
  const uplink = new Presence();
  const { connect } = await serverRig(t, {}, echoDriver, {
    absence: new UplinkAbsence(systemClock, uplink),
    settings: { ...SETTINGS, on_uplink_lost: { after: 50, write: Buffer.from('SAFE') } },
  });
  const heard = ['', ''];
  for (const at of heard.keys())
    (await connect()).on('data', (chunk) => {
      heard[at] = `${heard[at]}${chunk}`;
    });
  await eventually(() => heard.every((text) => text === 'SAFE'), 'the bytes on both');
  uplink.set(true);
  const late = await connect();
  late.on('data', () => t.fail());
  await eventually(() => late.readyState === 'open', 'the connection');
  t.deepEqual(heard, ['SAFE', 'SAFE']);
});

const BY_NAME = { peer: 'first-frame', peer_pattern: 'ID:(\\w+)' };

test('first-frame: a connection is called what its device says first, and that is its first reading too', async (t) => {
  const rig = await serverRig(t, BY_NAME);
  const socket = await rig.connect();
  await eventually(() => rig.server.group.state.state === 'online', 'the listener');
  t.deepEqual(rig.registry.ids(), ['door'], 'nobody, before it has spoken');
  socket.write('ID:4711\n12.5\n');
  await eventually(() => rig.relay.texts.length === 2, 'its readings');
  t.deepEqual(rig.relay.texts, ['ID:4711', '12.5']);
  t.deepEqual([...new Set(rig.relay.readings.map(({ device }) => device))], ['door/4711']);
  t.deepEqual(rig.relay.availability('door/4711'), ['online']);
});

test('first-frame: who does not say a name is turned away, counted, and told in the log', async (t) => {
  const rig = await serverRig(t, BY_NAME);
  const stranger = await rig.connect();
  stranger.write('GET / HTTP/1.1\n');
  await new Promise((resolve) => stranger.once('close', resolve).resume());
  t.is(counters(rig).unnamed, 1);
  t.is(counters(rig).accepted, 0);
  t.is(rig.log.matching('it has no name: its first frame "GET / HTTP/1.1" does not match ID:(\\w+)').length, 1);
  const silent = await serverRig(t, { ...BY_NAME, peer_timeout: '100ms' });
  const mute = await silent.connect();
  await new Promise((resolve) => mute.once('close', resolve).resume());
  t.is(silent.log.matching('it said no whole frame in 0.1 s').length, 1);
});

test('first-frame: a device that calls again takes the place of its old connection, whose readings come first', async (t) => {
  const rig = await serverRig(t, BY_NAME);
  const old = await rig.connect();
  old.write('ID:7\nold\n');
  await eventually(() => rig.relay.texts.length === 2, 'the old one');
  const again = await rig.connect();
  again.write('ID:7\nnew\n');
  await new Promise((resolve) => old.once('close', resolve).resume());
  await eventually(() => rig.relay.texts.length === 4, 'the new one');
  t.deepEqual(rig.relay.texts, ['ID:7', 'old', 'ID:7', 'new']);
  t.deepEqual(rig.relay.availability('door/7'), ['online', 'gone', 'online']);
  t.deepEqual(rig.server.connectionIds, ['door/7']);
  const set = command({ payload: Buffer.from('go') });
  let got = '';
  again.on('data', (chunk) => {
    got += chunk.toString();
  });
  rig.registry.route('door/7', set);
  await eventually(() => got === 'go\n', 'the command at the new one');
});

test('first-frame: who waits for one name is not woken by the end of the others', async (t) => {
  const rig = await serverRig(t, BY_NAME);
  const old = await rig.connect();
  old.on('error', () => {}).write('ID:7\n');
  await eventually(() => rig.server.connection('door/7') !== undefined, 'the one that is called again');
  const held = rig.server.connection('door/7');
  let asked = 0;
  if (held !== undefined) {
    held.restart = () => {
      asked += 1;
    };
  }
  const again = await rig.connect();
  again.write('ID:7\n');
  await eventually(() => asked === 1, 'the old one to be asked to go');
  for (let n = 0; n < 5; n += 1) {
    const other = await rig.connect();
    other.write(`ID:other${n}\n`);
    await eventually(() => counters(rig).accepted === n + 2, 'another');
    other.destroy();
    await eventually(() => rig.server.connectionIds.length === 1, 'its end');
  }
  t.is(asked, 1);
  old.destroy();
  await eventually(() => counters(rig).accepted === 7, 'it has the name');
});

test('first-frame: of many that call with one name at once, one is left, and it works', async (t) => {
  const rig = await serverRig(t, BY_NAME);
  const callers = await Promise.all(Array.from({ length: 20 }, () => rig.connect()));
  for (const socket of callers) {
    socket.on('error', () => {});
    socket.write('ID:7\n');
  }
  const open = (): net.Socket[] => callers.filter((socket) => !socket.closed);
  for (const socket of callers) socket.resume();
  await eventually(() => open().length === 1, 'one to be left');
  const before = rig.relay.texts.length;
  open()[0]?.write('still here\n');
  await eventually(() => rig.relay.texts.length > before, 'what it says');
  t.is(rig.relay.texts.at(-1), 'still here');
  t.deepEqual(rig.server.connectionIds, ['door/7']);
});

test('first-frame: connections without a name count against max_connections, and end with the listener', async (t) => {
  const rig = await serverRig(t, { ...BY_NAME, max_connections: 1 });
  const mute = await rig.connect();
  const second = await rig.connect();
  await new Promise((resolve) => second.once('close', resolve).resume());
  t.is(counters(rig).refused, 1);
  const ended = new Promise((resolve) => mute.once('close', resolve).resume());
  await rig.registry.shutdown(3000, 'end');
  await ended;
  t.is(counters(rig).unnamed, 0);
  t.is(rig.log.matching('has no name').length, 0);
});

test('devices that call themselves the same are told, now and then', async (t) => {
  const rig = await serverRig(t, { peer: 'first-frame' });
  let last: net.Socket | undefined;
  for (let n = 0; n < 6; n += 1) {
    const socket = await rig.connect();
    socket.write('tracker-7\n');
    await eventually(() => counters(rig).accepted === n + 1, 'it has taken the place of the one before');
    t.false(socket.destroyed);
    last = socket;
  }
  const told = rig.log.at('warn').filter(({ message }) => message.startsWith('tracker-7 has called again'));
  t.deepEqual(
    told.map(({ fields }) => fields.takeovers),
    [1, 2, 4],
  );
  t.regex(told[0]?.message ?? '', /from .*127\.0\.0\.1, .*do two devices call themselves that\?/);
  last?.destroy();
});

test('a driver that crashes on every connection is told a few times, then now and then, and says what comes of it', async (t) => {
  const rude = defineDriver({
    ...echoDriver,
    create: () => ({
      decode() {
        throw new Error('a bug');
      },
    }),
  });
  const rig = await serverRig(t, {}, rude, { intensity: { max: 3, windowMs: 60_000, probeMs: 60_000 } });
  for (let n = 1; n <= 17; n += 1) {
    const socket = await rig.connect();
    socket.write('bad\n');
    await eventually(() => rig.server.ended.crashes === n, 'the connection has ended');
  }
  const told = rig.log.at('error').filter(({ message }) => message.includes('a bug'));
  t.deepEqual(
    told.map(({ fields }) => fields.crashes),
    [1, 2, 3, 4, 8, 16],
  );
  for (const { message } of told) t.regex(message, /; its connection is closed$/);
});
