// A disk that does not answer, beside a broker that does: what goes on without it.

import test from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import type { StoredBlock } from '../../src/spool/store.js';
import { UplinkRig } from '../support/uplink-rig.js';

/** Never answers to a write, or not until it is told to. */
class HangingDisk extends MemoryStore {
  answer: () => void = () => {};
  #answered: Promise<void> | undefined;

  constructor() {
    super();
    this.hang();
  }

  /** From now on, until `answer`. */
  hang(): void {
    this.#answered = new Promise((resolve) => (this.answer = resolve));
  }

  override async append(blocks: readonly StoredBlock[]): Promise<void> {
    await this.#answered;
    await super.append(blocks);
  }

  override async close(): Promise<void> {}
}

async function readTen(rig: UplinkRig, from = 0): Promise<void> {
  for (let n = from; n < from + 10; n += 1) {
    rig.read('scale', `${n}`);
    await rig.clock.advance(1000);
  }
}

function arrived(rig: UplinkRig): number[] {
  return rig.session.on('base/scale').map(Number);
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

for (const [replay_order, count] of [
  ['live-first', 10],
  ['in-order', 0],
] as const) {
  test(`${replay_order}: with a disk that is never open ${count} of 10 readings arrive`, async (t) => {
    const openStore = (): Promise<never> => new Promise(() => {});
    const rig = await UplinkRig.start(t, {}, { spool: { replay_order, openStore, hasFolder: async () => true } });
    await readTen(rig);
    t.deepEqual(arrived(rig), upTo(count));
  });
}

test('live-first: a disk that opens late holds nothing up, and what it has comes then', async (t) => {
  const disk = Object.assign(new MemoryStore(), { close: async () => {} });
  const before = await UplinkRig.start(t, 'away', { spool: { openStore: async () => disk } });
  before.read('scale', '100', '101');
  await before.clock.advance(1000);
  let open: (() => void) | undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  const spool = {
    replay_order: 'live-first',
    openStore: () => isOpen.then(() => disk),
    hasFolder: async () => true,
  } as const;
  const rig = await UplinkRig.start(t, {}, { spool });
  await readTen(rig);
  t.deepEqual(arrived(rig), upTo(10));
  open?.();
  await readTen(rig, 10);
  t.deepEqual(arrived(rig), [...upTo(10), 100, 101, ...upTo(10, 10)]);
});

test('live-first: a write that hangs while the broker comes back holds new readings up for some seconds only', async (t) => {
  const disk = new HangingDisk();
  const spool = { replay_order: 'live-first', openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, 'away', { spool });
  rig.read('scale', '100');
  await rig.clock.advance(1000);
  await rig.comeBack();
  await readTen(rig);
  t.deepEqual(arrived(rig), upTo(10));
  disk.answer();
  await rig.clock.advance(1000);
  t.deepEqual(arrived(rig), [...upTo(10), 100]);
});

/** Does not answer to reads from a moment on. */
class UnreadableDisk extends MemoryStore {
  hangs = false;

  override async read(seq: number): Promise<StoredBlock | undefined> {
    return this.hangs ? new Promise(() => {}) : super.read(seq);
  }

  override async close(): Promise<void> {}
}

test('live-first: a small backlog that cannot be read holds new readings up for some seconds only', async (t) => {
  const disk = new UnreadableDisk();
  const spool = { replay_order: 'live-first', openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, 'away', { spool });
  rig.read('scale', '100');
  await rig.clock.advance(1000);
  disk.hangs = true;
  await rig.comeBack();
  await readTen(rig);
  t.deepEqual(arrived(rig), upTo(9, 1), 'the first is on its way to the disk');
});

test('live-first: a write that begins to hang while a small backlog is sent holds new readings up for some seconds only', async (t) => {
  const disk = new HangingDisk();
  disk.answer();
  const spool = { replay_order: 'live-first', openStore: async () => disk } as const;
  const rig = await UplinkRig.start(t, 'away', { spool });
  await rig.feed('scale', 100, 100);
  await rig.clock.advance(1000);
  await rig.comeBack({ holdsAcks: true, receiveMaximum: 1 });
  rig.session.ackAll();
  await rig.clock.settle();
  disk.hang();
  rig.read('scale', '0');
  await rig.clock.advance(2000);
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await readTen(rig, 1);
  await readTen(rig, 11);
  const isNew = (number: number): boolean => number < 100;
  t.deepEqual(arrived(rig).filter(isNew), upTo(20, 1), 'the first is on its way to the disk');
  disk.answer();
  await rig.clock.advance(1000);
  t.deepEqual(
    arrived(rig).filter((number) => !isNew(number)),
    upTo(100, 100),
  );
  t.is(arrived(rig).at(-1), 0);
});
