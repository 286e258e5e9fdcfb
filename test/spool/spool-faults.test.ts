import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { failingStores } from '../support/failing-store.js';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { bulk, recordOf, textsOf } from '../support/spool-records.js';
import { makeSpoolRig, type SpoolRig, takeAll } from '../support/spool-rig.js';
import { spoolTest } from '../support/spool-test.js';

const MINUTE = 60_000;

/** Lets a timer fire and what it begins come to its end. */
async function pass(rig: SpoolRig, ms: number, spool: { flush(): Promise<void> }): Promise<void> {
  await rig.clock.advance(ms);
  await spool.flush();
}

test('a disk that refuses is left for the memory, and taken up again behind what is on it', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1'])]);
  faults.write = 'STORE_IO';
  const kept = await spool.append([recordOf('a', ['2'])]);
  await spool.append([recordOf('a', ['3'])]);
  t.deepEqual(textsOf(kept), ['a:2']);
  t.is(spool.state, 'memory');
  t.is(spool.messages, 3);
  t.is(rig.log.at('error').length, 1, 'said once');
  t.regex(rig.log.at('error')[0]?.message ?? '', /full, read-only or broken.*kept in memory/);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3'], 'the disk is read all the same');
  spool.rewind();
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'memory', 'the write that was to move them failed');
  t.is(rig.log.at('error').length, 1);
  faults.write = undefined;
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'disk');
  t.truthy(rig.log.find(/works again; 2 messages were moved/));
  await spool.append([recordOf('a', ['4'])]);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3', 'a:4']);
  await spool.close();
  t.deepEqual(textsOf(await takeAll(await rig.open())), ['a:1', 'a:2', 'a:3', 'a:4']);
  t.deepEqual(rig.drops, []);
  await rig.close();
});

test('blocks that are out while the disk comes back are neither lost nor doubled', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  faults.write = 'STORE_IO';
  for (const text of ['1', '2', '3 and a half', '4']) await spool.append([recordOf('a', [text, `${text}+`])]);
  const blocks = await takeAll(spool);
  spool.done(blocks[0]?.seq ?? 0);
  spool.trim(blocks[1]?.seq ?? 0, 1);
  faults.write = undefined;
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'disk');
  t.false(spool.hasMore);
  spool.done(blocks[3]?.seq ?? 0);
  spool.rewind();
  t.deepEqual(textsOf(await takeAll(spool)), ['a:2+', 'a:3 and a half', 'a:3 and a half+']);
  await rig.close();
  t.deepEqual(rig.drops, []);
});

test('a block that was half sent when the broker went is sent on although the disk refuses', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  const [block] = await spool.append([recordOf('a', ['1', '2', '3', '4'])], { isHandedOut: true });
  await spool.append([recordOf('a', ['5'])]);
  faults.write = 'STORE_IO';
  spool.trim(block?.seq ?? 0, 1);
  spool.rewind();
  const [again] = await takeAll(spool);
  t.deepEqual(again && textsOf([again]), ['a:2', 'a:3', 'a:4']);
  spool.trim(again?.seq ?? 0, 2);
  t.is(spool.messages, 2);
  spool.rewind();
  t.deepEqual(textsOf(await takeAll(spool)), ['a:4', 'a:5'], 'and so once more');
  t.is(spool.state, 'disk', 'reading on does not need the disk to take anything');
  spool.rewind();
  faults.write = undefined;
  await spool.close();
  t.deepEqual(textsOf(await takeAll(await rig.open())), ['a:4', 'a:5'], 'a restart knows it as well');
  t.deepEqual(rig.drops, []);
  await rig.close();
});

test('a write that failed and came through all the same does not come twice', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1'])]);
  Object.assign(faults, { write: 'STORE_IO', writesAnyway: true });
  await spool.append([recordOf('a', ['2'])]);
  Object.assign(faults, { writesAnyway: false });
  await spool.append([recordOf('a', ['3'])]);
  Object.assign(faults, { write: undefined });
  await pass(rig, MINUTE, spool);
  t.is(spool.messages, 3);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3']);
  await rig.close();
});

