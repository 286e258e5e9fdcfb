import test from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import { MAX_MEMORY_BYTES } from '../../src/spool/spool.js';
import { StoreError } from '../../src/spool/store-error.js';
import { bulk } from '../support/spool-records.js';
import { makeSpoolRig } from '../support/spool-rig.js';

const MIB = 1024 ** 2;

test('however large the spool may become on the disk, in memory it stays small while the disk refuses', async (t) => {
  const rig = await makeSpoolRig({ maxBytes: 1024 * MIB });
  const spool = await rig.open({ openStore: () => Promise.reject(new StoreError('STORE_IO', 'read-only')) });
  for (let n = 0; n < 20; n += 1) await spool.append([bulk('scale', 16, 64 * 1024)]);
  t.true(spool.bytes <= MAX_MEMORY_BYTES, `${spool.bytes} bytes`);
  t.true(spool.bytes > MAX_MEMORY_BYTES - MIB, 'and not much less');
  t.is(spool.messages + rig.dropped(), 20 * 16, 'the others are told');
  await rig.close();
});

test('a disk that hangs holds up the end for some seconds only, and that is told', async (t) => {
  const rig = await makeSpoolRig();
  const store = Object.assign(new MemoryStore(), { close: () => new Promise<void>(() => {}) });
  const spool = await rig.open({ openStore: async () => store });
  let isClosed = false;
  void spool.close().then(() => {
    isClosed = true;
  });
  await rig.clock.advance(4_999);
  t.false(isClosed);
  await rig.clock.advance(1);
  t.true(isClosed);
  t.truthy(rig.log.find(/did not close within 5000 ms/));
  await rig.close();
});
