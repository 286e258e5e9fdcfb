import test from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import type { Store } from '../../src/spool/store.js';
import { StoreError } from '../../src/spool/store-error.js';
import { recordOf } from '../support/spool-records.js';
import { makeSpoolRig } from '../support/spool-rig.js';

test('a store that claims more than it gives, also when it has counted anew, is not asked for ever', async (t) => {
  const rig = await makeSpoolRig();
  let reads = 0;
  let blocks = 1;
  const store: Store = Object.create(new MemoryStore(), {
    totals: { get: () => ({ blocks, messages: blocks, bytes: 100 * blocks }) },
    lost: { value: 0 },
    nextSeq: { value: 2 },
    read: {
      value: async () => {
        reads += 1;
        if (reads > 100) throw new StoreError('STORE_IO', 'asked for ever');
        return undefined;
      },
    },
    append: {
      value: async () => {
        blocks += 1;
      },
    },
    recount: { value: async () => 0 },
    usage: { value: async () => 0 },
    close: { value: async () => {} },
  });
  const spool = await rig.open({ openStore: async () => store });
  t.true(spool.hasMore);
  t.is(await spool.next(), undefined);
  t.true(reads < 10, `asked ${reads} times`);
  t.false(spool.hasMore, 'and nobody comes back for it');
  await spool.append([recordOf('scale', ['1'])]);
  t.true(spool.hasMore, 'until something changes');
  await rig.close();
});
