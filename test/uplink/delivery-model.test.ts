// The send thread with the real spool over a store in memory, through anything that may befall it: sessions that come and go,
// brokers that stall, replay beside live readings, gateways that are ended or crash and start again over the same store.
// Whatever the order of these, each reading arrives, or is told as lost; live ones in order, kept ones in order.

import test from 'ava';
import { sleep } from '../../src/core/clock.js';
import { MemoryStore } from '../../src/spool/memory-store.js';
import type { SpoolOptions } from '../../src/spool/spool.js';
import type { BlockRef, Store, StoredBlock } from '../../src/spool/store.js';
import type { SpoolSettings } from '../../src/uplink/spool-settings.js';
import type { FakeSession } from '../support/fake-session.js';
import { fc } from '../support/properties.js';
import { type Meets, UplinkRig } from '../support/uplink-rig.js';

const DEVICES = ['scale', 'cell'] as const;
const READING_BYTES = 2048;
const MAX_AWAY_MS = 2500;
/** Most messages on their way at once. */
const WINDOW = 512;
/** Long enough for whatever waits: backoff, write_interval, the opening of the disk. */
const LONG_MS = 30_000;
const TURNS = 100;

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      device: fc.constantFrom(...DEVICES),
      count: fc.integer({ min: 1, max: 200 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ack' as const), count: fc.integer({ min: 1, max: 150 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: MAX_AWAY_MS }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'lose' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('come back' as const), receiveMaximum: fc.constantFrom(3, 50, 65_535) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ kind: 'stall' as const }, { kind: 'drain' as const }, { kind: 'flow' as const }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'end' as const }, { kind: 'crash' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const settings = fc.record({
  mode: fc.constantFrom('offline' as const, 'always' as const),
  replay_order: fc.constantFrom('live-first' as const, 'in-order' as const),
  replay_rate: fc.constantFrom(20, 100, 5000),
  write_interval: fc.constantFrom(10, 1000, 5000),
  maxBytes: fc.constantFrom(1024 ** 2, 64 * 1024 ** 2),
  /** How long the disk takes to open, and for each write. */
  openMs: fc.constantFrom(0, 300),
  writeMs: fc.constantFrom(0, 0, 600),
  whenFull: fc.constantFrom('drop-oldest' as const, 'drop-newest' as const, 'reject' as const),
});
type Settings = SpoolSettings &
  Pick<SpoolOptions, 'maxBytes' | 'whenFull'> & {
    readonly openMs: number;
    readonly writeMs: number;
  };

/** What stands for the disk, as one gateway has it open: closing it forgets nothing, and it takes as much room as it holds. */
class OpenDisk implements Store {
  readonly lost = 0;
  readonly #disk: MemoryStore;
  readonly #write: () => Promise<unknown>;
  #isCut = false;

  /** `write` resolves when a write has taken its time. */
  constructor(disk: MemoryStore, write: () => Promise<unknown>) {
    this.#disk = disk;
    this.#write = write;
  }

  /** Its gateway has crashed: what it still asks for never happens. */
  cut(): void {
    this.#isCut = true;
  }

  get totals() {
    return this.#disk.totals;
  }

  get nextSeq() {
    return this.#disk.nextSeq;
  }

  append = (blocks: readonly StoredBlock[]) =>
    this.#do(() => this.#write().then(() => this.#do(() => this.#disk.append(blocks))));
  read = (seq: number) => this.#do(() => this.#disk.read(seq));
  remove = (blocks: readonly BlockRef[]) => this.#do(() => this.#disk.remove(blocks));
  replace = (block: BlockRef, by: StoredBlock) => this.#do(() => this.#disk.replace(block, by));
  reclaim = () => this.#do(() => this.#disk.reclaim());
  recount = () => this.#do(() => this.#disk.recount());
  usage = () => this.#do(async () => this.#disk.totals.bytes);
  close = () => this.#do(async () => {});

  #do<T>(run: () => Promise<T>): Promise<T> {
    return this.#isCut ? new Promise(() => {}) : run();
  }
}

interface Arrival {
  readonly number: number;
  readonly isKept: boolean;
}