test('a disk that cannot be opened: memory first, and behind what is on it later', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const first = await rig.open();
  await first.append([recordOf('a', ['1', '2'])]);
  await first.close();
  faults.open = 'STORE_IO';
  const spool = await rig.open();
  t.is(spool.state, 'memory');
  const [block] = await spool.append([recordOf('a', ['3'])]);
  await spool.append([recordOf('a', ['4'])], { isHandedOut: true });
  t.true((block?.seq ?? 0) > 2, 'its number is above all on the disk');
  faults.open = undefined;
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'disk');
  t.is(spool.messages, 4);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3']);
  spool.rewind();
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:2', 'a:3', 'a:4']);
  await rig.close();
});

test('the memory is bounded by the same policy, and what is in it at the end is told', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore, maxBytes: 2 * 1024 * 1024 });
  const spool = await rig.open();
  faults.write = 'STORE_IO';
  for (let round = 0; round < 60; round++) await spool.append([bulk('a', 60, 1000)]);
  t.true(spool.bytes <= 2 * 1024 * 1024);
  t.true(spool.bytes > 1_800_000);
  t.is(spool.messages + rig.dropped(), 3600);
  await spool.close();
  t.is(rig.dropped(), 3600);
  t.true(rig.drops.at(-1)?.includes('the gateway ended'));
  await rig.close();
});

test('a damaged store that shows while it is read is set aside, and counted', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1', '2'])]);
  await spool.append([recordOf('a', ['3', '4', '5'])]);
  const out = await spool.next();
  faults.read = 'STORE_CORRUPT';
  t.is(await spool.next(), undefined);
  faults.read = undefined;
  t.is(faults.opened, 2);
  t.deepEqual(rig.drops, [': 3, unreadable in the spool'], 'what is out may still arrive');
  t.is(spool.state, 'disk');
  t.regex(rig.log.at('error')[0]?.message ?? '', /set aside as .*spool\.corrupt-2026-/);
  const [next] = await spool.append([recordOf('a', ['6'])]);
  t.true((next?.seq ?? 0) > 5, 'numbers do not fall');
  spool.done(out?.seq ?? 0);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:6']);
  await rig.close();
});

test('a disk that cannot be read has nothing to give until it is opened again', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1'])]);
  faults.read = 'STORE_IO';
  t.is(await spool.next(), undefined);
  t.false(spool.hasMore, 'nobody asks again in a circle');
  t.is(spool.messages, 1);
  await spool.append([recordOf('a', ['2'])]);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:2'], 'what is in memory does not wait for it');
  faults.read = undefined;
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'disk');
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1']);
  await rig.close();
});

test('what a damaged log has lost is told once, however often a disk that takes nothing is tried again', async (t) => {
  const { faults, openStore } = failingStores();
  const rig = await makeSpoolRig({ openStore });
  faults.lost = 3;
  const spool = await rig.open();
  t.deepEqual(rig.drops, [': 3, unreadable in the spool']);
  faults.write = 'STORE_IO';
  await spool.append([recordOf('a', ['1'])]);
  await mkdir(`${rig.folder.dir}.probe`); // no file can be written there
  for (let minute = 0; minute < 3; minute += 1) await pass(rig, MINUTE, spool);
  t.is(faults.opened, 1);
  t.deepEqual(rig.drops, [': 3, unreadable in the spool']);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1']);
  await rig.close();
});

spoolTest('a store that another process has open: memory, and the way out is said', {}, async (t, rig) => {
  const holder = await rig.open();
  const spool = await rig.open();
  t.is(spool.state, 'memory');
  t.regex(rig.log.at('error')[0]?.message ?? '', /open in another process.*gateway\.data_dir/);
  await spool.append([recordOf('a', ['1'])]);
  await holder.close();
  await pass(rig, MINUTE, spool);
  t.is(spool.state, 'disk');
  t.is(spool.messages, 1);
});

