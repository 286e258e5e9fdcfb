// The disk spool with real processes: gateways killed and stopped while the broker is away, hours of readings in a bounded
// folder, disks that are full or damaged. What was written arrives, oldest first, marked; what was not kept is counted.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { LINE_BYTES, streamToTcp } from '../support/device-stream.js';
import { brokerFor, brokerTest, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { faultProxyFor } from '../support/fault-proxy.js';
import { judgedBrokerFor } from '../support/lasting-judge.js';
import { numberedLine, tally } from '../support/numbered-lines.js';
import { residentMiB } from '../support/process-figures.js';
import { folderBytes, folderFor, spoolGatewayFor } from '../support/spool-gateway.js';
import type { Received, Subscriber } from '../support/subscriber.js';

const BASE = 'ferrule/e2e';
const CELL = `${BASE}/cell`;
const WRITE_MS = 200;
/** From a line's being sent to its being in the write that is due: machine under load. */
const SLACK_MS = 500;
const WINDOW = 256;
const WITHIN_MS = 30_000;
const MIB = 1024 * 1024;
const POUR_LINES = 500;
const LONG_LINE_BYTES = 1024;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function tallyOf(messages: readonly Received[], lineBytes = LINE_BYTES) {
  return tally(
    messages.map(({ payload }) => payload),
    lineBytes,
  );
}

/** Lines `from` to `to` (excluded), as one piece. */
function linesOf(from: number, to: number, lineBytes = LINE_BYTES): string {
  return Array.from({ length: to - from }, (_, n) => numberedLine(from + n, lineBytes)).join('');
}

interface Pouring {
  /** Lines that the system has taken, about. */
  readonly poured: number;
  /** Resolves when it has taken all. */
  readonly done: Promise<void>;
}

/** So many lines as fast as the socket takes them. */
function pour(socket: net.Socket, lines: number, lineBytes = LINE_BYTES): Pouring {
  let poured = 0;
  const run = async (): Promise<void> => {
    for (; poured < lines; poured += POUR_LINES) {
      const isTaken = socket.write(linesOf(poured, Math.min(lines, poured + POUR_LINES), lineBytes));
      if (!isTaken) await new Promise((resolve) => socket.once('drain', resolve));
    }
  };
  const done = run();
  return {
    get poured() {
      return poured;
    },
    done,
  };
}

/** Waits until nothing has come for a second. */
async function whenQuiet(judge: Subscriber): Promise<void> {
  let before = -1;
  const isQuiet = async (): Promise<boolean> => {
    before = judge.on(CELL).length;
    await pause(700);
    return judge.on(CELL).length === before && before > 0;
  };
  await eventually(isQuiet, 'the end of the replay', WITHIN_MS);
}

/** All are marked, with a number that rises and the time of their reading. */
function checkMarks(t: ExecutionContext, messages: readonly Received[], since: number): void {
  t.true(messages.every(({ user }) => user?.historical === 'true'));
  const seqs = messages.map(({ user }) => Number(user?.seq));
  t.true(
    seqs.every((seq, i) => seq > (seqs[i - 1] ?? 0)),
    'seq rises',
  );
  const times = messages.map(({ user }) => Number(user?.ts));
  t.true(
    times.every((ts, i) => ts >= (times[i - 1] ?? since) && ts <= Date.now()),
    'ts is when it was read',
  );
}

/** The line of its device on `bridge/devices`, as the gateway answers it. */
async function droppedOf(judge: Subscriber): Promise<number> {
  const topic = `${BASE}/bridge/response/devices`;
  const before = judge.on(topic).length;
  await judge.client.publishAsync(`${BASE}/bridge/request/devices`, '{}', { qos: 1 });
  await judge.count(topic, before + 1);
  const { data } = judge.last(topic) as { data: { name: string; dropped: number }[] };
  return data.find(({ name }) => name === 'cell')?.dropped ?? 0;
}

brokerTest(
  'killed with -9 while the broker is away: all but what was read in the last write_interval arrives',
  async (t) => {
    const broker = await judgedBrokerFor(t);
    await broker.kill();
    const since = Date.now();
    const rig = await spoolGatewayFor(t, { port: broker.port, spool: { write_interval: WRITE_MS } });
    const first = await rig.start();
    const stream = streamToTcp(await rig.device.connection(), 400);
    await pause(1500);
    const written = stream.lines;
    await pause(WRITE_MS + SLACK_MS);
    first.signal('SIGKILL');
    await first.exited;
    stream.stop();

    await rig.start();
    await broker.start();
    await whenQuiet(broker.judge);
    const kept = broker.judge.on(CELL);
    const { highest, ...found } = tallyOf(kept);
    t.deepEqual(found, { received: highest + 1, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0 }, 'without a gap');
    t.true(highest + 1 >= written, `${highest + 1} arrived, ${written} were written for sure`);
    checkMarks(t, kept, since);
    t.log(`${stream.lines} lines sent, ${stream.lines - highest - 1} of them after the last write`);
  },
);

brokerTest(
  'killed with -9 in the middle of the replay: the rest comes with the next start, little of it twice',
  async (t) => {
    const broker = await judgedBrokerFor(t);
    await broker.kill();
    const spool = { write_interval: WRITE_MS, replay_rate: 200, replay_order: 'live-first' };
    const rig = await spoolGatewayFor(t, { port: broker.port, spool });
    const first = await rig.start();
    const stream = streamToTcp(await rig.device.connection(), 400);
    await pause(2000);
    stream.stop();
    await pause(WRITE_MS + SLACK_MS);
    await broker.start();
    await broker.judge.count(CELL, 150, WITHIN_MS);
    first.signal('SIGKILL');
    await first.exited;
    const before = broker.judge.on(CELL).length;

    await rig.start();
    await whenQuiet(broker.judge);
    const { doubled, ...found } = tallyOf(broker.judge.on(CELL));
    const { lines } = stream;
    t.deepEqual(found, { received: lines + doubled, lost: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 });
    const perWrite = (400 * WRITE_MS) / 1000;
    t.true(
      doubled <= 2 * perWrite + 100,
      `${doubled} of ${before} came twice: more than the block that was on its way`,
    );
    t.log(`${lines} lines kept, killed after ${before}, ${doubled} came twice`);
  },
);

brokerTest(
  'mode always: killed with -9 under load while connected, nothing that it had published or written is lost',
  async (t) => {
    const broker = await brokerFor(t);
    const judge = await subscriberFor(t, { port: broker.port });
    const rig = await spoolGatewayFor(t, { port: broker.port, spool: { mode: 'always', replay_order: 'in-order' } });
    const first = await rig.start();
    await judge.says(`${BASE}/bridge/state`, { state: 'online' });
    const rate = 2000;
    const stream = streamToTcp(await rig.device.connection(), rate);
    await judge.count(CELL, 1000);
    await pause(300);
    const written = stream.lines;
    await pause(SLACK_MS);
    first.signal('SIGKILL');
    await first.exited;
    stream.stop();
    await pause(200); // for the broker to pass on what it has
    const before = tallyOf(judge.on(CELL));

    await rig.start();
    await judge.count(`${BASE}/bridge/state`, 3, WITHIN_MS); // online, the last will, online
    await whenQuiet(judge);
    const { doubled, ...found } = tallyOf(judge.on(CELL));
    const all = found.highest + 1;
    t.deepEqual({ ...found, highest: 0 }, { received: all + doubled, lost: 0, outOfOrder: 0, damaged: 0, highest: 0 });
    t.true(found.highest >= before.highest && all >= written, `${all} arrived, ${written} were written for sure`);
    t.true(doubled < rate / 2 + WINDOW, `${doubled} came twice`);
    t.log(`killed after ${before.received}; ${all} of ${stream.lines} arrived, ${doubled} twice`);
  },
);

brokerTest(
  'an hour at 100 readings/s without a broker, 8 MiB: memory flat, disk bounded, every drop counted',
  async (t) => {
    t.timeout(120_000);
    const lines = 360_000;
    const broker = await judgedBrokerFor(t);
    await broker.kill();
    const spool = { max_size: '8MiB', replay_order: 'in-order' };
    const rig = await spoolGatewayFor(t, { port: broker.port, spool });
    const gateway = await rig.start();
    const [disk, memory]: [number[], number[]] = [[], []];
    const sampler = setInterval(() => {
      memory.push(residentMiB(gateway.pid));
      void folderBytes(path.join(rig.dataDir, 'spool')).then((bytes) => disk.push(bytes));
    }, 20);
    t.teardown(() => clearInterval(sampler));
    const socket = await rig.device.connection();
    const startedAt = performance.now();
    await pour(socket, lines).done;
    await pause(1500); // the last write
    const tookMs = Math.round(performance.now() - startedAt);
    clearInterval(sampler);
    await broker.start();
    await whenQuiet(broker.judge);
    const kept = broker.judge.on(CELL);
    const { lost, ...found } = tallyOf(kept);
    t.deepEqual(found, { received: kept.length, doubled: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 });
    t.is(Number(kept[0]?.payload.toString('latin1', 0, 8)), lost, 'the newest, without a gap');
    t.is(await droppedOf(broker.judge), lost);
    t.is(kept.length + lost, lines);
    t.true(Math.max(...disk) <= 8 * MIB, `${Math.max(...disk)} bytes`);
    const [early, late] = [memory.slice(memory.length / 4, memory.length / 2), memory.slice(-memory.length / 4)].map(
      median,
    );
    t.true((late ?? 0) - (early ?? 0) < 12, `${early} MiB after a quarter, ${late} MiB at the end`);
    t.log(
      `${lines} in ${tookMs} ms, ${kept.length} kept, ${lost} dropped; disk at most ${(Math.max(...disk) / MIB).toFixed(2)} MiB; RSS ${memory[0]}, ${early}, ${late} MiB`,
    );
  },
);

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

brokerTest(
  'SIGTERM while the broker is away: exit 0, and with the next start everything arrives once, in order',
  async (t) => {
    const broker = await judgedBrokerFor(t);
    await broker.kill();
    const rig = await spoolGatewayFor(t, { port: broker.port, spool: { replay_order: 'in-order' } });
    const since = Date.now();
    const first = await rig.start();
    (await rig.device.connection()).write(linesOf(0, 5000));
    first.signal('SIGTERM');
    t.is((await first.end()).code, 0);
    const { counters } = await first.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('closed:'));
    const { readings } = counters as { readings: number };

    await broker.start();
    await rig.start();
    (await rig.device.connection()).write(linesOf(readings, readings + 1000)); // while the backlog is on its way
    await broker.judge.count(CELL, readings + 1000, WITHIN_MS);
    await whenQuiet(broker.judge);
    const all = broker.judge.on(CELL);
    const perfect = {
      received: readings + 1000,
      lost: 0,
      doubled: 0,
      outOfOrder: 0,
      damaged: 0,
      highest: readings + 999,
    };
    t.deepEqual(tallyOf(all), perfect);
    checkMarks(t, all.slice(0, readings), since);
  },
);

