// A device with `isolation: worker` as a group: its driver crashes while the device is being closed, or before. The Worker is a real
// one, the clock a fake one.

import test, { type ExecutionContext } from 'ava';
import type { CloseReport } from '../../../src/core/thread-group.js';
import { loadDriver } from '../../../src/device/load.js';
import { eventually } from '../../support/eventually.js';
import { type GroupRig, type GroupRigOptions, groupRig } from '../../support/group-rig.js';
import { badDriversDir } from '../../support/worker-rig.js';

type Isolation = 'inline' | 'worker';

/** A device whose driver throws on a line `throw`; its Worker is at work already. */
async function crashingRig(t: ExecutionContext, isolation: Isolation, more: GroupRigOptions = {}): Promise<GroupRig> {
  const driver = await loadDriver('throws', { dirs: [badDriversDir] });
  const plan = { driverName: 'throws', driverDirs: [badDriversDir], options: {} };
  const rig = groupRig({ driver, plan, ...more, settings: { isolation, ...more.settings } });
  t.teardown(async () => {
    if (rig.state !== 'closed') await rig.end();
  });
  await rig.settle();
  rig.far.send('warm\n');
  await eventually(() => rig.relay.texts.length === 1, 'the first reading');
  return rig;
}

/** Closes the device in real time: whatever takes any is the Worker. */
async function close(rig: GroupRig): Promise<CloseReport> {
  rig.device.group.close('test');
  const report = await rig.device.group.wait(8000);
  rig.device.group.cleanup();
  return report;
}

const texts = ({ relay }: GroupRig): unknown[] => relay.texts.map((text) => JSON.parse(text).text);

for (const isolation of ['inline', 'worker'] as const) {
  test.serial(
    `a driver that crashes while its device closes: what was read behind is still decoded, ${isolation}`,
    async (t) => {
      const rig = await crashingRig(t, isolation, { settings: { on_shutdown: Buffer.from('SAFE') } });
      for (const text of ['one\n', 'throw\n', 'two\n', 'throw\n', 'three\n', 'par']) rig.far.send(text);
      t.like(await close(rig), { ended: true, left: [] });
      t.deepEqual(texts(rig), ['warm', 'one', 'two', 'three']);
      t.is(rig.device.counters.crashes, 2);
      t.is(rig.device.counters.droppedBytes, 0);
      t.is(rig.log.at('error').filter(({ message }) => message.includes('cannot read this')).length, 2);
      t.deepEqual(rig.far.received.map(String), ['SAFE']);
    },
  );

  test.serial(`one that crashes on all there is, ${isolation}: given up, and the rest is accounted for`, async (t) => {
    const rig = await crashingRig(t, isolation);
    for (let n = 0; n < 10; n++) rig.far.send('throw\n');
    const { ended, left } = await close(rig);
    t.true(ended);
    t.is(rig.device.counters.crashes, 6, 'as often as it is restarted at other times, and the last one');
    const items = left.find(({ thread }) => thread === 'receive')?.items ?? 0;
    t.is(items + rig.device.counters.droppedBytes / 'throw\n'.length, 4);
  });
}

test.serial('a crash on the very last bytes is counted and told', async (t) => {
  const rig = await crashingRig(t, 'worker');
  rig.far.send('throw\n');
  t.true((await close(rig)).ended);
  t.is(rig.device.counters.crashes, 1);
  t.is(rig.log.at('error').length, 1);
});

test.serial(
  'what a crash has left is decoded by the next Worker without waiting for more, and ends with its link',
  async (t) => {
    const rig = await crashingRig(t, 'worker');
    for (const text of ['throw\n', 'two\n', 'par']) rig.far.send(text);
    await eventually(() => rig.state === 'backing-off', 'the crash');
    await rig.clock.advance(1000);
    t.is(rig.state, 'online');
    await eventually(() => texts(rig).length === 2, 'what was left');
    rig.far.send('tial\nthree\n');
    await eventually(() => texts(rig).includes('three'), 'the next link');
    t.deepEqual(texts(rig), ['warm', 'two', 'tial', 'three'], 'the halves of two links are not joined');
    t.is(rig.device.counters.crashes, 1);
  },
);

test.serial('what a crash has left is counted as dropped if its device closes before it is tried again', async (t) => {
  const rig = await crashingRig(t, 'worker', { intensity: { max: 0, windowMs: 60_000, probeMs: 300_000 } });
  for (const text of ['throw\n', 'two\n']) rig.far.send(text);
  await eventually(() => rig.state === 'parked', 'the crash');
  await close(rig);
  t.is(rig.device.counters.droppedBytes, 'two\n'.length);
  t.like(rig.log.matching(/^closed: /)[0]?.fields, { counters: { droppedBytes: 4 } });
});
