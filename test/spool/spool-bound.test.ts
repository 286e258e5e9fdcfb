// One append of several blocks at the bound of the disk: it may not count on the room that its own first blocks are about to take.

import test from 'ava';
import { silentLog } from '../../src/core/log.js';
import { MemoryStore } from '../../src/spool/memory-store.js';
import { Spool } from '../../src/spool/spool.js';
import type { WhenFull } from '../../src/spool/when-full.js';
import { FakeClock } from '../support/fake-clock.js';
import { bulk } from '../support/spool-records.js';

const KIB = 1024;
const MAX_BYTES = 2 * KIB ** 2;
/** What is not kept free for merges: see `room.ts`. */
const ROOM = MAX_BYTES - 256 * KIB;

/** Takes on the disk what it holds. */
class Disk extends MemoryStore {
  most = 0;

  override async usage(): Promise<number> {
    this.most = Math.max(this.most, this.totals.bytes);
    return this.totals.bytes;
  }
}

for (const whenFull of ['drop-oldest', 'drop-newest', 'reject'] as const satisfies readonly WhenFull[]) {
  test(`${whenFull}: whatever is appended at once, the disk holds no more than there is room for`, async (t) => {
    const disk = new Disk();
    let dropped = 0;
    const spool = new Spool({
      ...{ clock: new FakeClock(), log: silentLog, dir: '/nowhere', maxBytes: MAX_BYTES, maxAgeMs: 0, sync: false },
      ...{
        whenFull,
        openStore: async () => disk,
        onDrop: (_device: string, messages: number) => (dropped += messages),
      },
    });
    await spool.open();
    for (let round = 0; round < 40; round += 1) await spool.append([bulk('a', 200 + round, 1000)]);
    await disk.usage();
    t.true(disk.most <= ROOM, `${disk.most - ROOM} bytes too many`);
    t.true(disk.most > ROOM - 320 * KIB, 'and not much less');
    t.true(dropped > 0);
    await spool.close();
  });
}