/** One run: gateways one after the other over the same store. */
class World {
  readonly rigs: UplinkRig[] = [];
  readonly read = new Map<string, number>(DEVICES.map((device) => [device, 0]));
  /** What a crash took that was in memory only. */
  crashLoss = 0;
  crashes = 0;
  /** What went wrong on the way. */
  readonly faults: string[] = [];
  readonly #settings: Settings;
  readonly #disk = new MemoryStore();
  #open: OpenDisk | undefined;

  constructor(spool: Settings) {
    this.#settings = spool;
  }

  get rig(): UplinkRig {
    return this.rigs.at(-1) as UplinkRig; // `start` is called first
  }

  get sessions(): FakeSession[] {
    return this.rigs.flatMap(({ sessions }) => sessions);
  }

  async start(broker: Meets): Promise<void> {
    const { openMs, writeMs } = this.#settings;
    const open = new OpenDisk(this.#disk, async () => writeMs > 0 && sleep(rig.clock, writeMs));
    this.#open = open;
    const openStore = async (): Promise<Store> => {
      if (openMs > 0) await sleep(rig.clock, openMs);
      return open;
    };
    const rig = new UplinkRig({ spool: { ...this.#settings, openStore, hasFolder: async () => true } });
    rig.broker = broker;
    for (const device of DEVICES) rig.uplink.addDevice(device);
    this.rigs.push(rig);
    rig.uplink.start();
    await rig.clock.settle();
  }

  async run(action: Step): Promise<void> {
    const { rig } = this;
    const { isOnline } = rig.uplink;
    switch (action.kind) {
      case 'read':
        return this.#feed(action.device, action.count);
      case 'wait':
        return rig.clock.advance(action.ms);
      case 'lose':
        return isOnline ? rig.lose('away') : undefined;
      case 'come back':
        if (!isOnline) await rig.comeBack({ holdsAcks: true, rests: true, receiveMaximum: action.receiveMaximum });
        return;
      case 'end':
      case 'crash':
        return this.#restart(action.kind);
      default:
        if (isOnline) this.#behave(action, rig.session);
        return rig.clock.settle();
    }
  }

  /** The broker is there and acknowledges all. */
  async settle(): Promise<void> {
    const { rig } = this;
    if (rig.uplink.isOnline) await rig.lose('away');
    await rig.comeBack({ rests: true });
    await rig.clock.advance(LONG_MS); // until the spool has been opened nothing seems to be in it
    for (let turn = 0; turn < TURNS && this.#isBusy; turn += 1) await rig.clock.advance(LONG_MS);
    await rig.clock.advance(LONG_MS);
  }

  get #isBusy(): boolean {
    const { queuedBytes, spoolMessages } = this.rig.uplink.group.view().counters;
    return queuedBytes !== 0 || spoolMessages !== 0;
  }

  /** Messages told as lost. */
  dropped(): number {
    const names = [...DEVICES, 'bridge'];
    return this.rigs.reduce((sum, { uplink }) => sum + names.reduce((of, name) => of + uplink.dropped(name), 0), 0);
  }

  /** The readings of a device as they arrived; kept ones are marked as historical. */
  arrived(device: string): Arrival[] {
    return this.sessions.flatMap(({ published }) =>
      published
        .filter(({ topic }) => topic === `base/${device}`)
        .map(({ payload, properties }) => ({
          number: Number(payload),
          isKept: properties?.userProperties?.historical === 'true',
        })),
    );
  }

  #behave(action: Extract<Step, { kind: 'ack' | 'stall' | 'drain' | 'flow' }>, session: FakeSession): void {
    switch (action.kind) {
      case 'ack':
        session.ack(action.count);
        break;
      case 'stall':
        session.behaviour.isStalled = true;
        break;
      case 'drain':
        session.drain();
        break;
      case 'flow':
        session.behaviour.isStalled = false;
        session.behaviour.holdsAcks = false;
        session.drain();
        session.ackAll();
    }
  }

  async #feed(device: string, count: number): Promise<void> {
    const from = this.read.get(device) ?? 0;
    let taken = 0;
    for (; taken < count; taken += 1) {
      const text = `${from + taken}`.padEnd(READING_BYTES);
      if (this.rig.read(device, text) === 'taken') continue;
      await this.rig.clock.settle(); // the send thread may only have had no turn yet
      if (this.rig.read(device, text) === 'full') break;
    }
    this.read.set(device, from + taken);
    await this.rig.clock.settle();
  }

  async #restart(how: 'end' | 'crash'): Promise<void> {
    const { rig } = this;
    if (how === 'crash') {
      this.crashes += 1;
      this.#open?.cut();
      rig.uplink.group.cleanup();
      for (const count of rig.uplink.leftovers().values()) this.crashLoss += count;
      if (rig.uplink.isOnline) rig.session.destroy();
    } else {
      rig.uplink.finishBy(rig.clock.now() + 5000, 1000);
      const report = rig.registry.shutdown(8000, 'test');
      await rig.clock.advance(8000);
      const { clean } = await report;
      if (!clean) this.faults.push('the end was not clean');
      if (rig.clock.pending > 0) this.faults.push(`${rig.clock.pending} timers were left`);
    }
    await this.start('away');
  }
}

/** First arrivals only: after a crash the disk has, and sends, what had arrived just before, be it live or kept. */
function once(arrivals: readonly Arrival[]): Arrival[] {
  const seen = new Set<number>();
  return arrivals.filter(({ number }) => !seen.has(number) && seen.add(number));
}

function isRising(arrivals: readonly Arrival[]): boolean {
  return arrivals.every(({ number }, i) => i === 0 || number > (arrivals[i - 1] as Arrival).number);
}

/** Live ones in order and kept ones in order; or all of them. */
function disorderOf(device: string, arrivals: readonly Arrival[], order: Settings['replay_order']): string[] {
  if (order === 'in-order') return isRising(arrivals) ? [] : [`${device}: out of order`];
  return [true, false].flatMap((isKept) => {
    const some = arrivals.filter((arrival) => arrival.isKept === isKept);
    return isRising(some) ? [] : [`${device}, ${isKept ? 'kept' : 'live'}: ${some.map(({ number }) => number)}`];
  });
}

/** What is wrong with what arrived, in words. */
function faultsOf(world: World, { replay_order }: Settings): string[] {
  const faults: string[] = [];
  let [missing, doubled] = [0, 0];
  for (const device of DEVICES) {
    const all = world.arrived(device);
    const first = once(all);
    faults.push(...disorderOf(device, first, replay_order));
    missing += (world.read.get(device) ?? 0) - first.length;
    doubled += all.length - first.length;
  }
  const most = WINDOW * (world.sessions.length - 1);
  if (doubled > most && world.crashes === 0) faults.push(`${doubled} came twice, ${most} may have been on their way`);
  const told = world.dropped();
  if (missing > told + world.crashLoss) {
    faults.push(`${missing} are missing, ${told} were told, ${world.crashLoss} were in memory at a crash`);
  }
  const left = [...world.rig.uplink.leftovers().values()];
  if (left.length > 0) faults.push(`left over: ${left}`);
  const { queuedBytes, spoolMessages } = world.rig.uplink.group.view().counters;
  if (queuedBytes !== 0 || spoolMessages !== 0)
    faults.push(`${queuedBytes} bytes queued, ${spoolMessages} in the spool`);
  return faults;
}

test('any sequence of absence, spill, replay, loss, stall, restart: each reading arrives or is told, each stream in order', async (t) => {
  t.timeout(120_000);
  const whatever = fc.assert(
    fc.asyncProperty(settings, fc.array(step, { minLength: 10, maxLength: 60 }), async (spool, steps) => {
      const world = new World(spool);
      await world.start({ holdsAcks: true });
      for (const action of steps) await world.run(action);
      await world.settle();
      const faults = [...world.faults, ...faultsOf(world, spool)];
      for (const rig of world.rigs) rig.uplink.group.cleanup();
      if (faults.length > 0) throw new Error(faults.join('\n')); // fast-check then looks for the shortest way there
    }),
    { includeErrorInReport: true, numRuns: 100 },
  );
  await t.notThrowsAsync(whatever);
});