spoolTest('a lost CURRENT does not begin a new store over the old one', {}, async (t, rig) => {
  const spool = await rig.open();
  await spool.append([bulk('a', 100, 1000)]);
  await spool.close();
  await rm(join(rig.folder.dir, 'CURRENT'));
  const again = await rig.open();
  t.is(again.state, 'disk');
  t.is(again.messages, 0);
  t.regex(rig.log.at('error')[0]?.message ?? '', /lost its file CURRENT.*set aside as/);
  const aside = (await readdir(rig.folder.parent)).filter((name) => name.includes('.corrupt-'));
  t.is(aside.length, 1);
  t.true((await readdir(join(rig.folder.parent, aside[0] ?? ''))).some((name) => name.startsWith('MANIFEST')));
});

spoolTest('numbers do not begin anew after a store was set aside', {}, async (t, rig) => {
  const spool = await rig.open();
  const [old] = await spool.append([recordOf('a', ['1', '2'])]);
  await spool.close();
  await rm(join(rig.folder.dir, 'CURRENT'));
  const again = await rig.open();
  const [next] = await again.append([recordOf('a', ['3'])]);
  t.true((next?.seq ?? 0) > (old?.seq ?? 0) + 1);
  await again.close();
  const third = await rig.open();
  const [last] = await third.append([recordOf('a', ['4'])]);
  t.is(last?.seq, (next?.seq ?? 0) + 1);
});

spoolTest('only the newest store that was set aside is kept', {}, async (t, rig) => {
  for (let round = 0; round < 4; round++) {
    const spool = await rig.open();
    await spool.append([recordOf('a', ['1'])]);
    await spool.close();
    await rm(join(rig.folder.dir, 'CURRENT'));
    await rig.clock.advance(1000);
  }
  await rig.open();
  t.is((await readdir(rig.folder.parent)).filter((name) => name.includes('.corrupt-')).length, 1);
});

spoolTest('a file where the folder should be: memory, and no crash', {}, async (t, rig) => {
  await writeFile(rig.folder.dir, 'not a folder');
  const spool = await rig.open();
  t.is(spool.state, 'memory');
  t.is(rig.log.at('error').length, 1);
  t.is((await spool.append([recordOf('a', ['1'])])).length, 1);
});

spoolTest('flipped bytes anywhere never crash it, and never give wrong messages', {}, async (t, rig) => {
  t.log(`seed ${SEED}`);
  const random = seededRandom(SEED);
  const spool = await rig.open();
  const appended = new Set<string>();
  for (let round = 0; round < 12; round++) {
    const record = bulk(`a${round}`, 40, 1000);
    for (const text of textsOf([{ seq: 0, records: [record] }])) appended.add(text);
    await spool.append([record]);
  }
  await spool.append([recordOf('b', ['last'])]);
  appended.add('b:last');
  await spool.flush();
  const names = (await readdir(await rig.folder.copy('sound'))).filter((name) =>
    /^(MANIFEST|CURRENT)|\.(log|ldb)$/.test(name),
  );
  t.true(names.some((name) => name.endsWith('.ldb')) && names.some((name) => name.endsWith('.log')));
  let told = 0;
  for (let round = 0; round < 40; round++) {
    const name = names[round % names.length] ?? '';
    const dir = await rig.folder.copy(`flipped-${round}/spool`);
    await flip(join(dir, name), random, 1 + Math.floor(random() * 3));
    const before = rig.dropped();
    const flipped = await rig.open({ dir });
    const texts = textsOf(await takeAll(flipped));
    for (const text of texts) if (!appended.has(text)) t.fail(`${name}: ${text.slice(0, 30)} was never appended`);
    t.is(new Set(texts).size, texts.length, 'nothing comes twice');
    t.is((await flipped.append([recordOf('c', ['new'])])).length, 1);
    t.is(textsOf(await takeAll(flipped)).length, 1, `${name}: it goes on`);
    t.is(flipped.state, 'disk');
    await flipped.close();
    told += rig.dropped() - before;
    await rm(join(dir, '..'), { recursive: true });
  }
  t.log(`${told} messages were told as unreadable`);
  t.true(told > 0);
});

