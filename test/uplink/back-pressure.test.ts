// Whom the send thread makes wait, and for how long.

import test from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import { UplinkRig } from '../support/uplink-rig.js';

/** Takes on the disk what it holds. */
class Disk extends MemoryStore {
  override async usage(): Promise<number> {
    return this.totals.bytes;
  }

  override async close(): Promise<void> {}
}

/** 100 readings of 1 KiB a second, for a minute; gives how many were taken. */
async function aMinute(rig: UplinkRig, from = 0): Promise<number> {
  let taken = 0;
  for (let second = 0; second < 60; second += 1) {
    taken += await rig.feed('scale', from + taken, 100);
    await rig.clock.advance(1000);
  }
  return taken;
}

function arrived(rig: UplinkRig): number[] {
  return rig.session.on('base/scale').map(Number);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

test('however long readings gather before they are written, a flood while the broker is away waits for a second at most', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { write_interval: 600_000 } });
  const taken = await rig.feed('scale', 0, 5000);
  t.true(taken > 500 && taken < 1000, `${taken} KiB in a brief absence`);
  t.is(rig.store.totals.messages, 0);
  await rig.clock.advance(1000);
  t.true(rig.store.totals.messages > 300, 'what there is has been written');
  t.is(await rig.feed('scale', taken, 5000), 5000, 'nobody has to wait any more');
});

test('a trickle gathers until there is enough for a write, however long readings may gather', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { write_interval: 600_000 } });
  await rig.feed('scale', 0, 100);
  await rig.clock.advance(300_000);
  t.is(rig.store.totals.blocks, 0);
  t.is(await rig.feed('scale', 100, 1000), 1000, 'nobody has to wait');
  t.true(rig.store.totals.messages > 500);
});

test('readings that gather for less than a second in a flood are written then', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { write_interval: 100 } });
  const taken = await rig.feed('scale', 0, 5000);
  t.true(taken < 1000);
  await rig.clock.advance(100);
  t.is(await rig.feed('scale', taken, 1000), 1000);
});

for (const mode of ['offline', 'always'] as const) {
  test(`${mode}, when_full: reject: the devices wait for a full disk, nothing is dropped, and they go on when there is room`, async (t) => {
    const openStore = async (): Promise<Disk> => disk;
    const disk = new Disk();
    const spool = { mode, whenFull: 'reject', maxBytes: 2 * 1024 ** 2, openStore } as const;
    const rig = await UplinkRig.start(t, 'away', { spool });
    const taken = await aMinute(rig);
    t.true(taken > 1500 && taken < 3000, `${taken} KiB taken`);
    t.is(rig.uplink.dropped('scale'), 0);
    t.is(await rig.feed('scale', taken, 1), 0, 'they still wait');
    await rig.comeBack();
    await rig.clock.advance(1000);
    t.is(await rig.feed('scale', taken, 500), 500);
    await rig.clock.advance(2000);
    t.deepEqual(arrived(rig), upTo(taken + 500));
    t.is(rig.uplink.dropped('scale'), 0);
  });
}

test('always, when_full: reject: with a disk that is full from before the devices wait from the start', async (t) => {
  const disk = new Disk();
  const spool = { mode: 'always', whenFull: 'reject', maxBytes: 2 * 1024 ** 2 } as const;
  const before = await UplinkRig.start(t, 'away', { spool: { ...spool, openStore: async () => disk } });
  await aMinute(before);
  let open: (() => void) | undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  const later = { openStore: () => isOpen.then(() => disk), hasFolder: async () => true };
  const rig = await UplinkRig.start(t, 'away', { spool: { ...spool, ...later } });
  await rig.feed('scale', 0, 100);
  open?.();
  await rig.clock.advance(5000);
  t.is(rig.uplink.dropped('scale'), 0);
});

test('always, when_full: reject: the end does not wait for room on a full disk, and what does not fit is named', async (t) => {
  const disk = new Disk();
  const spool = { mode: 'always', whenFull: 'reject', maxBytes: 2 * 1024 ** 2, openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, 'away', { spool });
  const taken = await aMinute(rig);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(2000);
  t.true((await report).clean);
  const lost = rig.uplink.leftovers().get('scale') ?? 0;
  t.is(lost + disk.totals.messages, taken);
});

test('always, when_full: reject: a gateway that ends takes what its devices still have beside a full disk, and names what nobody takes', async (t) => {
  const disk = new Disk();
  const spool = { mode: 'always', whenFull: 'reject', maxBytes: 2 * 1024 ** 2, openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, 'away', { spool });
  const taken = await aMinute(rig);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  await rig.clock.advance(2700);
  t.is(await rig.feed('scale', taken, 50), 0, 'the disk may still have room in time');
  await rig.clock.advance(200);
  t.is(await rig.feed('scale', taken, 50), 50);
  const report = rig.registry.shutdown(5000, 'test');
  await rig.clock.advance(5000);
  t.true((await report).clean);
  t.is((rig.uplink.leftovers().get('scale') ?? 0) + disk.totals.messages, taken + 50);
});

test('always, when_full: reject: what an ending gateway has no room for on the disk still goes to a slow broker, in order', async (t) => {
  const disk = new Disk();
  const spool = { mode: 'always', whenFull: 'reject', maxBytes: 1024 ** 2, openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool });
  const taken = await aMinute(rig);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  await rig.clock.advance(2900);
  t.is(await rig.feed('scale', taken, 500), 500);
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await rig.clock.advance(100);
  const report = rig.registry.shutdown(5000, 'test');
  await rig.clock.advance(5000);
  t.true((await report).clean);
  t.deepEqual(arrived(rig), upTo(taken + 500));
  t.is(rig.uplink.leftovers().size, 0);
});

test('a watched line on a connection that hangs pushes no answers out, and what it loses is not counted', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.isStalled = true;
  const bytes = Buffer.alloc(40, 'x');
  for (let n = 0; n < 8000; n += 1) {
    rig.uplink.relay.offer({ kind: 'tap', device: 'scale', direction: 'in', bytes, at: 0, dropped: 0 });
    if (n % 50 === 0) await rig.clock.settle();
  }
  for (let n = 0; n < 15; n += 1) {
    rig.uplink.relay.offer({ kind: 'response', device: 'scale', status: 'ok', transaction: `${n}` });
  }
  await rig.clock.advance(10);
  t.is(rig.uplink.dropped('scale'), 0);
  t.falsy(rig.log.find('being dropped'));
  await rig.lose();
  await rig.comeBack();
  await rig.clock.advance(1000);
  t.is(rig.session.on('base/scale/response').length, 15);
});
