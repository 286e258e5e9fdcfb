// The spool against a plain list: whatever is appended, handed out, done, trimmed, rewound, dropped, reopened or left behind
// by a crash, each message is in one place, in order, and every drop is told.

import assert from 'node:assert/strict';
import test from 'ava';
import { silentLog } from '../../src/core/log.js';
import type { SpoolBlock } from '../../src/spool/record.js';
import { Spool, type SpoolOptions } from '../../src/spool/spool.js';
import { failingStores } from '../support/failing-store.js';
import { FakeClock } from '../support/fake-clock.js';
import { fc } from '../support/properties.js';
import { makeSpoolFolder, type SpoolFolder } from '../support/spool-folder.js';
import { recordOf, textsOf } from '../support/spool-records.js';

interface ModelBlock {
  readonly seq: number;
  /** `device:text` of messages that are still to be sent. */
  texts: string[];
  isGiven: boolean;
  /** First messages told as sent, and not known to be on the disk. */
  trimmed: number;
}

type Step =
  | { do: 'append'; device: string; count: number; size: number; isHandedOut: boolean }
  | { do: 'next' | 'rewind' | 'flush' | 'reopen' | 'crash' | 'wait' | 'break' | 'heal' }
  | { do: 'done' | 'trim'; pick: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      device: fc.constantFrom('scale', 'gate', 'line/3'),
      count: fc.integer({ min: 0, max: 60 }),
      size: fc.constantFrom(5, 300, 3000, 9000),
      isHandedOut: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    }),
  },
  { weight: 8, arbitrary: fc.constant({ do: 'next' as const }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('done' as const), pick: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('trim' as const), pick: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('rewind' as const, 'flush' as const, 'wait' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('reopen' as const, 'crash' as const) }) },
);

/** The same on a disk that refuses writes now and then. */
const anyFaultyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: anyStep },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('break' as const, 'heal' as const) }) },
);

class Model {
  readonly #folder: SpoolFolder;
  readonly #whenFull: SpoolOptions['whenFull'];
  readonly #maxBytes: number;
  readonly #clock = new FakeClock();
  readonly #stores = failingStores();
  #dir: string;
  #spool: Spool;
  #blocks: ModelBlock[] = [];
  /** Told as done, and maybe still on the disk. */
  #unflushed: ModelBlock[] = [];
  #told = new Map<string, number>();
  #appended = 0;
  #delivered = 0;
  #dropped = 0;
  #crashes = 0;

  constructor(folder: SpoolFolder, whenFull: SpoolOptions['whenFull'], maxBytes: number) {
    this.#folder = folder;
    this.#whenFull = whenFull;
    this.#maxBytes = maxBytes;
    this.#dir = folder.dir;
    this.#spool = this.#make();
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.#spool.open();
    for (const step of steps) {
      await this.#take(step);
      this.#check();
    }
    await this.#heal();
    await this.#drain();
    await this.#spool.close();
    assert.equal(this.#clock.pending, 0, 'no timer is left');
  }

  #make(): Spool {
    return new Spool({
      clock: this.#clock,
      log: silentLog,
      dir: this.#dir,
      maxBytes: this.#maxBytes,
      openStore: this.#stores.openStore,
      whenFull: this.#whenFull,
      maxAgeMs: 0,
      sync: false,
      onDrop: (device, messages) => this.#told.set(device, (this.#told.get(device) ?? 0) + messages),
    });
  }

  async #take(step: Step): Promise<void> {
    if (step.do === 'append') return this.#append(step);
    if (step.do === 'next') return this.#next();
    if (step.do === 'done') return this.#done(step.pick);
    if (step.do === 'trim') return this.#trim(step.pick);
    if (step.do === 'rewind') return this.#rewind();
    if (step.do === 'reopen') return this.#reopen();
    if (step.do === 'crash') return this.#crash();
    if (step.do === 'break') return this.#break();
    if (step.do === 'heal') return this.#heal();
    if (step.do === 'wait') await this.#clock.advance(150);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#spool.flush();
    if (this.#spool.state === 'disk') this.#unflushed = [];
  }

