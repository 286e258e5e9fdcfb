import test from 'ava';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage } from '../../src/device/message.js';
import { DeviceContext, newCounters, type UpItem } from '../../src/group/device-context.js';
import { WayUp } from '../../src/group/way-up.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeRelay } from '../support/fake-relay.js';
import { SETTINGS } from '../support/group-rig.js';
import { RecordingLog } from '../support/recording-log.js';
import { textBatch } from '../support/text-batch.js';

test('readings that find the way up closed are counted as dropped, each of them', (t) => {
  const clock = new FakeClock();
  const counters = newCounters();
  const ctx = new DeviceContext({
    ...{ id: 'scale', address: undefined, clock, log: new RecordingLog(), relay: new FakeRelay() },
    ...{ registry: new ThreadRegistry<DownMessage>(clock), settings: SETTINGS, whileCritical: undefined, counters },
  });
  const item: UpItem = {
    ...{ kind: 'readings', device: 'scale', qos: 1, retain: false, at: 0 },
    batch: textBatch(['1', '2', '3']),
  };
  const wayUp = new WayUp(ctx);
  ctx.up.close();
  t.is(wayUp.put(item, true), 'taken');
  t.is(counters.droppedReadings, 3);
  t.is(wayUp.put(item, false), 'taken');
  t.is(counters.droppedReadings, 6);
});
