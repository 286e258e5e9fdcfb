// Reads a serial port as a stream of the event loop's own: the descriptor stays with epoll, so a wake-up costs one read. The
// poller of serialport takes it out and puts it in again with every wake-up, three or four system calls besides the read: at 8
// ports of 115200 baud that was two thirds of all system calls, and a fifth of the processor time.
//
// Node has such a stream for terminals, and reopens them for it, so that changing to non-blocking reads touches nobody else.
// It therefore gets a descriptor of its own: with the port's, the lock on that would go. Settings belong to the
// terminal, not to the descriptor. Only for the slave side: a master cannot be reopened.

import { closeSync, constants, openSync } from 'node:fs';
import type { SocketConstructorOpts, TcpSocketConnectOpts } from 'node:net';
import { ReadStream } from 'node:tty';

/** The kernel hands over at most 4 KB at once. */
const BUFFER_BYTES = 8 * 1024;

export interface TtyReaderEvents {
  /** What came, in memory of its own. */
  onBytes(bytes: Buffer): void;
  /** The other end hung up or the hardware left; what it had sent has been handed over. Not after `close`. */
  onGone(): void;
}

/** See the head of this file. Reads nothing before `resume`. */
export class TtyReader {
  readonly #stream: ReadStream;
  #isClosed = false;

  /** `fd`: the open port, which stays the caller's. Throws the system's error where it cannot be opened once more. */
  constructor(fd: number, events: TtyReaderEvents) {
    this.#stream = openStream(fd, (bytes) => events.onBytes(bytes));
    const end = (): void => {
      if (!this.#isClosed) events.onGone();
    };
    // `error` stays to the end: a terminal that went away may say so more than once.
    this.#stream.on('error', end).on('end', end);
  }

  resume(): void {
    this.#stream.read(0); // its own `resume` reads at the end of the turn, even if `pause` was called meanwhile
  }

  pause(): void {
    this.#stream.pause();
  }

  /** Frees the descriptor, at once: before the port itself, whose last close may have to wait for output. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#stream.destroy();
  }
}

function openStream(fd: number, onBytes: (bytes: Buffer) => void): ReadStream {
  // By way of /proc, not by its path: that may be another device's by now.
  const own = openSync(`/proc/self/fd/${fd}`, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const callback = (count: number): boolean => {
    onBytes(Buffer.from(buffer.subarray(0, count)));
    return true;
  };
  try {
    // An option of `connect`, as far as the types of Node 20 know; it is one of every socket.
    const options: SocketConstructorOpts & Pick<TcpSocketConnectOpts, 'onread'> = { onread: { buffer, callback } };
    const stream = new ReadStream(own, options);
    if (isReopened(stream, own)) closeSync(own);
    return stream;
  } catch (error) {
    closeSync(own);
    throw error;
  }
}

/** Whether the stream has opened the terminal once more. It does not where the name of the terminal cannot be found out. */
function isReopened(stream: ReadStream, fd: number): boolean {
  const { _handle: handle } = stream as { _handle?: { readonly fd?: number } }; // not documented; a test counts descriptors
  return handle?.fd !== undefined && handle.fd !== fd;
}
