// Peers on the network at their worst: thousands that leave at once, one that stops in its tracks, one that reads nothing,
// one that never ends its line. Memory stays bounded, the state is there to see, and nobody else notices.

import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { peerFor } from '../support/peer-process.js';
import { openFiles, peakMiB, residentMiB } from '../support/process-figures.js';
import { allowForSoak, repeats } from '../support/soak.js';
import type { Subscriber } from '../support/subscriber.js';
import { startTcpDevice } from '../support/tcp-device.js';
import { describeDelays, startTimedNeighbour, type TimedNeighbour } from '../support/timed-neighbour.js';

const BASE = 'ferrule/e2e';
const BRISK = { first: 50, max: 200 };
const MIB = 1024 * 1024;
const CONNECTIONS = 2000;
const LINES_EACH = 4;
/** More than a gateway opens for a while on its own; a connection that leaked would be one of many. */
const SPARE_FILES = 2;
const COMMANDS = 200;
/** Commands that may wait for one device, and the one at hand. */
const MAX_WAITING = 64 + 1;
const FLOOD_MIB = repeats(256, 1024);
const MAX_FLOOD_GROWTH_MIB = 128;

interface Rig {
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly neighbour: TimedNeighbour;
}

interface Shown {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly connections_total?: number;
}

async function startRig(t: ExecutionContext, devices: object): Promise<Rig> {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, { port: broker.port });
  const neighbour = await startTimedNeighbour(t, subscriber, `${BASE}/neighbour`);
  const base = { gateway: { id: 'e2e' }, mqtt: { url: `mqtt://127.0.0.1:${broker.port}` } };
  const gateway = gatewayFor(t, { config: { ...base, devices: { ...devices, neighbour: neighbour.config } } });
  await neighbour.talk(gateway.pid, broker.pid);
  return { gateway, subscriber, neighbour };
}

/** What bridge/devices says of a device, once it is so. */
async function shown(
  { subscriber }: Rig,
  device: string,
  isSo: (entry: Shown) => boolean,
  what: string,
): Promise<Shown> {
  const find = (): Shown | undefined =>
    (subscriber.last(`${BASE}/bridge/devices`) as Shown[] | undefined)?.find(({ name }) => name === device);
  const holds = (): boolean => {
    const entry = find();
    return entry !== undefined && isSo(entry);
  };
  await eventually(holds, `${device} ${what} in bridge/devices`);
  return find() as Shown; // it was there just now
}

async function listeningPort(gateway: GatewayProcess): Promise<number> {
  const { listen } = await gateway.waitForLog('listening on');
  return Number(String(listen).split(':').at(-1));
}

/** The end of every test: the neighbour is whole, the gateway ends as it should. */
async function endWell(t: ExecutionContext, { gateway, neighbour }: Rig): Promise<void> {
  const end = neighbour.lines;
  await neighbour.finish();
  neighbour.mustBeWhole(t);
  t.log(`delay of the neighbour: ${describeDelays(neighbour.delays(10, end))}`);
  gateway.signal('SIGTERM');
  t.is((await gateway.end()).code, 0, gateway.log.at(-1)?.msg);
}

function connectTo(t: ExecutionContext, port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => {});
    t.teardown(() => void socket.destroy());
  });
}

brokerTest(
  `${CONNECTIONS} connections at one line a second, all reset at once: every child group is gone, nothing leaks, the next is accepted at once`,
  async (t) => {
    const link = { type: 'tcp-listen', port: 0, peer: 'p-{n}', max_connections: CONNECTIONS + 100 };
    const rig = await startRig(t, { sensors: { driver: 'lines', link } });
    const { gateway, subscriber } = rig;
    const port = await listeningPort(gateway);
    const warm = await connectTo(t, port);
    warm.write('warm\n');
    await subscriber.count(`${BASE}/sensors/p-1`, 1);
    warm.destroy();
    await shown(rig, 'sensors', ({ counters }) => counters.connections === 0, 'without connections');
    const before = { files: await openFiles(gateway.pid), memory: residentMiB(gateway.pid) };

    const sockets: net.Socket[] = [];
    while (sockets.length < CONNECTIONS) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => connectTo(t, port)))));
    }
    await shown(rig, 'sensors', (entry) => entry.connections_total === CONNECTIONS, `with ${CONNECTIONS} connections`);
    const sent = await speakInTurn(sockets);
    const all = { files: await openFiles(gateway.pid), memory: residentMiB(gateway.pid) };
    const names = Array.from({ length: CONNECTIONS }, (_, index) => `${BASE}/sensors/p-${index + 2}`);
    await eventually(() => names.every((name) => subscriber.on(name).length === LINES_EACH), `${sent} lines`);

    const resetAt = performance.now();
    for (const socket of sockets) if (!socket.destroyed && !socket.readableEnded) socket.resetAndDestroy();
    const next = await connectTo(t, port);
    next.write('at once\n');
    const nextTopic = `${BASE}/sensors/p-${CONNECTIONS + 2}`;
    await subscriber.count(nextTopic, 1);
    t.log(`the next connection was heard ${Math.round(performance.now() - resetAt)} ms after the reset`);
    t.deepEqual(subscriber.texts(nextTopic), ['at once']);
    await shown(rig, 'sensors', ({ counters }) => counters.connections === 1, 'with one connection');
    next.destroy();
    const entry = await shown(rig, 'sensors', ({ counters }) => counters.connections === 0, 'without connections');
    t.is(entry.connections_total, undefined);
    const isCleared = (name: string): boolean => subscriber.texts(`${name}/availability`).at(-1) === '';
    await eventually(() => names.every(isCleared), 'each retained availability to be cleared');
    const left = await retainedBelow(t, subscriber, `${BASE}/sensors/#`);
    t.deepEqual(left, [`${BASE}/sensors/availability`], 'nothing is retained of a connection');
    const after = { files: await openFiles(gateway.pid), memory: residentMiB(gateway.pid) };
    t.log(`open files ${before.files} -> ${all.files} -> ${after.files}`);
    t.log(`VmRSS ${before.memory} -> ${all.memory} -> ${after.memory} MiB, at most ${peakMiB(gateway.pid)}`);
    t.true(after.files <= before.files + SPARE_FILES, `${before.files} -> ${after.files}`);
    await endWell(t, rig);
  },
);

