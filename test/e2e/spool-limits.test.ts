// The limits of the disk spool with real processes: disks that are full or damaged, devices that wait, readings too old to send.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brokerFor, brokerTest, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import { judgedBrokerFor } from '../support/lasting-judge.js';
import { linesOf, pour, tallyOf } from '../support/poured-lines.js';
import { droppedOf, folderFor, spoolGatewayFor, spoolRests } from '../support/spool-gateway.js';

const BASE = 'ferrule/e2e';
const CELL = `${BASE}/cell`;
const WRITE_MS = 200;
/** Enough for a broker to start and be found on a machine under load. */
const MAX_AGE_MS = 6000;
const WITHIN_MS = 30_000;
const LONG_LINE_BYTES = 1024;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

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
  const rig = await spoolGatewayFor(t, { port: broker.port, spool: { max_age: MAX_AGE_MS, write_interval: WRITE_MS } });
  await rig.start();
  const socket = await rig.device.connection();
  socket.write(linesOf(0, 100));
  await pause(MAX_AGE_MS + WRITE_MS);
  socket.write(linesOf(100, 150));
  await spoolRests(path.join(rig.dataDir, 'spool'), 2 * WRITE_MS);
  await broker.start();
  await broker.judge.count(CELL, 50);
  const { received, lost } = tallyOf(broker.judge.on(CELL));
  t.deepEqual({ received, lost }, { received: 50, lost: 100 });
  t.is(await droppedOf(broker.judge), 100);
});
