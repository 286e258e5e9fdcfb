import test from 'ava';
import { addCounters, type DeviceCounters, newCounters } from '../../src/group/device-context.js';
import { deviceFigures } from '../../src/group/device-figures.js';
import { groupRig } from '../support/group-rig.js';

test('every count of a connection is added to the sum, junk by its kind, and the last time heard is the latest', (t) => {
  const sum = newCounters();
  const keys = Object.keys(sum).filter((key) => key !== 'junkByReason' && key !== 'lastHeardAt');
  const counted = (by: number, lastHeardAt: number): DeviceCounters => ({
    ...newCounters(),
    ...Object.fromEntries(keys.map((key, n) => [key, by * (n + 1)])),
    junkByReason: { 'too-long': by },
    lastHeardAt,
  });
  addCounters(sum, counted(1, 2000));
  addCounters(sum, counted(10, 1000));
  t.deepEqual(sum, { ...counted(11, 2000) });
});

test('a device is shown with what waits in its queues, in items and bytes', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.relay.fill();
  for (const line of ['1\n', '2\n', '3\n']) {
    rig.far.send(Buffer.from(line));
    await rig.settle();
  }
  const { state, queuedItems, queuedBytes, counters } = deviceFigures(rig.device);
  t.is(state, 'online');
  t.is(counters.readings, 3);
  t.is(queuedItems, 2, 'one is held by the send thread, two wait');
  t.true(queuedBytes > 2);
  rig.relay.empty();
  await rig.settle();
  t.like(deviceFigures(rig.device), { queuedItems: 0, queuedBytes: 0 });
  await rig.end();
});