/** Each says a line a second, spread over it. Answers how many lines that were. */
async function speakInTurn(sockets: readonly net.Socket[]): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  while (sent < sockets.length * LINES_EACH) {
    const due = Math.min(sockets.length * LINES_EACH, ((performance.now() - startedAt) * sockets.length) / 1000);
    for (; sent < due; sent += 1) sockets[sent % sockets.length]?.write(`line ${Math.floor(sent / sockets.length)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return sent;
}

/** Topics that the broker has kept, as a client sees them that comes now. */
async function retainedBelow(t: ExecutionContext, { client }: Subscriber, filter: string): Promise<string[]> {
  const late = await subscriberFor(t, { port: Number(client.options.port), filter });
  const probe = 'ferrule/end-of-retained';
  await late.client.subscribeAsync(probe);
  await client.publishAsync(probe, 'x', { qos: 1 });
  await late.count(probe, 1);
  return late.all.filter(({ retain, payload }) => retain && payload.length > 0).map(({ topic }) => topic);
}

brokerTest(
  'a TCP device that stops in its tracks (kill -STOP) is found by idle_timeout, called again, and heard when it goes on',
  async (t) => {
    const talker = await peerFor(t, 'talker');
    const link = { type: 'tcp', host: '127.0.0.1', port: talker.port, idle_timeout: '1s' };
    const rig = await startRig(t, { cell: { driver: 'lines', link, reconnect: BRISK } });
    const { gateway, subscriber } = rig;
    await subscriber.count(`${BASE}/cell`, 5);
    const stoppedAt = performance.now();
    talker.freeze();
    const { msg, level } = await gateway.waitForLog(
      ({ group, msg }) => group === 'cell' && msg.includes('idle_timeout'),
    );
    t.log(`found after ${Math.round(performance.now() - stoppedAt)} ms: ${msg}`);
    t.is(level, 'warn');
    await eventually(() => subscriber.texts(`${BASE}/cell/availability`).includes('{"state":"offline"}'), 'offline');
    await eventually(
      () => eventsOf(subscriber, 'cell').some(({ to }) => to === 'backing-off'),
      'the state as an event',
    );
    await new Promise((resolve) => setTimeout(resolve, 2500)); // the kernel of a stopped peer accepts, so it is tried over and over
    const files = await openFiles(gateway.pid);
    talker.thaw();
    const count = subscriber.on(`${BASE}/cell`).length;
    await subscriber.count(`${BASE}/cell`, count + 20);
    await shown(rig, 'cell', ({ state }) => state === 'online', 'online');
    const states = eventsOf(subscriber, 'cell').map(({ to }) => to);
    t.log(`states: ${states.join(' ')}; open files ${files} -> ${await openFiles(gateway.pid)}`);
    t.true((await openFiles(gateway.pid)) <= files + SPARE_FILES);
    await endWell(t, rig);
  },
);

interface StateEvent {
  readonly device: string;
  readonly to: string;
  readonly reason: string;
}

function eventsOf(subscriber: Subscriber, device: string): StateEvent[] {
  return subscriber
    .texts(`${BASE}/bridge/event`)
    .map((text) => JSON.parse(text))
    .map((event) => event.data ?? event)
    .filter((event) => event.device === device);
}

brokerTest(
  'a caller that stops in its tracks (kill -STOP) loses its place after idle_timeout, and its topics',
  async (t) => {
    const link = { type: 'tcp-listen', port: 0, peer: 'p-{n}', idle_timeout: '1s' };
    const rig = await startRig(t, { sensors: { driver: 'lines', link } });
    const { gateway, subscriber } = rig;
    const files = await openFiles(gateway.pid);
    const caller = await peerFor(t, 'caller', await listeningPort(gateway));
    await subscriber.count(`${BASE}/sensors/p-1`, 5);
    const stoppedAt = performance.now();
    caller.freeze();
    await eventually(() => subscriber.texts(`${BASE}/sensors/p-1/availability`).at(-1) === '', 'its end');
    t.log(`gone after ${Math.round(performance.now() - stoppedAt)} ms`);
    await shown(rig, 'sensors', ({ counters }) => counters.connections === 0, 'without connections');
    await eventually(async () => (await openFiles(gateway.pid)) <= files, 'its file to be closed');
    await endWell(t, rig);
  },
);

brokerTest(
  'a peer that reads nothing: commands for it are bounded, the others refused, and what waits is answered once it reads again',
  async (t) => {
    const [deaf, well] = [await startTcpDevice(), await startTcpDevice()];
    t.teardown(() => deaf.close());
    t.teardown(() => well.close());
    const link = { type: 'tcp', host: '127.0.0.1', port: deaf.port };
    const rig = await startRig(t, {
      deaf: { driver: 'lines', link, reconnect: BRISK },
      well: { driver: 'lines', link: `tcp://127.0.0.1:${well.port}` },
    });
    const { gateway, subscriber } = rig;
    const socket = await deaf.connection();
    await well.connection();
    await subscriber.says(`${BASE}/well/availability`, { state: 'online' });
    socket.pause();
    const before = residentMiB(gateway.pid);
    const command = JSON.stringify({ transaction: '#', value: 'x'.repeat(256 * 1024) });
    for (let n = 0; n < COMMANDS; n += 1) {
      await subscriber.client.publishAsync(`${BASE}/deaf/write`, command.replace('#', `c-${n}`), { qos: 1 });
    }
    const statuses = (): Map<string, string> => {
      const answers = subscriber.texts(`${BASE}/deaf/response`).map((text) => JSON.parse(text));
      return new Map(answers.map(({ transaction, status }) => [transaction, status]));
    };
    await eventually(() => statuses().size === COMMANDS, 'a first answer to each');
    const count = (status: string): number => [...statuses().values()].filter((each) => each === status).length;
    t.log(
      `of ${COMMANDS} commands of 256 KiB: ${count('ok')} taken by the system, ${count('accepted')} wait, ${count('error')} refused`,
    );
    t.true(count('accepted') <= MAX_WAITING, 'what waits is bounded');
    const asked = performance.now();
    await subscriber.client.publishAsync(`${BASE}/well/set`, 'hello', { qos: 1 });
    await eventually(() => well.received().toString() === 'hello\n', 'the command of another device');
    t.log(`a command of another device took ${Math.round(performance.now() - asked)} ms`);
    t.log(`VmRSS ${before} -> ${residentMiB(gateway.pid)} MiB, at most ${peakMiB(gateway.pid)}`);
    t.true(peakMiB(gateway.pid) - before < 120);
    socket.write('I can talk\n'); // only not listen
    await subscriber.count(`${BASE}/deaf`, 1);
    t.is(deaf.accepted, 1, 'it is not hung up on');
    socket.resume();
    await eventually(() => count('accepted') + count('sent') === 0, 'a last answer to each');
    t.log(`once it reads: ${count('ok')} ok, ${count('error')} refused`);
    t.is(count('ok') + count('error'), COMMANDS);
    await endWell(t, rig);
  },
);

