import test from 'ava';
import { RETRY_MS } from '../../src/spool/disk.js';
import { failingStores } from '../support/failing-store.js';
import { FakeClock } from '../support/fake-clock.js';
import { recordOf, textsOf } from '../support/spool-records.js';
import { makeSpoolRig, takeAll } from '../support/spool-rig.js';

test('on a board whose clock says 1970 what was kept in memory is read behind what is on the disk', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const first = await rig.open();
  await first.append([recordOf('a', ['1', '2', '3'])]);
  await first.close();
  faults.open = 'STORE_IO';
  const clock = new FakeClock({ start: 0 });
  const spool = await rig.open({ clock });
  const [block] = await spool.append([recordOf('a', ['4', '5'])]);
  t.true((block?.seq ?? 0) < 3, 'numbered from the time, which knows nothing of the disk');
  faults.open = undefined;
  await clock.advance(RETRY_MS);
  await spool.flush();
  t.is(spool.state, 'disk');
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3', 'a:4', 'a:5']);
  t.deepEqual(rig.drops, []);
  await rig.close();
});