  #break(): void {
    this.#stores.faults.write = 'STORE_IO';
  }

  /** The disk works again, and has been tried. */
  async #heal(): Promise<void> {
    this.#stores.faults.write = undefined;
    if (this.#spool.state === 'disk') return;
    await this.#clock.advance(60_000);
    await this.#flush();
    assert.equal(this.#spool.state, 'disk');
  }

  async #append({ device, count, size, isHandedOut }: Step & { do: 'append' }): Promise<void> {
    const texts = Array.from({ length: count }, (_, index) => `${this.#appended + index};`.padEnd(size, '.'));
    this.#appended += count;
    const kept = await this.#spool.append([recordOf(device, texts)], { isHandedOut });
    const keptTexts = new Set(textsOf(kept));
    const refused = texts.filter((text) => !keptTexts.has(`${device}:${text}`)).length;
    this.#expectDrops(device, refused);
    for (const { seq, records } of kept) {
      this.#blocks.push({ seq, texts: textsOf([{ seq, records }]), isGiven: isHandedOut, trimmed: 0 });
    }
  }

  /** What was told makes up the refused messages and whole oldest blocks that are not given, and nothing else. */
  #expectDrops(device: string, refused: number): void {
    const told = [...this.#told.values()].reduce((sum, messages) => sum + messages, 0);
    const expected = new Map([[device, refused]]);
    let left = told - refused;
    assert.ok(left === 0 || this.#whenFull === 'drop-oldest', 'only drop-oldest drops what was kept');
    while (left > 0) {
      const index = this.#blocks.findIndex((block) => !block.isGiven);
      const [block] = this.#blocks.splice(index, index < 0 ? 0 : 1);
      if (block === undefined) assert.fail(`${left} messages too many were told as dropped`);
      for (const text of block.texts) {
        const name = text.slice(0, text.indexOf(':'));
        expected.set(name, (expected.get(name) ?? 0) + 1);
      }
      left -= block.texts.length;
    }
    for (const [name, messages] of expected) assert.equal(this.#told.get(name) ?? 0, messages, `drops of ${name}`);
    this.#dropped += told;
    this.#told.clear();
  }

  async #next(): Promise<void> {
    const expected = this.#blocks.find((block) => !block.isGiven);
    assert.equal(this.#spool.hasMore, expected !== undefined, 'hasMore');
    const block = await this.#spool.next();
    assert.deepEqual(block && textsOf([block]), expected?.texts.slice(expected.trimmed));
    if (expected === undefined || block === undefined) return;
    // Its number moves on with what was trimmed.
    this.#blocks[this.#blocks.indexOf(expected)] = {
      seq: block.seq,
      texts: expected.texts.slice(expected.trimmed),
      isGiven: true,
      trimmed: 0,
    };
  }

  #given(pick: number): ModelBlock | undefined {
    const given = this.#blocks.filter((block) => block.isGiven);
    return given[pick % Math.max(1, given.length)];
  }

  #done(pick: number): void {
    const block = this.#given(pick);
    if (block === undefined) return;
    this.#spool.done(block.seq);
    this.#blocks.splice(this.#blocks.indexOf(block), 1);
    this.#unflushed.push(block);
    this.#delivered += block.texts.length;
  }

  #trim(pick: number): void {
    const block = this.#given(pick);
    if (block === undefined || block.texts.length < 2) return;
    block.trimmed = Math.max(block.trimmed, Math.floor(block.texts.length / 2));
    this.#spool.trim(block.seq, block.trimmed);
  }

  #rewind(): void {
    this.#spool.rewind();
    this.#rewindModel();
  }

  async #reopen(): Promise<void> {
    await this.#heal();
    await this.#spool.close();
    this.#rewindModel();
    this.#spool = this.#make();
    await this.#spool.open();
    this.#unflushed = [];
  }

  #rewindModel(): void {
    for (const block of this.#blocks) {
      this.#unflushed.push({ ...block, texts: block.texts.slice(0, block.trimmed) });
      this.#delivered += block.trimmed;
      block.texts = block.texts.slice(block.trimmed);
      block.trimmed = 0;
      block.isGiven = false;
    }
  }

  /** The folder as it lies there goes on under another spool. What was sent lately may come again. */
  async #crash(): Promise<void> {
    await this.#heal();
    this.#crashes += 1;
    this.#dir = await this.#folder.copy(`crash-${this.#crashes}`, this.#dir);
    await this.#spool.close();
    this.#told.clear();
    this.#spool = this.#make();
    await this.#spool.open();
    await this.#compareAfterCrash(await this.#readAll());
    this.#spool.rewind();
  }

  async #readAll(): Promise<SpoolBlock[]> {
    const blocks: SpoolBlock[] = [];
    for (let block = await this.#spool.next(); block !== undefined; block = await this.#spool.next())
      blocks.push(block);
    return blocks;
  }

  /** All that was kept is there in order, between what may come again. */
  async #compareAfterCrash(there: readonly SpoolBlock[]): Promise<void> {
    const found = new Set(textsOf(there));
    assert.equal(found.size, textsOf(there).length, 'nothing is there twice');
    for (const { texts, trimmed } of this.#blocks) {
      for (const text of texts.slice(trimmed)) assert.ok(found.has(text), `${text.slice(0, 20)} is there`);
    }
    const known = new Set([...this.#blocks, ...this.#unflushed].flatMap(({ texts }) => texts));
    for (const text of found) assert.ok(known.has(text), `${text.slice(0, 20)} was not sent long ago`);
    const numbers = textsOf(there).map((text) => Number(/:(\d+);/.exec(text)?.[1]));
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
    );
    const keptBefore = this.#blocks.reduce((sum, { texts }) => sum + texts.length, 0);
    this.#blocks = there.map(({ seq, records }) => ({
      seq,
      texts: textsOf([{ seq, records }]),
      isGiven: false,
      trimmed: 0,
    }));
    this.#delivered -= this.#messages - keptBefore;
    this.#unflushed = [];
  }

  get #messages(): number {
    return this.#blocks.reduce((sum, { texts }) => sum + texts.length, 0);
  }

  #check(): void {
    assert.equal(this.#appended, this.#messages + this.#delivered + this.#dropped, 'each message is in one place');
    const untrimmed = this.#blocks.reduce((sum, { texts, trimmed }) => sum + texts.length - trimmed, 0);
    assert.equal(this.#spool.messages, untrimmed, 'the spool counts them');
    assert.notEqual(this.#spool.state, 'closed');
  }

  async #drain(): Promise<void> {
    this.#rewind();
    const blocks = await this.#readAll();
    assert.deepEqual(
      textsOf(blocks),
      this.#blocks.flatMap(({ texts }) => texts),
    );
    for (const { seq } of blocks) this.#spool.done(seq);
    await this.#spool.flush();
    assert.equal(this.#spool.messages, 0);
    assert.equal(this.#spool.bytes, 0);
    assert.equal(this.#spool.hasMore, false);
  }
}

for (const whenFull of ['drop-oldest', 'drop-newest', 'reject'] as const) {
  test(`${whenFull}: each message is in one place, in order, whatever happens`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 60 }), async (steps) => {
        const folder = await makeSpoolFolder();
        try {
          await new Model(folder, whenFull, 1024 * 1024).run(steps);
        } finally {
          await folder.remove();
        }
      }),
      { numRuns: 40, includeErrorInReport: true },
    );
    t.pass();
  });
}

test('a disk that refuses now and then: each message is in one place, in order, whatever happens', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyFaultyStep, { minLength: 5, maxLength: 60 }), async (steps) => {
      const folder = await makeSpoolFolder();
      try {
        await new Model(folder, 'drop-newest', 32 * 1024 * 1024).run(steps);
      } finally {
        await folder.remove();
      }
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
  t.pass();
});
