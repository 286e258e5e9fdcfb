// A pseudo-terminal: the far end of a serial line without the line. The gateway opens `path` as a serial port; this side
// is the device. Used by virtual devices, `ferrule demo` and tests.
//
//   gateway -- /dev/pts/N (slave) == master -- this file        a symlink `link` may stand for /dev/pts/N, as by-id does
//
// The slave is never opened here: the gateway looks for other holders of a port and would find us. So while nobody has it
// open the master only answers EIO, and is asked again by the clock until somebody comes. (Before the very first time it would
// answer that there is nothing to read: so it is opened and closed once, before anybody can know its name.)

import { closeSync, constants, lstatSync, openSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { type Clock, systemClock, type Timer } from '../core/clock.js';
import { TtyDescriptor, wrapDescriptor } from '../device/links/tty-descriptor.js';
import { openPtyMaster } from './pty-master.js';

export { PtyUnavailableError } from './pty-master.js';

/** How often a pty that nobody has open is asked whether somebody came. */
const LISTENER_CHECK_MS = 10;
/** The kernel holds some 64 KB for a slow reader; then writing is tried again at this pace ... */
const RETRY_MS = 2;
/** ... until nothing was taken for this long: then the bytes are dropped, as on a line that nobody reads. */
const PATIENCE_MS = 1000;
/** Writes waiting behind one another, in bytes; beyond that they are dropped. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/** How a write to a pty ended. */
export type PtyWriteOutcome = 'taken' | 'dropped';

export interface PtyOptions {
  /** Symlink to keep pointing at the slave while the pty lives: the stable name of a device that comes and goes. */
  readonly link?: string;
  readonly clock?: Clock;
}

/** One pty, seen from the device's side. */
export interface Pty {
  /** What the gateway opens: `link` if given, else /dev/pts/N. */
  readonly path: string;
  /** /dev/pts/N. */
  readonly slavePath: string;
  /** True while somebody has it open; learnt within 10 ms. */
  readonly isOpen: boolean;
  /** Sends to the gateway, in the order of the calls. Never rejects; `dropped` = nobody has it open, or nobody reads. */
  write(bytes: Uint8Array | string): Promise<PtyWriteOutcome>;
  /** Gives what the gateway writes to `listener` (one at a time; the last one counts). Without one it is dropped. */
  onData(listener: (chunk: Buffer) => void): void;
  /** Pulls the plug: the gateway sees a hang-up, `link` is gone. Plug in again with a new `openPty` and the same `link`. */
  unplug(): Promise<void>;
  /** The same as `unplug`, for the end of a test. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a pty in raw mode. Rejects with PtyUnavailableError where there are none, and with the system's error where `link` cannot
 * be made; nothing is left behind then.
 */
export async function openPty({ link, clock = systemClock }: PtyOptions = {}): Promise<Pty> {
  const { fd, slavePath } = await openPtyMaster();
  try {
    closeSync(openSync(slavePath, constants.O_RDWR | constants.O_NOCTTY));
    if (link !== undefined) pointLink(link, slavePath);
    const port = await wrapDescriptor(fd);
    const pty = new MasterEnd(slavePath, link, clock);
    pty.start(new TtyDescriptor(port, { onReadable: () => pty.read(), onWritable: () => {} }));
    return pty;
  } catch (error) {
    if (link !== undefined) removeLink(link, slavePath);
    closeSync(fd);
    throw error;
  }
}

interface Outgoing {
  readonly bytes: Buffer;
  readonly done: (outcome: PtyWriteOutcome) => void;
  offset: number;
}

class MasterEnd implements Pty {
  readonly slavePath: string;
  readonly #link: string | undefined;
  readonly #clock: Clock;
  #tty: TtyDescriptor | undefined;
  #listener: (chunk: Buffer) => void = () => {};
  #hasListenerOnSlave = true;
  #listenerCheck: Timer | undefined;
  #outgoing: Outgoing[] = [];
  #queuedBytes = 0;
  #retry: Timer | undefined;
  #lastProgressAt = 0;

  constructor(slavePath: string, link: string | undefined, clock: Clock) {
    this.slavePath = slavePath;
    this.#link = link;
    this.#clock = clock;
  }

  get path(): string {
    return this.#link ?? this.slavePath;
  }

  get isOpen(): boolean {
    return this.#tty !== undefined && this.#hasListenerOnSlave;
  }

  start(tty: TtyDescriptor): void {
    this.#tty = tty;
    this.read();
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  write(bytes: Uint8Array | string): Promise<PtyWriteOutcome> {
    const copy = Buffer.from(bytes);
    if (!this.#hasListenerOnSlave) this.read(); // somebody may have come since the last look
    if (!this.#tty || !this.#hasListenerOnSlave || this.#queuedBytes + copy.length > MAX_QUEUED_BYTES) {
      return Promise.resolve('dropped');
    }
    return new Promise((done) => {
      this.#queuedBytes += copy.length;
      this.#outgoing.push({ bytes: copy, done, offset: 0 });
      if (this.#outgoing.length > 1) return;
      this.#lastProgressAt = this.#clock.now();
      this.#pump();
    });
  }

  unplug(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    const tty = this.#tty;
    if (!tty) return;
    this.#tty = undefined;
    this.#listenerCheck?.cancel();
    this.#retry?.cancel();
    this.#dropAll();
    if (this.#link !== undefined) removeLink(this.#link, this.slavePath);
    await tty.close();
  }

  read(): void {
    if (!this.#tty) return;
    const answer = this.#tty.read();
    this.#hasListenerOnSlave = answer !== 'gone';
    if (answer === 'gone') this.#lookAgain();
    else this.#tty.wantRead(true);
    if (answer instanceof Buffer) this.#listener(answer);
  }

  #lookAgain(): void {
    this.#dropAll();
    this.#listenerCheck?.cancel();
    this.#listenerCheck = this.#clock.after(LISTENER_CHECK_MS, () => this.read());
  }

  #pump(): void {
    for (let next = this.#outgoing[0]; next && this.#tty; next = this.#outgoing[0]) {
      const taken = this.#tty.write(next.bytes, next.offset);
      if (taken === 'gone') {
        this.#dropAll();
        return;
      }
      next.offset += taken;
      if (taken > 0) this.#lastProgressAt = this.#clock.now();
      if (next.offset < next.bytes.length) {
        this.#waitForRoom();
        return;
      }
      this.#outgoing.shift();
      this.#queuedBytes -= next.bytes.length;
      next.done('taken');
    }
  }

  #waitForRoom(): void {
    if (this.#clock.now() - this.#lastProgressAt > PATIENCE_MS) this.#dropAll();
    else this.#retry = this.#clock.after(RETRY_MS, () => this.#pump());
  }

  #dropAll(): void {
    this.#retry?.cancel();
    this.#queuedBytes = 0;
    for (const write of this.#outgoing.splice(0)) write.done('dropped');
  }
}

/** Puts the link there in one step, so that a watcher never sees half a change. */
function pointLink(link: string, target: string): void {
  const fresh = `${link}.new`;
  removeLeftover(fresh);
  symlinkSync(target, fresh);
  try {
    renameSync(fresh, link);
  } catch (error) {
    unlinkSync(fresh);
    throw error;
  }
}

/** A process that is killed between making a link and renaming it leaves that behind. Whatever else has the name is not ours. */
function removeLeftover(fresh: string): void {
  if (lstatSync(fresh, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(fresh);
}

/** Removes the link unless a newer pty has taken it over. */
function removeLink(link: string, target: string): void {
  try {
    if (readlinkSync(link) === target) unlinkSync(link);
  } catch {
    // Gone already, possibly with the test's directory.
  }
}
