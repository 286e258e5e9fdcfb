import { MemoryStore } from '../../src/spool/memory-store.js';
import { Spool } from '../../src/spool/spool.js';
import { bulk, READ_AT, recordOf, textsOf } from '../support/spool-records.js';
import { takeAll } from '../support/spool-rig.js';
import { spoolTest } from '../support/spool-test.js';

const MIB = 1024 * 1024;

spoolTest('blocks come back oldest first, with all that belongs to a message', {}, async (t, rig) => {
  const spool = await rig.open();
  const letter = { ...recordOf('gate', ['?']), what: 'dead-letter' as const, qos: 0 as const, retain: true, at: 17 };
  await spool.append([recordOf('scale', ['1', '2'])]);
  await spool.append([letter, recordOf('scale', ['3'])]);
  const blocks = await takeAll(spool);
  t.deepEqual(textsOf(blocks), ['scale:1', 'scale:2', 'gate:?', 'scale:3']);
  t.deepEqual(
    blocks.map(({ seq }) => seq),
    [1, 3],
  );
  t.like(blocks[1]?.records[0], { what: 'dead-letter', device: 'gate', qos: 0, retain: true, at: 17 });
  t.is(spool.messages, 4);
});

spoolTest('an append waits until the spool is open', {}, async (t, rig) => {
  const { clock, log, folder } = rig;
  const spool = new Spool({
    ...{ clock, log, dir: folder.dir, maxBytes: MIB, whenFull: 'reject', maxAgeMs: 0, sync: false },
    onDrop: () => t.fail(),
  });
  t.is(spool.state, 'idle');
  const appended = spool.append([recordOf('scale', ['1'])]);
  await clock.settle();
  t.is(spool.messages, 0);
  await spool.open();
  t.is((await appended).length, 1);
  t.is(spool.state, 'disk');
  await spool.close();
});

spoolTest('records become blocks of at most 64 KiB, a larger message one of its own', {}, async (t, rig) => {
  const spool = await rig.open();
  const kept = await spool.append([bulk('a', 300, 1000), recordOf('b', ['x'.repeat(200_000), 'y']), bulk('c', 3, 10)]);
  const sizes = kept.map(({ records }) => textsOf([{ seq: 0, records }]).reduce((sum, text) => sum + text.length, 0));
  t.is(kept.length, 7);
  t.is(sizes.filter((size) => size > 66_000).length, 1);
  t.is(textsOf(kept).length, 305);
  t.deepEqual(textsOf(await takeAll(spool)), textsOf(kept));
});

spoolTest('what is done is removed together, at most 100 ms later', {}, async (t, rig) => {
  const spool = await rig.open();
  const blocks = [await spool.append([recordOf('a', ['1'])]), await spool.append([recordOf('a', ['2', '3'])])].flat();
  await takeAll(spool);
  for (const { seq } of blocks) spool.done(seq);
  t.is(spool.messages, 0, 'it is not counted any more');
  const before = await rig.folder.copy('before');
  await rig.clock.advance(100);
  await spool.flush();
  const after = await rig.folder.copy('after');
  t.is((await rig.open({ dir: before })).messages, 3);
  t.is((await rig.open({ dir: after })).messages, 0);
});

spoolTest('what is not done comes again after a rewind and after a restart', {}, async (t, rig) => {
  const spool = await rig.open();
  for (const text of ['1', '2', '3']) await spool.append([recordOf('a', [text])]);
  const blocks = await takeAll(spool);
  spool.done(blocks[1]?.seq ?? 0);
  t.false(spool.hasMore);
  spool.rewind();
  t.true(spool.hasMore);
  t.deepEqual(textsOf(await takeAll(spool)), ['a:1', 'a:3']);
  await spool.close();
  t.is(spool.state, 'closed');
  t.deepEqual(textsOf(await takeAll(await rig.open())), ['a:1', 'a:3']);
});

spoolTest('messages that are trimmed do not come twice, and the others keep their numbers', {}, async (t, rig) => {
  const spool = await rig.open();
  await spool.append([recordOf('a', ['1', '2']), recordOf('b', ['3', '4'])]);
  const [block] = await takeAll(spool);
  spool.trim(block?.seq ?? 0, 1);
  spool.trim(block?.seq ?? 0, 3);
  await spool.close();
  const again = await rig.open();
  t.is(again.messages, 1);
  const [rest] = await takeAll(again);
  t.deepEqual(textsOf(rest === undefined ? [] : [rest]), ['b:4']);
  t.is(rest?.seq, (block?.seq ?? 0) + 3);
});

spoolTest(
  'a block whose first messages were taken off while it was out goes when it is done, under its old number',
  {},
  async (t, rig) => {
    const spool = await rig.open();
    await spool.append([recordOf('a', ['1', '2', '3', '4'])]);
    const [block] = await takeAll(spool);
    spool.trim(block?.seq ?? 0, 2);
    await spool.flush();
    t.is(spool.messages, 2);
    spool.trim(block?.seq ?? 0, 3);
    await spool.flush();
    t.is(spool.messages, 1);
    spool.done(block?.seq ?? 0);
    await spool.flush();
    t.is(spool.messages, 0);
    spool.rewind();
    t.deepEqual(await takeAll(spool), [], 'the broker has all of it');
    await spool.close();
    t.is((await rig.open()).messages, 0);
  },
);