brokerTest(
  'SIGTERM with a slow broker: exit 0, what it had not acknowledged is sent with the next start',
  async (t) => {
    const broker = await brokerFor(t);
    const judge = await subscriberFor(t, { port: broker.port });
    const proxy = await faultProxyFor(t, broker.port);
    const rig = await spoolGatewayFor(t, { port: proxy.port, gateway: { shutdown_deadline: 3000 } });
    const first = await rig.start();
    await judge.says(`${CELL}/availability`, { state: 'online' });
    proxy.limit(10_000);
    (await rig.device.connection()).write(linesOf(0, 20_000));
    await pause(500);
    first.signal('SIGTERM');
    t.is((await first.end()).code, 0, first.log.at(-1)?.msg);
    const { counters } = await first.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('closed:'));
    const { readings } = counters as { readings: number };
    t.truthy(await first.waitForLog('messages are kept on the disk'));

    await proxy.forward();
    await rig.start();
    await whenQuiet(judge);
    const { doubled, ...found } = tallyOf(judge.on(CELL));
    t.deepEqual(found, { received: readings + doubled, lost: 0, outOfOrder: 0, damaged: 0, highest: readings - 1 });
    t.true(doubled <= WINDOW, `${doubled} came twice`);
    t.log(`${readings} of 20000 read before the end, ${doubled} came twice`);
  },
);

