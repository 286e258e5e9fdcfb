import test from 'ava';
import { Disk, RETRY_MS } from '../../src/spool/disk.js';
import { MemoryStore } from '../../src/spool/memory-store.js';
import { StoreError } from '../../src/spool/store-error.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLog } from '../support/recording-log.js';

const REFUSED = new StoreError('STORE_IO', 'read-only');

function openDisk() {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const rig = { clock, log, retries: 0, opened: 0 };
  const disk = new Disk({
    ...{ clock, log, dir: '/nowhere', maxBytes: 1024 ** 2, sync: false },
    openStore: async () => {
      rig.opened += 1;
      return new MemoryStore();
    },
    onRetry: () => {
      rig.retries += 1;
    },
  });
  return { disk, rig };
}

test('however often the disk refuses, it is tried again once, a minute after the last time, and told once', async (t) => {
  const { disk, rig } = openDisk();
  await disk.open();
  for (let n = 0; n < 5; n += 1) {
    disk.failed(REFUSED);
    await rig.clock.advance(1000);
  }
  t.is(rig.clock.pending, 1);
  await rig.clock.advance(RETRY_MS - 1001);
  t.is(rig.retries, 0);
  await rig.clock.advance(1);
  t.is(rig.retries, 1);
  t.is(rig.log.matching(/read-only/).length, 1);
  await disk.close();
});

test('a disk that is closed is tried no more, also when it refuses afterwards', async (t) => {
  const { disk, rig } = openDisk();
  await disk.open();
  disk.failed(REFUSED);
  await disk.close();
  t.is(rig.clock.pending, 0);
  disk.failed(REFUSED);
  t.is(rig.clock.pending, 0);
  await disk.open();
  t.is(disk.store, undefined);
  t.is(rig.opened, 1);
});