spoolTest('numbers go on after a restart, also from an empty spool', {}, async (t, rig) => {
  const spool = await rig.open();
  const [first] = await spool.append([recordOf('a', ['1', '2', '3'])], { isHandedOut: true });
  t.false(spool.hasMore, 'its sender has it');
  spool.done(first?.seq ?? 0);
  await spool.close();
  const again = await rig.open();
  t.is(again.messages, 0);
  const [next] = await again.append([recordOf('a', ['4'])]);
  t.is(next?.seq, 4);
});

spoolTest('drop-oldest: what is oldest gives way, and is counted per device', { maxBytes: MIB }, async (t, rig) => {
  const spool = await rig.open();
  let appended = 0;
  for (let round = 0; round < 40; round++) {
    await spool.append([bulk('a', 30, 1000), bulk('b', 10, 1000)]);
    appended += 40;
  }
  const left = textsOf(await takeAll(spool));
  t.is(left.length + rig.dropped(), appended);
  t.is(spool.messages, left.length);
  const droppedOf = (name: string): number =>
    40 * (name === 'a' ? 30 : 10) - left.filter((text) => text.startsWith(name)).length;
  for (const name of ['a', 'b']) {
    const told = rig.drops
      .filter((drop) => drop.startsWith(`${name}:`))
      .map((drop) => Number(/: (\d+),/.exec(drop)?.[1]));
    t.is(
      told.reduce((sum, count) => sum + count, 0),
      droppedOf(name),
    );
  }
  t.true(rig.drops.every((drop) => drop.includes('gave way to what is newer')));
});

spoolTest('drop-oldest: what is handed out stays', { maxBytes: MIB }, async (t, rig) => {
  const spool = await rig.open();
  await spool.append([bulk('first', 40, 1000)]);
  const first = await spool.next();
  for (let round = 0; round < 40; round++) await spool.append([bulk('a', 40, 1000)]);
  t.true(rig.drops.length > 0);
  t.false(rig.drops.some((drop) => drop.startsWith('first')));
  spool.rewind();
  t.is((await spool.next())?.seq, first?.seq);
});

for (const whenFull of ['drop-newest', 'reject'] as const) {
  spoolTest(`${whenFull}: what is there stays, what is new is told`, { maxBytes: MIB, whenFull }, async (t, rig) => {
    const spool = await rig.open();
    let kept = 0;
    for (let round = 0; round < 30; round++) kept += (await spool.append([bulk(`a${round}`, 40, 1000)])).length;
    t.true(kept > 10 && kept < 30);
    t.is(spool.isFull, whenFull === 'reject');
    t.is(rig.dropped(), (30 - kept) * 40);
    t.true(rig.drops.every((drop) => drop.endsWith('the spool was full')));
    const blocks = await takeAll(spool);
    t.is(textsOf(blocks)[0]?.slice(0, 3), 'a0:');
    for (const { seq } of blocks) spool.done(seq);
    await spool.flush();
    t.false(spool.isFull, 'room is there again');
    t.is((await spool.append([bulk('a', 40, 1000)])).length, 1);
  });
}

spoolTest(
  'reject: there is room again as soon as a share of it has been sent',
  { maxBytes: 2 * MIB, whenFull: 'reject' },
  async (t, rig) => {
    const spool = await rig.open();
    while (!spool.isFull) await spool.append([bulk('a', 60, 1000)]);
    t.is(rig.dropped(), 0);
    let sent = 0;
    while (spool.isFull) {
      const block = await spool.next();
      spool.done(block?.seq ?? 0);
      await spool.flush();
      sent += 1;
    }
    t.true(sent < 10, `${sent} blocks had to be sent`);
  },
);

spoolTest('a message that is larger than the spool is told', { maxBytes: MIB }, async (t, rig) => {
  const spool = await rig.open();
  const kept = await spool.append([recordOf('a', ['1']), recordOf('a', ['x'.repeat(MIB)]), recordOf('a', ['2'])]);
  t.deepEqual(textsOf(kept), ['a:1', 'a:2']);
  t.deepEqual(rig.drops, ['a: 1, larger than the whole spool']);
});

spoolTest('what is older than max_age is not sent, and told', { maxAgeMs: 60_000 }, async (t, rig) => {
  const spool = await rig.open();
  await spool.append([recordOf('old', ['1', '2'])]);
  await rig.clock.advance(59_000);
  await spool.append([recordOf('mixed', ['3'], READ_AT), recordOf('mixed', ['4'], rig.clock.wall())]);
  await spool.append([recordOf('unset', ['5'], 1000)]);
  await rig.clock.advance(2000);
  t.deepEqual(
    textsOf(await takeAll(spool)),
    ['mixed:3', 'mixed:4', 'unset:5'],
    'a clock that was not set proves nothing',
  );
  t.deepEqual(rig.drops, ['old: 2, older than spool.max_age']);
  await spool.flush();
  t.is(spool.messages, 3);
});

