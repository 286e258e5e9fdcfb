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

test.serial(
  'a restart on request makes the driver anew, also one that had taken over what another had left',
  async (t) => {
    const rig = await crashingRig(t, 'worker');
    let made = 0;
    const make = rig.device.makeDecoder.bind(rig.device);
    rig.device.makeDecoder = (sink) => {
      made += 1;
      return make(sink);
    };
    for (const text of ['throw\n', 'two\n']) rig.far.send(text);
    rig.far.unplug();
    await eventually(() => rig.device.counters.crashes === 1, 'the crash, after the link');
    for (let n = 0; n < 20 && rig.state !== 'online'; n++) await rig.clock.advance(500);
    await eventually(() => texts(rig).length === 2, 'what was left');
    t.is(made, 1);
    rig.device.restart('asked for');
    await eventually(() => rig.far.opens === 3, 'the next link');
    rig.far.send('three\n');
    await eventually(() => texts(rig).length === 3, 'the next reading');
    t.is(made, 2);
  },
);

test.serial('bytes of which a Worker makes no frame are told too, but not before it has seen them', async (t) => {
  const driver = await loadDriver('throws', { dirs: [badDriversDir] });
  const plan = { driverName: 'throws', driverDirs: [badDriversDir], options: {} };
  const rig = groupRig({ driver, plan, settings: { isolation: 'worker' } });
  t.teardown(() => rig.end());
  await rig.settle();
  const told = (): number => rig.log.matching('not one frame').length;
  rig.far.send('weight 12.34 kg\r'.repeat(2000));
  await rig.settle();
  t.is(told(), 0, 'there may be frames in it');
  await eventually(() => {
    rig.far.send('weight 12.34 kg\r');
    return told() === 1;
  }, 'the warning');
});

test.serial('what a Worker has not decoded when its device is given up is counted as dropped', async (t) => {
  const driver = await loadDriver('hangs', { dirs: [badDriversDir] });
  const plan = { driverName: 'hangs', driverDirs: [badDriversDir], options: {} };
  const rig = groupRig({ driver, plan, settings: { isolation: 'worker' } });
  await rig.settle();
  rig.far.send('warm\n');
  await eventually(() => rig.relay.texts.length === 1, 'the first reading');
  for (const text of ['loop\n', 'two\n']) rig.far.send(text);
  await rig.settle();
  t.false((await rig.end(500)).ended);
  t.is(rig.device.counters.droppedBytes, 'loop\ntwo\n'.length);
});