spoolTest('whatever a damaged CURRENT says, the store is set aside and a new one begun', {}, async (t, rig) => {
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1'])]);
  await spool.flush();
  for (const [index, text] of ['', '\n', 'M\0NIFEST-000002\n', '../x\n', 'MANIFEST-000002', '.\n'].entries()) {
    const dir = await rig.folder.copy(`headless-${index}/spool`);
    await writeFile(join(dir, 'CURRENT'), text);
    const opened = await rig.open({ dir });
    t.is(opened.state, 'disk', JSON.stringify(text));
    t.truthy(rig.log.find('was set aside'));
    await opened.close();
  }
});

spoolTest('a damaged block is skipped and told, the others arrive', {}, async (t, rig) => {
  const spool = await rig.open();
  for (let round = 0; round < 12; round++) await spool.append([bulk(`a${round}`, 40, 1000)]);
  await spool.close();
  const table = (await readdir(rig.folder.dir)).filter((name) => name.endsWith('.ldb')).sort()[0] ?? '';
  const path = join(rig.folder.dir, table);
  const bytes = await readFile(path);
  bytes[60_000] = (bytes[60_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const again = await rig.open();
  const texts = textsOf(await takeAll(again));
  t.is(texts.length, 11 * 40);
  t.deepEqual(rig.drops, [': 40, unreadable in the spool']);
  await again.flush();
  t.is(again.messages, 11 * 40);
});

test('a disk that is really full: memory, and the disk again when there is room', async (t) => {
  const rig = await makeSpoolRig({ maxBytes: 8 * 1024 * 1024 });
  const mountPoint = join(rig.folder.parent, 'small');
  await mkdir(mountPoint);
  if (!mountSmall(mountPoint)) {
    t.log('mounting is not allowed here: not tried');
    t.pass();
    await rig.close();
    return;
  }
  try {
    const spool = await rig.open({ dir: join(mountPoint, 'spool') });
    await writeFile(join(mountPoint, 'ballast'), Buffer.alloc(3.5 * 1024 * 1024));
    for (let round = 0; round < 50; round++) await spool.append([bulk(`a${round}`, 60, 1000)]);
    t.is(spool.state, 'memory');
    t.is(spool.messages, 3000);
    t.is(rig.log.at('error').length, 1);
    t.regex(rig.log.at('error')[0]?.message ?? '', /No space left.*Is the disk full/);
    await pass(rig, MINUTE, spool);
    t.is(spool.state, 'memory', 'still full');
    await rm(join(mountPoint, 'ballast'));
    await pass(rig, MINUTE, spool);
    t.is(spool.state, 'disk');
    t.is(spool.messages, 3000);
    t.deepEqual(rig.drops, []);
    await spool.close();
    const texts = textsOf(await takeAll(await rig.open({ dir: join(mountPoint, 'spool') })));
    t.is(texts.length, 3000);
    t.deepEqual(
      [...new Set(texts.map((text) => text.split(':')[0]))],
      Array.from({ length: 50 }, (_, index) => `a${index}`),
    );
  } finally {
    await rig.close().catch(() => {});
    execFileSync('umount', ['-l', mountPoint]);
    await rig.folder.remove();
  }
});

function mountSmall(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function flip(path: string, random: () => number, count: number): Promise<void> {
  const bytes = await readFile(path);
  for (let i = 0; i < count; i++) {
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  await writeFile(path, bytes);
}
