// The memory that packets are packed into: one buffer per socket write, taken from a small pool and given back when the
// system has taken the bytes. It grows for a message larger than itself; grown buffers are not kept.

/** Usual size of a buffer, bytes: what one socket write carries under load. */
export const BUFFER_BYTES = 64 * 1024;

// What stays behind for reuse, at most: four writes on their way at a time.
const KEPT_BUFFERS = 4;

/** Bytes being packed for one socket write. Writers reserve, then write at `length` and advance it. */
export class PacketBuffer {
  bytes: Buffer;
  /** Bytes packed so far. */
  length = 0;
  /** Gives the buffer back to its pool; to be called once, when the bytes are written or lost. */
  readonly recycle: () => void;

  constructor(bytes: Buffer, recycle: (buffer: PacketBuffer) => void = () => {}) {
    this.bytes = bytes;
    this.recycle = () => recycle(this);
  }

  /** What has been packed. A view: valid until `recycle`. */
  get packed(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Makes sure that `count` more bytes fit behind `length`. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
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
