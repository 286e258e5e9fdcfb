// What every store promises, run against each kind: `storeContract('level', makeRig)`. A rig opens stores over the same
// place again and again, as restarts do.

import test, { type ExecutionContext } from 'ava';
import { NO_TOTALS, plus, refOf, type Store, type StoredBlock } from '../../src/spool/store.js';

/** Where stores of one kind are opened. */
export interface StoreRig {
  open(): Promise<Store>;
  /** Whether what is kept outlives a close. */
  readonly isLasting: boolean;
  cleanup(): Promise<unknown>;
}

/** A block of `messages` whose bytes tell its number. */
export function blockOf(seq: number, messages = 1, size = 20): StoredBlock {
  return { seq, messages, bytes: Buffer.from(`block ${seq} `.padEnd(size, '.')) };
}

/** All blocks, in order. */
export async function allBlocks(store: Store): Promise<StoredBlock[]> {
  const blocks: StoredBlock[] = [];
  for (let block = await store.read(0); block !== undefined; block = await store.read(block.seq + 1))
    blocks.push(block);
  return blocks;
}

function texts(blocks: readonly StoredBlock[]): string[] {
  return blocks.map(({ seq, messages, bytes }) => `${seq}+${messages} ${bytes}`);
}

/** Declares the contract's tests for one kind of store. */
export function storeContract(kind: string, makeRig: () => Promise<StoreRig>): void {
  const contract = (title: string, run: (t: ExecutionContext, store: Store, rig: StoreRig) => Promise<void>): void => {
    test(`${kind}: ${title}`, async (t) => {
      const rig = await makeRig();
      const store = await rig.open();
      try {
        await run(t, store, rig);
      } finally {
        await store.close();
        await rig.cleanup();
      }
    });
  };

  contract('a new one holds nothing', async (t, store) => {
    t.deepEqual(store.totals, NO_TOTALS);
    t.is(store.nextSeq, 1);
    t.is(store.lost, 0);
    t.is(await store.read(0), undefined);
  });

  contract('blocks come back in order, as they were', async (t, store) => {
    const blocks = [blockOf(1, 3), blockOf(4, 2, 70_000), blockOf(6), blockOf(300), blockOf(2 ** 41)];
    await store.append(blocks.slice(0, 2));
    await store.append(blocks.slice(2));
    t.deepEqual(texts(await allBlocks(store)), texts(blocks));
    t.deepEqual(store.totals, plus(NO_TOTALS, blocks.map(refOf)));
    t.is(store.nextSeq, 2 ** 41 + 1);
  });

  contract('reading begins at the number asked for', async (t, store) => {
    await store.append([blockOf(1, 3), blockOf(4, 2), blockOf(6)]);
    t.is((await store.read(1))?.seq, 1);
    t.is((await store.read(2))?.seq, 4);
    t.is((await store.read(4))?.seq, 4);
    t.is(await store.read(7), undefined);
  });

  contract('what is removed is gone, and counted off', async (t, store) => {
    const blocks = [blockOf(1), blockOf(2), blockOf(3), blockOf(4)];
    await store.append(blocks);
    await store.remove([refOf(blockOf(1)), refOf(blockOf(3))]);
    t.deepEqual(texts(await allBlocks(store)), texts([blockOf(2), blockOf(4)]));
    t.deepEqual(store.totals, plus(NO_TOTALS, [refOf(blockOf(2)), refOf(blockOf(4))]));
    await store.remove([]);
    t.is(store.totals.blocks, 2);
  });

  contract('numbers never fall, also when everything is gone', async (t, store) => {
    await store.append([blockOf(1, 5), blockOf(6, 5)]);
    await store.remove([refOf(blockOf(6, 5))]);
    await store.remove([refOf(blockOf(1, 5))]);
    t.is(store.nextSeq, 11);
    t.deepEqual(store.totals, NO_TOTALS);
  });

  contract('a block is replaced by its rest', async (t, store) => {
    await store.append([blockOf(1, 5), blockOf(6, 5)]);
    await store.replace(refOf(blockOf(1, 5)), blockOf(4, 2, 11));
    t.deepEqual(texts(await allBlocks(store)), texts([blockOf(4, 2, 11), blockOf(6, 5)]));
    t.deepEqual(store.totals, { blocks: 2, messages: 7, bytes: 31 });
    t.is(store.nextSeq, 11);
  });

  contract('calls that overlap take effect in their order', async (t, store) => {
    const steps: Promise<unknown>[] = [];
    for (let seq = 1; seq <= 50; seq++) {
      steps.push(store.append([blockOf(seq)]));
      if (seq % 2 === 0) steps.push(store.remove([refOf(blockOf(seq - 1))]));
    }
    const reading = store.read(0);
    await Promise.all(steps);
    t.is((await reading)?.seq, 2);
    t.is(store.totals.blocks, 25);
    t.deepEqual(
      (await allBlocks(store)).map(({ seq }) => seq),
      Array.from({ length: 25 }, (_, index) => 2 * index + 2),
    );
  });

  contract('reclaiming and recounting change nothing that is kept', async (t, store) => {
    for (let seq = 1; seq <= 40; seq++) await store.append([blockOf(seq, 1, 8192)]);
    await store.remove(Array.from({ length: 20 }, (_, index) => refOf(blockOf(index + 1, 1, 8192))));
    await store.reclaim();
    t.is(await store.recount(), 0);
    t.deepEqual(store.totals, { blocks: 20, messages: 20, bytes: 20 * 8192 });
    t.is((await allBlocks(store)).length, 20);
  });

  contract('after a close every call says so', async (t, store) => {
    await store.append([blockOf(1)]);
    await store.close();
    await store.close();
    await t.throwsAsync(store.append([blockOf(2)]), { code: 'STORE_CLOSED' });
    await t.throwsAsync(store.read(0), { code: 'STORE_CLOSED' });
    await t.throwsAsync(store.remove([refOf(blockOf(1))]), { code: 'STORE_CLOSED' });
  });

  contract('what is kept outlives a close, with its count and its numbers', async (t, store, rig) => {
    if (!rig.isLasting) {
      t.pass('not promised');
      return;
    }
    await store.append([blockOf(1, 3), blockOf(4, 2), blockOf(6)]);
    await store.remove([refOf(blockOf(6))]);
    await store.close();
    const again = await rig.open();
    t.deepEqual(again.totals, { blocks: 2, messages: 5, bytes: 40 });
    t.is(again.nextSeq, 7);
    t.is(again.lost, 0);
    t.deepEqual(texts(await allBlocks(again)), texts([blockOf(1, 3), blockOf(4, 2)]));
    await again.remove([refOf(blockOf(1, 3)), refOf(blockOf(4, 2))]);
    await again.close();
    const third = await rig.open();
    t.is(third.nextSeq, 7);
    t.deepEqual(third.totals, NO_TOTALS);
    await third.append([blockOf(7)]);
    t.deepEqual(third.totals, { blocks: 1, messages: 1, bytes: 20 });
    await third.close();
  });
}
