// A disk that says no to a removal which it has done all the same, as one whose fsync fails: what the spool counts once that disk
// is open again.

import test, { type ExecutionContext } from 'ava';
import type { Spool } from '../../src/spool/spool.js';
import { type Faults, failingStores } from '../support/failing-store.js';
import { recordOf, textsOf } from '../support/spool-records.js';
import { makeSpoolRig, type SpoolRig, takeAll } from '../support/spool-rig.js';

const MINUTE = 60_000;

interface Parts {
  readonly rig: SpoolRig;
  readonly spool: Spool;
  readonly faults: Faults;
}

/** With three blocks on a disk: `a:1` and `a:2`, `a:3`, `a:4`. */
async function withThreeBlocks(t: ExecutionContext): Promise<Parts> {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  t.teardown(() => rig.close());
  const spool = await rig.open();
  for (const texts of [['1', '2'], ['3'], ['4']]) await spool.append([recordOf('a', texts)]);
  return { rig, spool, faults };
}

/** A flush that throws, and comes through. */
async function flushBadly({ rig, spool, faults }: Parts): Promise<void> {
  Object.assign(faults, { write: 'STORE_IO', writesAnyway: true });
  await spool.flush();
  Object.assign(faults, { write: undefined, writesAnyway: false });
  await rig.clock.advance(MINUTE);
  await spool.flush();
}

async function lies(t: ExecutionContext, { rig, spool }: Parts, texts: readonly string[]): Promise<void> {
  t.is(spool.state, 'disk');
  t.is(spool.messages, texts.length);
  spool.rewind();
  t.deepEqual(textsOf(await takeAll(spool)), texts);
  await spool.close();
  const again = await rig.open();
  t.is(again.messages, texts.length, 'and after a restart');
  t.deepEqual(textsOf(await takeAll(again)), texts);
  t.deepEqual(rig.drops, []);
}

test('a removal that failed and came through all the same is not counted twice', async (t) => {
  const parts = await withThreeBlocks(t);
  const block = await parts.spool.next();
  parts.spool.done(block?.seq ?? 0);
  await flushBadly(parts);
  await lies(t, parts, ['a:3', 'a:4']);
});

test('a block that was trimmed by a write that failed and came through is removed as it is', async (t) => {
  const parts = await withThreeBlocks(t);
  const { spool } = parts;
  const block = await spool.next();
  spool.trim(block?.seq ?? 0, 1);
  await flushBadly(parts);
  t.is(spool.messages, 3);
  spool.done(block?.seq ?? 0);
  await spool.flush();
  await lies(t, parts, ['a:3', 'a:4']);
});

test('a block that was taken back trimmed, by a write that failed and came through, comes without what was sent', async (t) => {
  const parts = await withThreeBlocks(t);
  const { spool } = parts;
  const block = await spool.next();
  spool.trim(block?.seq ?? 0, 1);
  spool.rewind();
  await flushBadly(parts);
  await lies(t, parts, ['a:2', 'a:3', 'a:4']);
});

test('a block that was trimmed by a write that failed and came through, and then done, is gone', async (t) => {
  const parts = await withThreeBlocks(t);
  const { spool, faults, rig } = parts;
  const block = await spool.next();
  spool.trim(block?.seq ?? 0, 1);
  Object.assign(faults, { write: 'STORE_IO', writesAnyway: true });
  await spool.flush();
  spool.done(block?.seq ?? 0);
  Object.assign(faults, { write: undefined, writesAnyway: false });
  await rig.clock.advance(MINUTE);
  await spool.flush();
  await lies(t, parts, ['a:3', 'a:4']);
});
