// The memory that packets are packed into: one buffer per socket write, taken from a small pool and given back when the
// system has taken the bytes. It grows only for a message that is larger than itself; grown buffers are not kept.

/** Usual size of a buffer, bytes: what one socket write carries under load. */
export const BUFFER_BYTES = 64 * 1024;

// What stays behind for reuse, at most: with a slow broker the 256 KiB on their way (outbox.ts) stand in six buffers, as the last of
// each chunk is not full. With fewer kept, each line left 75 bytes to the garbage collector.
const KEPT_BUFFERS = 8;

/** Bytes being packed for one socket write. Writers make room, then write at `length` and advance it. */
export class PacketBuffer {
  bytes: Buffer;
  /** The same memory: what is written through a view is written in words. */
  view: DataView;
  /** Bytes packed so far. */
  length = 0;
  /** Gives the buffer back to its pool; to be called once, when the bytes are written or lost. */
  readonly recycle: () => void;

  constructor(bytes: Buffer, recycle: (buffer: PacketBuffer) => void = () => {}) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.recycle = () => recycle(this);
  }

  /** What has been packed. A view: valid until `recycle`. */
  get packed(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Whether `count` more bytes keep within `limit` and there is memory for them. An empty buffer takes any message, and grows for it. */
  takes(count: number, limit: number): boolean {
    const needed = this.length + count;
    if (this.length > 0 && (needed > limit || needed > this.bytes.length)) return false;
    if (needed > this.bytes.length) this.#replace(needed);
    return true;
  }

  #replace(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = viewOf(this.bytes);
  }
}

/** The memory of `bytes`, for reading and writing words at any place. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Hands out buffers of `BUFFER_BYTES` and takes them back. */
export class BufferPool {
  readonly #free: PacketBuffer[] = [];

  take(): PacketBuffer {
    return this.#free.pop() ?? new PacketBuffer(Buffer.allocUnsafeSlow(BUFFER_BYTES), (buffer) => this.#give(buffer));
  }

  #give(buffer: PacketBuffer): void {
    if (buffer.bytes.length > BUFFER_BYTES || this.#free.length >= KEPT_BUFFERS) return;
    buffer.length = 0;
    this.#free.push(buffer);
  }
}
