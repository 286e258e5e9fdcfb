// The spool's store on the disk: opening it, whatever is wrong with it, and trying again later. Says each trouble once, with
// what to do about it, and its end once.

import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { type LevelStoreOptions, openLevelStore } from './level-store.js';
import { isHeadless, setAside } from './set-aside.js';
import type { Store } from './store.js';
import { StoreError, type StoreTrouble } from './store-error.js';

/** Opens the store in a folder. Rejects with a StoreError. */
export type OpenStore = (dir: string, options: LevelStoreOptions) => Promise<Store>;

export interface DiskOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly dir: string;
  readonly maxBytes: number;
  readonly sync: boolean;
  readonly openStore?: OpenStore | undefined;
  /** It may work again: call `retry`. */
  readonly onRetry: () => void;
}

export const RETRY_MS = 60_000;
/** What must fit before a full disk is called usable again. */
const PROBE_BYTES = 256 * 1024;

const WAYS_OUT: Readonly<Record<StoreTrouble, string>> = {
  STORE_LOCKED:
    'Another ferrule with the same gateway.data_dir? Give each its own. Messages are kept in memory until then',
  STORE_IO:
    'Is the disk full, read-only or broken? Free some space or check it; messages are kept in memory until then',
  STORE_CORRUPT: 'A new one could not be made in its place; messages are kept in memory until then',
  STORE_BLOCK: '',
  STORE_CLOSED: '',
};

export class Disk {
  readonly #options: DiskOptions;
  #store: Store | undefined;
  #isWritable = false;
  #isTroubled = false;
  #timer: Timer | undefined;
  #isClosed = false;
  #hasSetAside = false;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** The open store; one that is not writable may still be read. */
  get store(): Store | undefined {
    return this.#store;
  }

  /** A store was set aside: which numbers it had given is not known. */
  get hasSetAside(): boolean {
    return this.#hasSetAside;
  }

  /** Whether it takes blocks. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Opens it, or tries again in a minute. Never rejects. */
  async open(): Promise<void> {
    if (this.#isClosed) return;
    try {
      this.#store = await this.#openAnew();
      this.#isWritable = true;
      if (this.#isClosed) await this.#closeStore(); // closed meanwhile
    } catch (error) {
      this.failed(error);
    }
  }

  /** The disk refuses: what is on it may still be read, and it is tried again in a minute. */
  failed(error: unknown): void {
    this.#isWritable = false;
    this.#say(error);
    this.#retryLater();
  }

  /** The store is damaged: it is set aside for a new one. Never rejects. */
  async replace(error: unknown): Promise<void> {
    await this.#closeStore();
    try {
      await this.#setAside(messageOf(error));
      await this.open();
    } catch (cause) {
      this.failed(cause);
    }
  }

  /** Opens it again where it takes something; answers whether it was left as it is instead. Never rejects. */
  async retry(): Promise<'reopened' | 'left'> {
    if (this.#isClosed || this.#isWritable) return 'left';
    const trouble = await this.#probe();
    if (trouble !== undefined) {
      this.failed(trouble);
      return 'left';
    }
    await this.#closeStore();
    await this.open();
    return 'reopened';
  }

  /** All is well again. */
  recovered(messages: number): void {
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    const { log, dir } = this.#options;
    log.info({ messages }, `the disk spool in ${dir} works again; ${messages} messages were moved to it from memory`);
  }

  /** Not all could be moved to it: the next try in a minute. */
  postpone(): void {
    this.#isWritable = false;
    this.#retryLater();
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#closeStore();
  }

  async #openAnew(): Promise<Store> {
    const { dir, openStore } = this.#options;
    if (openStore === undefined && (await isHeadless(dir)))
      await this.#setAside(`the spool in ${dir} has lost its file CURRENT, or it is damaged`);
    try {
      return await this.#openStore();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'STORE_CORRUPT') throw error;
      await this.#setAside(error.message);
      return await this.#openStore();
    }
  }

  #openStore(): Promise<Store> {
    const { dir, sync, log, maxBytes, openStore = openLevelStore } = this.#options;
    return openStore(dir, { sync, log, maxBytes });
  }

  async #setAside(reason: string): Promise<void> {
    const { dir, clock, log } = this.#options;
    const name = await setAside(dir, clock.wall());
    this.#hasSetAside = true;
    log.error(
      { reason },
      `${reason}. It cannot be used and was set aside as ${name}; a new one is begun. Look into or delete it`,
    );
  }

  async #closeStore(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    this.#isWritable = false;
    await store?.close().catch(() => {});
  }

  /** Why the disk takes nothing; undefined: it does. */
  async #probe(): Promise<unknown> {
    const { dir } = this.#options;
    const path = `${dir}.probe`;
    try {
      await mkdir(dirname(dir), { recursive: true });
      const file = await open(path, 'w');
      try {
        await file.writeFile(Buffer.alloc(PROBE_BYTES));
        await file.sync();
      } finally {
        await file.close();
      }
      return undefined;
    } catch (error) {
      return new StoreError('STORE_IO', `the spool in ${dir}: ${messageOf(error)}`, { cause: error });
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
  }

  #say(error: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const wayOut = error instanceof StoreError ? WAYS_OUT[error.code] : WAYS_OUT.STORE_IO;
    this.#options.log.error({ err: error }, `${messageOf(error)}. ${wayOut}`);
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(RETRY_MS, this.#options.onRetry);
  }
}
