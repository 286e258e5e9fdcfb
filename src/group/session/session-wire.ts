// In the Worker: the wire as a session driver sees it, a Duplex. Behind it stands the link on the main thread; bytes travel in
// batches, one each way at a time, so a device that is read slowly is felt by whoever sends, and a slow line by whoever writes.

import { Duplex } from 'node:stream';

/** Where a Duplex begins to say "wait". */
const HIGH_WATER = 16 * 1024;

export interface SessionWireParts {
  /** Sends bytes to the device; `onWritten` is called when they have left. One at a time. */
  readonly write: (bytes: Uint8Array, onWritten: () => void) => void;
  /** What `arrive` was given has been read by the driver. */
  readonly onTaken: () => void;
}

export class SessionWire extends Duplex {
  readonly #parts: SessionWireParts;
  #hasTaken = true;

  constructor(parts: SessionWireParts) {
    super({ allowHalfOpen: false, readableHighWaterMark: HIGH_WATER, writableHighWaterMark: HIGH_WATER });
    this.#parts = parts;
    // A driver may end the wire with an error; without a listener that would count as thrown by nobody.
    this.on('error', () => {});
  }

  /** Bytes from the device. Not to be called again before `onTaken`. */
  arrive(bytes: Uint8Array): void {
    this.#hasTaken = false;
    if (this.readableEnded || this.destroyed || this.push(bytes)) this.#tellTaken();
  }

  /** No more bytes: the link is gone. */
  finish(): void {
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {
    this.#tellTaken();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#parts.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#parts.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #tellTaken(): void {
    if (this.#hasTaken) return;
    this.#hasTaken = true;
    this.#parts.onTaken();
  }
}