brokerTest(
  `a peer that floods ${FLOOD_MIB} MiB without a newline is one dead letter, and memory stays bounded`,
  async (t) => {
    allowForSoak(t);
    const device = await startTcpDevice();
    t.teardown(() => device.close());
    const rig = await startRig(t, { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } });
    const { gateway, subscriber } = rig;
    const socket = await device.connection();
    const before = residentMiB(gateway.pid);
    const chunk = Buffer.alloc(MIB / 4, 'x');
    const startedAt = performance.now();
    for (let sent = 0; sent < FLOOD_MIB * MIB; sent += chunk.length) {
      await new Promise<void>((resolve) => void socket.write(chunk, () => resolve()));
    }
    socket.write('\nfine\n');
    await subscriber.count(`${BASE}/cell`, 1, 60_000);
    t.deepEqual(subscriber.texts(`${BASE}/cell`), ['fine']);
    t.log(`${FLOOD_MIB} MiB in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    const letters = subscriber.texts(`${BASE}/cell/dead_letter`).map((text) => JSON.parse(text));
    t.is(letters.length, 1);
    const { reason, hex, dropped_bytes } = letters[0];
    t.is(reason, 'too-long');
    t.is(hex.length / 2 + dropped_bytes, FLOOD_MIB * MIB, 'every byte is counted');
    t.log(`VmRSS ${before} -> ${residentMiB(gateway.pid)} MiB, at most ${peakMiB(gateway.pid)}`);
    t.true(peakMiB(gateway.pid) - before < MAX_FLOOD_GROWTH_MIB, `${peakMiB(gateway.pid)} MiB`);
    await endWell(t, rig);
  },
);