spoolTest(
  'where there is no room, what is too old goes first',
  { maxAgeMs: 60_000, maxBytes: MIB, whenFull: 'drop-newest' },
  async (t, rig) => {
    const spool = await rig.open();
    for (let round = 0; round < 20; round++) await spool.append([bulk('old', 40, 1000)]);
    const refused = rig.dropped();
    await rig.clock.advance(61_000);
    t.is((await spool.append([bulk('new', 40, 1000, rig.clock.wall())])).length, 1);
    t.is(rig.dropped(), 20 * 40);
    t.true(refused < 20 * 40);
    t.is(spool.messages, 40);
  },
);

spoolTest('the folder stays within its bound under endless appending', {}, async (t, rig) => {
  const maxBytes = 8 * MIB;
  const spool = await rig.open({ maxBytes });
  let isRunning = true;
  let most = 0;
  const watching = (async () => {
    while (isRunning) most = Math.max(most, await spool.usage());
  })();
  for (let round = 0; round < 700; round++) await spool.append([bulk('a', 60, 1000)]);
  isRunning = false;
  await watching;
  t.log(`at most ${most} bytes on the disk, ${spool.bytes} kept of ${maxBytes}`);
  t.true(most <= maxBytes, `${most} bytes`);
  t.true(spool.bytes > maxBytes * 0.6, `only ${spool.bytes} are kept`);
  t.is(spool.messages + rig.dropped(), 700 * 60);
});

spoolTest('the folder stays within its bound while blocks are appended, sent and removed', {}, async (t, rig) => {
  const maxBytes = 2 * MIB;
  const spool = await rig.open({ maxBytes });
  let most = 0;
  for (let round = 0; round < 300; round++) {
    await spool.append([bulk('a', 30, 1000)]);
    const block = round % 3 === 0 ? undefined : await spool.next();
    if (block !== undefined) spool.done(block.seq);
    await spool.flush();
    most = Math.max(most, await spool.usage());
  }
  t.log(`at most ${most} bytes on the disk`);
  t.true(most <= maxBytes, `${most} bytes`);
});

spoolTest(
  'too small a bound for a disk keeps messages in memory, and says so',
  { maxBytes: 256 * 1024 },
  async (t, rig) => {
    const spool = await rig.open();
    t.is(spool.state, 'memory');
    t.truthy(rig.log.find('below 1 MiB'));
    for (let round = 0; round < 10; round++) await spool.append([bulk('a', 40, 1000)]);
    t.true(spool.bytes <= 256 * 1024 && spool.bytes > 150_000);
    t.is(spool.messages + rig.dropped(), 400);
    await spool.close();
    t.is(rig.dropped(), 400, 'nothing outlives the process');
  },
);

spoolTest('after the close an append is told as dropped, and no timer is left', {}, async (t, rig) => {
  const spool = await rig.open();
  const [block] = await spool.append([recordOf('a', ['1'])], { isHandedOut: true });
  spool.done(block?.seq ?? 0);
  await Promise.all([spool.close(), spool.close()]);
  t.deepEqual(await spool.append([recordOf('a', ['2'])]), []);
  t.deepEqual(rig.drops, ['a: 1, the spool was closed']);
  t.is(rig.clock.pending, 0);
});

spoolTest(
  'reject: what was filled and sent has all its room again, also for the next time that the broker is away',
  { maxBytes: 8 * MIB, whenFull: 'reject' },
  async (t, rig) => {
    const spool = await rig.open();
    const fill = async (): Promise<number> => {
      let blocks = 0;
      for (; spool.hasRoomFor(64 * 1024); blocks += 1) await spool.append([bulk('scale', 400, 128)]);
      return blocks;
    };
    const first = await fill();
    for (const { seq } of await takeAll(spool)) spool.done(seq);
    await spool.flush();
    const second = await fill();
    t.true(second > 0.9 * first, `${first} blocks the first time, ${second} the second`);
    t.is(rig.dropped(), 0);
  },
);

spoolTest('a store whose opening ends after the close is closed again', {}, async (t, rig) => {
  const { clock, log, folder } = rig;
  let open: ((store: MemoryStore) => void) | undefined;
  const openStore = (): Promise<MemoryStore> => new Promise((resolve) => (open = resolve));
  const spool = new Spool({
    ...{ clock, log, dir: folder.dir, maxBytes: MIB, whenFull: 'drop-oldest', maxAgeMs: 0, sync: false },
    ...{ onDrop: () => t.fail(), openStore },
  });
  const opening = spool.open();
  await spool.close();
  const store = new MemoryStore();
  open?.(store);
  await opening;
  await t.throwsAsync(store.read(0), { message: /closed/ });
});
