// A terminal descriptor (serial port, or the far end of a pty) with reads and writes that never block: a system call when
// the event loop says that one is worth it. Used by `serial.ts` for its writes (`tty-reader.ts` reads), and by the pty of
// `ferrule/hil`.
//
// serialport's own read and write go through libuv's pool of four threads: two trips and an exception per wake-up, and
// `unix-read` recurses for ever on the zero-byte reads of some unplugged adapters. The descriptor is non-blocking, so a
// plain read is cheaper and can count. What we use of serialport: opening with settings and lock, the poller, closing.
//
// Traps of its poller: a poll for one event replaces the wish for the other, so both are always asked for together; and
// polling after it was destroyed crashes the process, so nothing is asked for once `close` began; and a closed poller is
// never freed (its `destroy` keeps the callback), so it is left holding nothing of ours.

import { readSync, writeSync } from 'node:fs';
import type { LinuxPortBinding } from '@serialport/bindings-cpp';

const POOL_BYTES = 16 * 1024;
/** The kernel hands over at most 4 KB at once; below this much room a new pool is cheaper than small reads. */
const MIN_ROOM = 1024;
const NO_POOL: Buffer = Buffer.alloc(0);
const READABLE = 1;
const WRITABLE = 2;
/** So many reads of zero bytes in a row are a line that was hung up. */
const MAX_EMPTY_READS = 8;

export interface TtyEvents {
  /** A read is worth it. Asked for again with `wantRead(true)` each time. */
  onReadable(): void;
  /** A write is worth it; comes once per `wantWrite`. */
  onWritable(): void;
}

/** Gives any terminal descriptor (a pty master) what `TtyDescriptor` needs. Touches no setting of it. */
export async function wrapDescriptor(fd: number): Promise<LinuxPortBinding> {
  const { LinuxPortBinding } = (await import('@serialport/bindings-cpp')).default;
  return new LinuxPortBinding(fd, UNUSED_SETTINGS);
}

/** The binding keeps the settings that it was opened with; nothing reads them. */
const UNUSED_SETTINGS = {
  path: '',
  baudRate: 0,
  vmin: 1,
  vtime: 0,
  dataBits: 8,
  stopBits: 1,
  parity: 'none',
  lock: false,
  rtscts: false,
  xon: false,
  xoff: false,
  xany: false,
  hupcl: false,
} as const;

/** See the head of this file. */
export class TtyDescriptor {
  readonly #port: LinuxPortBinding;
  readonly #fd: number;
  #pool = NO_POOL;
  #used = 0;
  #emptyReads = 0;
  #wanted = 0;
  #isPollBroken = false;
  #closed: Promise<void> | undefined;

  constructor(port: LinuxPortBinding, events: TtyEvents) {
    this.#port = port;
    this.#fd = port.fd ?? -1;
    port.poller.on('readable', (error: Error | null) => this.#woken(READABLE, error, events));
    port.poller.on('writable', (error: Error | null) => this.#woken(WRITABLE, error, events));
  }

  /** What is there now, at most some 16 KB; `gone` = the other end hung up or the hardware left. Never throws. */
  read(): Buffer | 'empty' | 'gone' {
    if (this.#closed) return 'gone';
    if (this.#pool.length - this.#used < MIN_ROOM) this.#renewPool();
    try {
      const count = readSync(this.#fd, this.#pool, this.#used, this.#pool.length - this.#used, null);
      return count > 0 ? this.#take(count) : this.#emptyRead();
    } catch (error) {
      // The poller reports a broken descriptor only once; with nothing left to read there will be no other sign.
      return isRetry(error) && !this.#isPollBroken ? 'empty' : 'gone';
    }
  }

  /** Bytes that the system took now, possibly 0. Never throws. */
  write(bytes: Uint8Array, offset: number): number | 'gone' {
    if (this.#closed) return 'gone';
    try {
      return writeSync(this.#fd, bytes, offset, bytes.length - offset);
    } catch (error) {
      return isRetry(error) && !this.#isPollBroken ? 0 : 'gone';
    }
  }

  wantRead(isWanted: boolean): void {
    this.#want(isWanted ? this.#wanted | READABLE : this.#wanted & ~READABLE);
  }

  wantWrite(): void {
    this.#want(this.#wanted | WRITABLE);
  }

  /** Throws away what was not sent and not read yet (needed where flow control would make closing wait). */
  async discard(): Promise<void> {
    if (this.#closed) return;
    await this.#port.flush().catch(() => undefined); // the descriptor is about to be closed anyway
  }

  /** Closes; idempotent. Never rejects: a descriptor whose device is gone may say so once more, which is no news. */
  close(): Promise<void> {
    this.#wanted = 0;
    if (!this.#closed) {
      this.#closed = this.#port.close().catch(() => undefined);
      this.#port.poller.removeAllListeners();
      this.#pool = NO_POOL;
    }
    return this.#closed;
  }

  #want(wanted: number): void {
    if (this.#closed) return;
    this.#wanted = wanted;
    this.#port.poller.poll(wanted);
  }

  #woken(event: number, error: Error | null, events: TtyEvents): void {
    if (this.#closed || (this.#wanted & event) === 0) return;
    if (error) this.#isPollBroken = true;
    this.#want(this.#wanted & ~event);
    if (event === READABLE) events.onReadable();
    else events.onWritable();
  }

  #renewPool(): void {
    this.#pool = Buffer.allocUnsafeSlow(POOL_BYTES);
    this.#used = 0;
  }

  #take(count: number): Buffer {
    this.#emptyReads = 0;
    const chunk = this.#pool.subarray(this.#used, this.#used + count);
    this.#used += count;
    return chunk;
  }

  #emptyRead(): 'empty' | 'gone' {
    return ++this.#emptyReads >= MAX_EMPTY_READS ? 'gone' : 'empty';
  }
}

function isRetry(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code; // node:fs throws nothing else
  return code === 'EAGAIN' || code === 'EINTR' || code === 'EWOULDBLOCK';
}
