// `spool.mode: always`, where the session goes while a write is on its way.

import test from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import type { StoredBlock } from '../../src/spool/store.js';
import { UplinkRig } from '../support/uplink-rig.js';

/** Its reads wait, from `hold` until `letGo`. */
class SlowDisk extends MemoryStore {
  letGo: () => void = () => {};
  #isThere = Promise.resolve();

  hold(): void {
    this.#isThere = new Promise((resolve) => (this.letGo = resolve));
  }

  override async read(seq: number): Promise<StoredBlock | undefined> {
    await this.#isThere;
    return super.read(seq);
  }

  override async close(): Promise<void> {}
}

test('a session that is lost while a reading is written, behind the read of an older block, has that block sent once', async (t) => {
  const disk = new SlowDisk();
  const spool = {
    ...({ mode: 'always', replay_order: 'live-first', replay_rate: 4 } as const),
    ...{ openStore: async () => disk, hasFolder: async () => true },
  };
  const before = await UplinkRig.start(t, 'away', { spool });
  before.read('scale', ...Array.from({ length: 10 }, (_, n) => `${n}`));
  await before.clock.settle();
  disk.hold();
  const rig = await UplinkRig.start(t, {}, { spool });
  await rig.clock.advance(100); // the block is asked for
  rig.read('scale', '100');
  await rig.clock.settle();
  await rig.lose();
  disk.letGo();
  await rig.clock.settle();
  await rig.comeBack();
  await rig.clock.advance(20_000);
  t.deepEqual(rig.session.on('base/scale').map(Number), [...Array(10).keys(), 100]);
  t.is(disk.totals.messages, 0);
});