brokerTest(
  'a full disk: said once with the way out, devices go on, and what waits in memory arrives too',
  async (t) => {
    const dataDir = folderFor(t);
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', dataDir]);
    if (mount.status !== 0) {
      t.log('not tried: no tmpfs may be mounted here');
      t.pass();
      return;
    }
    t.teardown(() => void spawnSync('umount', ['-l', dataDir]));
    const broker = await judgedBrokerFor(t);
    await broker.kill();
    const rig = await spoolGatewayFor(t, { port: broker.port, dataDir, spool: { replay_order: 'in-order' } });
    const gateway = await rig.start();
    const lines = 6000;
    const { done } = pour(await rig.device.connection(), lines, LONG_LINE_BYTES);
    const { msg } = await gateway.waitForLog('Is the disk full');
    t.regex(msg, /No space left.*Free some space/);
    await done;
    await broker.start();
    const health = `${BASE}/bridge/response/health_check`;
    await broker.judge.says(`${BASE}/bridge/state`, { state: 'online' });
    await broker.judge.count(CELL, lines, WITHIN_MS);
    await broker.judge.client.publishAsync(`${BASE}/bridge/request/health_check`, '{}', { qos: 1 });
    await broker.judge.count(health, 1);
    const { data } = broker.judge.last(health) as { data: { spool: { state: string }; reasons: string[] } };
    t.is(data.spool.state, 'memory');
    t.log(`health: ${JSON.stringify(data)}`);
    t.true(
      data.reasons.some((reason) => reason.startsWith('spool')),
      data.reasons.join(),
    );
    const perfect = { received: lines, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 };
    t.deepEqual(tallyOf(broker.judge.on(CELL), LONG_LINE_BYTES), perfect);
    t.is(gateway.log.filter((line) => line.msg.includes('Is the disk full')).length, 1);
  },
);

