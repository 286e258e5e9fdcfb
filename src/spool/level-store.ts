// A store on the disk, in LevelDB. Tuned for little memory and an SD card: a small write buffer (two of it may be in memory,
// and as much in its log), no block cache to speak of, no compression (a damaged byte then costs one block, not the store).
// While blocks are only appended, each byte is written twice: once to the log, once to a table file that is never rewritten.
//
// Removing leaves marks; their space comes back when LevelDB merges the marks with what they remove. That is asked for
// (`reclaim`) when enough has come together. To keep that merge small, what is in the write buffer is put out first: else
// the marks would share a file with the newest blocks, and everything in between would be rewritten.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClassicLevel } from 'classic-level';
import type { Log } from '../core/log.js';
import { fileSizes } from './disk-usage.js';
import { openErrorFrom, storeErrorFrom } from './level-errors.js';
import {
  appendedIn,
  blockFrom,
  blockValue,
  decodeTally,
  END_KEY,
  encodeTally,
  keyOf,
  TALLY_KEY,
} from './level-layout.js';
import { Serial } from './serial.js';
import { type BlockRef, NO_TOTALS, plus, refOf, type Store, type StoredBlock, type StoreTotals } from './store.js';
import { StoreError } from './store-error.js';
import { atLeast, difference, highest, NEW_TALLY, type Tally, withAppended } from './tally.js';

export interface LevelStoreOptions {
  /** fsync with every append. */
  readonly sync: boolean;
  readonly log: Log;
  /** What the folder may take in all: sets how much may gather before it is written or reclaimed. Default 64 MiB. */
  readonly maxBytes?: number;
  /** LevelDB's journals of what it did grow as long as it is open; beyond this it is opened anew. Default 256 KiB. */
  readonly maxJournalBytes?: number;
}

type Db = ClassicLevel<Buffer, Buffer>;
type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const SMALLEST_BUFFER = 64 * 1024;
const LARGEST_BUFFER = 256 * 1024;
const MAX_JOURNAL_BYTES = 256 * 1024;
/** A merge for less than this is not worth its own writes. */
const LEAST_RECLAIM = 64 * 1024;

/** LevelDB's write buffer for a folder of `maxBytes`. */
export function writeBufferFor(maxBytes: number): number {
  return Math.min(LARGEST_BUFFER, Math.max(SMALLEST_BUFFER, Math.floor(maxBytes / 64)));
}

/** Removed bytes that gather before their space is given back, in a folder of `maxBytes`. */
export function reclaimBytesFor(maxBytes: number): number {
  return Math.min(4 * 1024 * 1024, Math.max(LEAST_RECLAIM, Math.floor(maxBytes / 16)));
}

/** Opens the store in a folder, making it where it is not there. Rejects with a StoreError. */
export async function openLevelStore(dir: string, options: LevelStoreOptions): Promise<LevelStore> {
  const store = new LevelStore(dir, options);
  await store.open();
  return store;
}

/** A store in a folder. Made by `openLevelStore`. */
export class LevelStore implements Store {
  readonly #dir: string;
  readonly #sync: boolean;
  readonly #log: Log;
  readonly #bufferBytes: number;
  readonly #reclaimBytes: number;
  readonly #maxJournalBytes: number;
  readonly #serial = new Serial();
  #db: Db | undefined;
  #tally: Tally = NEW_TALLY;
  #lost = 0;
  #removedBytes = 0;
  /** First key after what was removed and is not reclaimed. */
  #reclaimTo = keyOf(0);
  #isJournalLong = false;

  constructor(
    dir: string,
    { sync, log, maxBytes = DEFAULT_MAX_BYTES, maxJournalBytes = MAX_JOURNAL_BYTES }: LevelStoreOptions,
  ) {
    this.#dir = dir;
    this.#sync = sync;
    this.#log = log;
    this.#bufferBytes = writeBufferFor(maxBytes);
    this.#reclaimBytes = reclaimBytesFor(maxBytes);
    this.#maxJournalBytes = maxJournalBytes;
  }

