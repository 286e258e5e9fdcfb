// balena's update lock: while it is held the supervisor does not stop this container for an update, and the host does not reboot
// for one of its own. Held as short as can be, while something must not be interrupted: an update that waits waits for us.
//
// Two mechanisms share one file (docs.balena.io/learn/deploy/release-strategy/update-locking): the supervisor asks whether the
// file is there (made with O_EXCL, by it or by us), the host OS whether somebody has an exclusive flock() on it. Node has no
// flock, so libc is asked through koffi; where that does not load, only the first half is there.
//
// The file outlives a process that is killed, until the next reboot of the board, and would keep updates away all that time: so
// `open` takes away one that a dead gateway left. The supervisor stops a container with the file in its own hands: then there
// is nothing for us to take, which is no trouble.

import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';

const LOCK_FILE = '/tmp/balena/updates.lock';
/** What our file says; the supervisor's is empty. */
const MARK = 'ferrule\n';
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Takes an exclusive flock on a descriptor, without waiting; false if somebody else has it. Gone with the descriptor. */
export type Flock = (fd: number) => boolean;

export interface UpdateLockOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Default: where balena has it. */
  readonly file?: string;
  /** Default: libc's, or none where koffi does not load. */
  readonly loadFlock?: () => Promise<Flock>;
}

/** The lock of this process. Not on balena: does nothing at all. */
export class UpdateLock {
  readonly #file: string;
  readonly #log: Log;
  readonly #flock: Flock | undefined;
  #holders = 0;
  #fd: number | undefined;

  private constructor(file: string, log: Log, flock: Flock | undefined) {
    this.#file = file;
    this.#log = log;
    this.#flock = flock;
  }

  /** Undefined where there is no balena. Takes away what a dead gateway left. Never rejects. */
  static async open({ env, log, file = LOCK_FILE, loadFlock = libcFlock }: UpdateLockOptions) {
    if (!env.BALENA && !env.BALENA_DEVICE_UUID) return undefined;
    const flock = await loadFlock().catch((error: unknown) => {
      log.warn(`update lock: without flock, so a reboot for a new host OS is not held up: ${messageOf(error)}`);
      return undefined;
    });
    const lock = new UpdateLock(file, log, flock);
    lock.#removeStale();
    return lock;
  }

  /** Holds updates off while `work` runs, however it ends. Work that overlaps shares the lock; the last one out lets go. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    if (this.#holders === 1) this.#take();
    try {
      return await work();
    } finally {
      this.#holders -= 1;
      if (this.#holders === 0) this.#release();
    }
  }

  #take(): void {
    try {
      this.#fd = openSync(this.#file, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o644);
      writeSync(this.#fd, MARK);
      if (this.#flock?.(this.#fd) === false) this.#log.info('update lock: the host OS is about to reboot');
    } catch (error) {
      if (codeOf(error) === 'EEXIST') this.#log.debug('update lock: held by the supervisor');
      else this.#log.warn(`update lock: cannot be taken, going on without: ${messageOf(error)}`);
    }
  }

  #release(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    try {
      // Somebody who overrides locks may have put a file of their own in its place.
      if (statSync(this.#file).ino === fstatSync(fd).ino) unlinkSync(this.#file);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#log.warn(`update lock: cannot be let go: ${messageOf(error)}`);
    } finally {
      closeSync(fd);
    }
  }

  /** A file with our mark that nobody has an flock on was left by a gateway that is dead. */
  #removeStale(): void {
    try {
      if (readFileSync(this.#file, 'utf8') !== MARK || !this.#isAbandoned()) return;
      unlinkSync(this.#file);
      this.#log.warn('update lock: one that a gateway left when it was killed was still there: removed');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#log.warn(`update lock: cannot be looked at: ${messageOf(error)}`);
    }
  }

  /** Without flock nobody can tell; but the folder belongs to this service alone, and this is its only gateway. */
  #isAbandoned(): boolean {
    const fd = openSync(this.#file, constants.O_RDWR);
    try {
      return this.#flock?.(fd) ?? true;
    } finally {
      closeSync(fd);
    }
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

async function libcFlock(): Promise<Flock> {
  const { default: koffi } = await import('koffi');
  const flock = koffi.load(null).func('int flock(int, int)');
  return (fd) => flock(fd, LOCK_EX | LOCK_NB) === 0;
}