brokerTest(
  'a damaged spool at the start is set aside under a name that the log tells, and the gateway runs',
  async (t) => {
    const broker = await brokerFor(t);
    const judge = await subscriberFor(t, { port: broker.port });
    const rig = await spoolGatewayFor(t, { port: broker.port });
    const dir = path.join(rig.dataDir, 'spool');
    mkdirSync(dir);
    for (const name of ['CURRENT', 'MANIFEST-000001', '000003.log'])
      writeFileSync(path.join(dir, name), 'not a spool\n');
    const gateway = await rig.start();
    const { msg } = await gateway.waitForLog('was set aside as');
    const name = /set aside as (\S+);/.exec(msg)?.[1] ?? '';
    t.true(existsSync(path.join(name, 'MANIFEST-000001')), msg);
    (await rig.device.connection()).write(linesOf(0, 10));
    await judge.count(CELL, 10);
  },
);

brokerTest('when_full: reject: a TCP device waits while the spool is full, and nothing is lost', async (t) => {
  const broker = await judgedBrokerFor(t);
  await broker.kill();
  const spool = { max_size: '1MiB', when_full: 'reject', replay_order: 'in-order' };
  const rig = await spoolGatewayFor(t, { port: broker.port, spool });
  await rig.start();
  const lines = 15_000;
  const pouring = pour(await rig.device.connection(), lines, LONG_LINE_BYTES);
  let before = 0;
  const isStalled = async (): Promise<boolean> => {
    before = pouring.poured;
    await pause(700);
    return pouring.poured === before && before > 0;
  };
  await eventually(isStalled, 'the device to be held up', WITHIN_MS);
  t.true(before < lines, 'the device waits');
  await broker.start();
  await broker.judge.count(CELL, lines, WITHIN_MS);
  const perfect = { received: lines, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 };
  t.deepEqual(tallyOf(broker.judge.on(CELL), LONG_LINE_BYTES), perfect);
  t.is(await droppedOf(broker.judge), 0);
  t.log(`held up after ${before} of ${lines} lines`);
});

brokerTest('what is older than max_age is not sent, but counted to its device', async (t) => {
  const broker = await judgedBrokerFor(t);
  await broker.kill();
  const rig = await spoolGatewayFor(t, { port: broker.port, spool: { max_age: 3000, write_interval: WRITE_MS } });
  await rig.start();
  const socket = await rig.device.connection();
  socket.write(linesOf(0, 100));
  await pause(4000);
  socket.write(linesOf(100, 150));
  await pause(WRITE_MS + SLACK_MS);
  await broker.start();
  await broker.judge.count(CELL, 50);
  const { received, lost } = tallyOf(broker.judge.on(CELL));
  t.deepEqual({ received, lost }, { received: 50, lost: 100 });
  t.is(await droppedOf(broker.judge), 100);
});