  get totals(): StoreTotals {
    const { appended, removed } = this.#tally;
    return {
      blocks: appended.blocks - removed.blocks,
      messages: appended.messages - removed.messages,
      bytes: appended.bytes - removed.bytes,
    };
  }

  get nextSeq(): number {
    return this.#tally.nextSeq;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Once, before anything else. */
  open(): Promise<void> {
    return this.#serial.run(async () => {
      await this.#openDb();
      try {
        await this.#attempt(() => this.#readTally());
      } catch (error) {
        await this.#closeDb();
        throw error;
      }
    });
  }

  append(blocks: readonly StoredBlock[]): Promise<void> {
    return this.#step(async () => {
      const tally = withAppended(this.#tally, blocks);
      await this.#write(putsOf(this.#tally, blocks));
      this.#tally = tally;
    });
  }

  read(seq: number): Promise<StoredBlock | undefined> {
    return this.#step(() => this.#first({ gte: keyOf(seq) }));
  }

  remove(blocks: readonly BlockRef[]): Promise<void> {
    return this.#step(async () => {
      if (sizeOf(blocks) >= this.#reclaimBytes) await this.#putOutBuffer();
      await this.#change(blocks, []);
      if (this.#removedBytes >= this.#reclaimBytes || this.#isEmptyWithWaste) await this.#reclaim();
    });
  }

  replace(block: BlockRef, by: StoredBlock): Promise<void> {
    return this.#step(() => this.#change([block], [by]));
  }

  reclaim(): Promise<void> {
    return this.#step(() => this.#reclaim());
  }

  recount(): Promise<number> {
    return this.#step(() => this.#recount());
  }

  async usage(): Promise<number> {
    const files = await fileSizes(this.#dir);
    this.#isJournalLong = sizeOf(files.filter(({ name }) => /^(MANIFEST|LOG)/.test(name))) > this.#maxJournalBytes;
    return sizeOf(files);
  }

  close(): Promise<void> {
    return this.#serial.run(() => this.#closeDb());
  }

  /** Everything is gone, but its space is not back. */
  get #isEmptyWithWaste(): boolean {
    return this.totals.blocks === 0 && this.#removedBytes >= Math.max(LEAST_RECLAIM, this.#reclaimBytes / 4);
  }

  #step<T>(run: () => Promise<T>): Promise<T> {
    return this.#serial.run(async () => {
      if (this.#db === undefined) throw new StoreError('STORE_CLOSED', `the spool in ${this.#dir} is closed`);
      return this.#attempt(async () => {
        if (this.#isJournalLong) await this.#reopen();
        return run();
      });
    });
  }

  /** Whatever is thrown, as a StoreError. */
  async #attempt<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw storeErrorFrom(error, this.#dir);
    }
  }

  async #openDb(): Promise<void> {
    const { ClassicLevel } = (await import('classic-level')).default;
    const db: Db = new ClassicLevel(this.#dir, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      compression: false,
      cacheSize: 0,
      writeBufferSize: this.#bufferBytes,
      maxFileSize: 1024 * 1024,
      maxOpenFiles: 1,
    });
    try {
      await db.open();
    } catch (error) {
      await db.close().catch(() => {});
      throw openErrorFrom(error, this.#dir);
    }
    this.#db = db;
    await rm(join(this.#dir, 'LOG.old'), { force: true }).catch(() => {});
  }

  async #closeDb(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    await db
      ?.close()
      .catch((error: unknown) => this.#log.warn({ err: error }, `the spool in ${this.#dir} closed badly`));
  }

  async #reopen(): Promise<void> {
    this.#isJournalLong = false;
    await this.#closeDb();
    await this.#openDb();
  }

  get #open(): Db {
    if (this.#db === undefined) throw new StoreError('STORE_CLOSED', `the spool in ${this.#dir} is closed`);
    return this.#db;
  }

  /** What is there, from the tally and the last block; counted where these cannot be trusted. */
  async #readTally(): Promise<void> {
    const kept = await this.#open.get(TALLY_KEY);
    const tally = kept === undefined ? NEW_TALLY : decodeTally(kept);
    const last = await this.#firstEntry({ reverse: true });
    const appended = last === undefined ? NO_TOTALS : appendedIn(last[1]);
    this.#tally = highest(tally ?? NEW_TALLY, appended ?? NO_TOTALS, last && blockFrom(...last));
    const isDamaged = tally === undefined || appended === undefined || this.totals.blocks < 0;
    if (isDamaged || (await this.#hasLeftOut())) this.#lost = Math.max(0, await this.#recount());
  }

  /** LevelDB passes over damaged parts of its log in silence, and notes that in its journal. */
  async #hasLeftOut(): Promise<boolean> {
    const journal = await readFile(join(this.#dir, 'LOG'), 'latin1').catch(() => '');
    return /dropping \d+ bytes/.test(journal);
  }

  async #recount(): Promise<number> {
    const before = this.totals.messages;
    const found: BlockRef[] = [];
    for await (const [key, value] of this.#open.iterator({ gte: keyOf(0), lt: END_KEY, highWaterMarkBytes: 65536 })) {
      found.push(refOf(blockFrom(key, value)));
    }
    const there = plus(NO_TOTALS, found);
    const { appended, nextSeq } = this.#tally;
    const base = atLeast(appended, there);
    this.#tally = { nextSeq, appended: base, removed: difference(base, there) };
    await this.#write([{ type: 'put', key: TALLY_KEY, value: encodeTally(this.#tally) }]);
    return before - there.messages;
  }

  async #first(range: { gte: Buffer }): Promise<StoredBlock | undefined> {
    const entry = await this.#firstEntry(range);
    return entry && blockFrom(...entry);
  }

  async #firstEntry(range: { gte?: Buffer; reverse?: boolean }): Promise<[Buffer, Buffer] | undefined> {
    const iterator = this.#open.iterator({ gte: keyOf(0), lt: END_KEY, ...range, limit: 1 });
    try {
      return await iterator.next();
    } finally {
      await iterator.close();
    }
  }

  /** Removes and adds in one write, with the tally that follows. */
  async #change(removed: readonly BlockRef[], added: readonly StoredBlock[]): Promise<void> {
    const grown = withAppended(this.#tally, added);
    const tally = { ...grown, removed: plus(grown.removed, removed) };
    const dels = removed.map(({ seq, messages }): Operation => ({ type: 'del', key: keyOf(seq, messages) }));
    const put: Operation = { type: 'put', key: TALLY_KEY, value: encodeTally(tally) };
    await this.#write([...dels, ...putsOf(this.#tally, added), put]);
    this.#tally = tally;
    this.#removedBytes += sizeOf(removed);
    for (const { seq } of removed) {
      const after = keyOf(seq + 1);
      if (after.compare(this.#reclaimTo) > 0) this.#reclaimTo = after;
    }
  }

  #write(operations: Operation[]): Promise<void> {
    return this.#open.batch(operations, { sync: this.#sync });
  }

  async #reclaim(): Promise<void> {
    if (this.#removedBytes < LEAST_RECLAIM) return;
    await this.#open.compactRange(TALLY_KEY, this.#reclaimTo);
    this.#removedBytes = 0;
    this.#reclaimTo = keyOf(0);
  }

  /** Compacting a range without files does just that. */
  #putOutBuffer(): Promise<void> {
    return this.#open.compactRange(END_KEY, END_KEY);
  }
}

function putsOf(tally: Tally, blocks: readonly StoredBlock[]): Operation[] {
  let { appended } = tally;
  return blocks.map((block) => {
    appended = plus(appended, [refOf(block)]);
    return { type: 'put', key: keyOf(block.seq, block.messages), value: blockValue(block, appended) };
  });
}

function sizeOf(parts: readonly { readonly size: number }[]): number {
  return parts.reduce((sum, part) => sum + part.size, 0);
}
