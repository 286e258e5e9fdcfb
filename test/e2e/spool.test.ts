// The disk spool with real processes: gateways killed and stopped while the broker is away or slow, an hour of readings in a
// bounded folder. What was written arrives, oldest first, marked; what was not kept is counted.

import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { streamToTcp } from '../support/device-stream.js';
import { brokerFor, brokerTest, subscriberFor } from '../support/e2e-test.js';
import { faultProxyFor } from '../support/fault-proxy.js';
import { judgedBrokerFor } from '../support/lasting-judge.js';
import { linesOf, pour, tallyOf } from '../support/poured-lines.js';
import { residentMiB } from '../support/process-figures.js';
import {
  droppedOf,
  folderBytes,
  spoolGatewayFor,
  spoolRests,
  spoolWrites,
  whenReplayed,
} from '../support/spool-gateway.js';
import type { Received } from '../support/subscriber.js';

const BASE = 'ferrule/e2e';
const CELL = `${BASE}/cell`;
const WRITE_MS = 200;
/** From a line's being sent to its being read or written: machine under load. */
const SLACK_MS = 2000;
const WINDOW = 512;
const WITHIN_MS = 30_000;
const MIB = 1024 * 1024;
/** What garbage may add to memory in the middle of a flood; the readings are twice as much. */
const MEMORY_MIB = 40;
/** An hour of these is more than memory may take. */
const HOUR_LINE_BYTES = 256;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
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
    // The first may have been under way, the second may have begun before the last lines were read.
    await spoolWrites(path.join(rig.dataDir, 'spool'), 3);
    first.signal('SIGKILL');
    await first.exited;
    stream.stop();

    await rig.start();
    await broker.start();
    await whenReplayed(broker.judge);
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
    await spoolRests(path.join(rig.dataDir, 'spool'), 5 * WRITE_MS);
    await broker.start();
    await broker.judge.count(CELL, 150, WITHIN_MS);
    first.signal('SIGKILL');
    await first.exited;
    const before = broker.judge.on(CELL).length;

    await rig.start();
    await whenReplayed(broker.judge);
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
    await whenReplayed(judge);
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
    await pour(socket, lines, HOUR_LINE_BYTES).done;
    await pause(1500); // the last write
    const tookMs = Math.round(performance.now() - startedAt);
    clearInterval(sampler);
    await broker.start();
    await whenReplayed(broker.judge);
    const kept = broker.judge.on(CELL);
    const { lost, ...found } = tallyOf(kept, HOUR_LINE_BYTES);
    t.deepEqual(found, { received: kept.length, doubled: 0, outOfOrder: 0, damaged: 0, highest: lines - 1 });
    t.is(Number(kept[0]?.payload.toString('latin1', 0, 8)), lost, 'the newest, without a gap');
    t.is(await droppedOf(broker.judge), lost);
    t.is(kept.length + lost, lines);
    t.true(Math.max(...disk) <= 8 * MIB, `${Math.max(...disk)} bytes`);
    const [early, late] = [memory.slice(memory.length / 4, memory.length / 2), memory.slice(-memory.length / 4)].map(
      floorOf,
    );
    t.true((late ?? 0) - (early ?? 0) < MEMORY_MIB, `${early} MiB after a quarter, ${late} MiB at the end`);
    t.log(
      `${lines} in ${tookMs} ms, ${kept.length} kept, ${lost} dropped; disk at most ${(Math.max(...disk) / MIB).toFixed(2)} MiB; RSS ${memory[0]}, ${early}, ${late} MiB`,
    );
  },
);

/** Memory goes up and down with the garbage: the least tells what is held. */
function floorOf(values: readonly number[]): number {
  return Math.min(...values);
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
    await whenReplayed(broker.judge);
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
    const rig = await spoolGatewayFor(t, {
      port: proxy.port,
      gateway: { shutdown_deadline: 6000 },
      spool: { replay_order: 'in-order' },
    });
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
    await whenReplayed(judge);
    const { doubled, ...found } = tallyOf(judge.on(CELL));
    t.deepEqual(found, { received: readings + doubled, lost: 0, outOfOrder: 0, damaged: 0, highest: readings - 1 });
    t.true(doubled <= WINDOW, `${doubled} came twice`);
    t.log(`${readings} of 20000 read before the end, ${doubled} came twice`);
  },
);
