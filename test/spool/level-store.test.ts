import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { ClassicLevel } from 'classic-level';
import { silentLog } from '../../src/core/log.js';
import { keyOf } from '../../src/spool/level-layout.js';
import { openLevelStore } from '../../src/spool/level-store.js';
import { refOf } from '../../src/spool/store.js';
import { allBlocks, blockOf, storeContract } from '../contracts/store.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { makeSpoolFolder } from '../support/spool-folder.js';

const OPTIONS = { sync: false, log: silentLog, maxBytes: 8 * 1024 * 1024 };

storeContract('level', async () => {
  const folder = await makeSpoolFolder();
  return { open: () => openLevelStore(folder.dir, OPTIONS), isLasting: true, cleanup: () => folder.remove() };
});

test('the space of what is removed comes back', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  const blocks = Array.from({ length: 96 }, (_, index) => blockOf(index + 1, 1, 65_000));
  for (const block of blocks) await store.append([block]);
  const full = await store.usage();
  t.true(full > 6_000_000);
  for (const block of blocks.slice(0, 48)) await store.remove([refOf(block)]);
  const half = await store.usage();
  t.true(half < full * 0.65, `${half} of ${full} bytes are still in use`);
  for (const block of blocks.slice(48)) await store.remove([refOf(block)]);
  const empty = await store.usage();
  t.true(empty < 600_000, `${empty} bytes are in use for nothing`);
  await store.close();
  await folder.remove();
});

test('its journals do not grow without end', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, { ...OPTIONS, maxBytes: 1024 * 1024, maxJournalBytes: 32 * 1024 });
  for (let seq = 1; seq <= 120; seq++) {
    await store.append([blockOf(seq, 1, 32_000)]);
    await store.remove([refOf(blockOf(seq, 1, 32_000))]);
    await store.reclaim();
    if (seq % 10 === 0) await store.usage();
  }
  t.is(store.nextSeq, 121);
  const names = (await readdir(folder.dir)).filter((name) => /^(LOG|MANIFEST)/.test(name));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder.dir, name))).size));
  t.true(sizes.reduce((sum, size) => sum + size, 0) < 60_000, `${names} ${sizes}`);
  await store.close();
  await folder.remove();
});

test('a second one on the same folder is told that it is open elsewhere', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  const error = await t.throwsAsync(openLevelStore(folder.dir, OPTIONS), { code: 'STORE_LOCKED' });
  t.true(error?.message.includes(folder.dir));
  await store.close();
  const again = await openLevelStore(folder.dir, OPTIONS);
  await again.close();
  await folder.remove();
});

test('of a torn log a prefix comes back, with its count', async (t) => {
  t.log(`seed ${SEED}`);
  const random = seededRandom(SEED);
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  for (let seq = 1; seq <= 30; seq++) await store.append([blockOf(seq, 1, 1000)]);
  for (let round = 0; round < 25; round++) {
    const copy = await folder.copy(`torn-${round}`);
    const log = join(copy, newestLog(await readdir(copy)));
    const length = Math.floor(random() * ((await stat(log)).size + 1));
    await truncate(log, length);
    const torn = await openLevelStore(copy, OPTIONS);
    const seqs = (await allBlocks(torn)).map(({ seq }) => seq);
    t.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index + 1),
      `cut to ${length} bytes`,
    );
    t.is(torn.totals.messages, seqs.length);
    t.is(torn.nextSeq, seqs.length + 1);
    t.true(seqs.length >= Math.floor(length / 1100) - 1);
    await torn.close();
  }
  await store.close();
  await folder.remove();
});

test('a log with a hole is counted anew, and the missing messages are told', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  for (let seq = 1; seq <= 60; seq++) await store.append([blockOf(seq, 1, 2000)]);
  const copy = await folder.copy('holed');
  await store.close();
  const log = join(copy, newestLog(await readdir(copy)));
  const bytes = await readFile(log);
  bytes[40_000] = (bytes[40_000] ?? 0) ^ 0x10;
  await writeFile(log, bytes);
  const holed = await openLevelStore(copy, OPTIONS);
  const there = await allBlocks(holed);
  t.true(there.length < 60 && there.length > 30, `${there.length} are left`);
  t.is(holed.totals.messages, there.length);
  t.is(holed.lost, 60 - there.length);
  t.is(holed.nextSeq, 61);
  await holed.close();
  const again = await openLevelStore(copy, OPTIONS);
  t.is(again.lost, 0, 'told once');
  t.is(again.totals.messages, there.length);
  await again.close();
  await folder.remove();
});

test('a table file that is missing makes the store corrupt', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  for (let seq = 1; seq <= 40; seq++) await store.append([blockOf(seq, 1, 30_000)]);
  await store.close();
  const table = (await readdir(folder.dir)).find((name) => name.endsWith('.ldb')) ?? '';
  await rm(join(folder.dir, table));
  await t.throwsAsync(openLevelStore(folder.dir, OPTIONS), { code: 'STORE_CORRUPT' });
  await folder.remove();
});

function newestLog(names: readonly string[]): string {
  return (
    names
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1) ?? ''
  );
}

test('where the count in the newest block is damaged all is counted anew: no block is left lying unsent', async (t) => {
  const folder = await makeSpoolFolder();
  const store = await openLevelStore(folder.dir, OPTIONS);
  for (let seq = 1; seq <= 3; seq++) await store.append([blockOf(seq, 1, 100)]);
  await store.close();
  const db = new ClassicLevel<Buffer, Buffer>(folder.dir, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  const value = Buffer.from((await db.get(keyOf(3, 1))) ?? []);
  value[0] = (value[0] ?? 0) ^ 1;
  await db.put(keyOf(3, 1), value);
  await db.close();
  const again = await openLevelStore(folder.dir, OPTIONS);
  t.like(again.totals, { blocks: 3, messages: 3 });
  t.is(again.nextSeq, 4);
  await again.close();
  await folder.remove();
});
