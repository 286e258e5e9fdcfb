// One word, shared by all threads of a group and by its Worker: is the link up? Atomic, because a Worker reads it while
// the main thread writes it. Every set counts as a new generation, so that a thread that slept through a loss and a
// return can tell.

/** Connection status on a SharedArrayBuffer: word 0 = up (1) or down (0), word 1 = generation. */
export class ConnectionFlag {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Makes a new flag (down), or a view of one made elsewhere, e.g. handed to a Worker. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  get isUp(): boolean {
    return Atomics.load(this.#words, 0) === 1;
  }

  /** Times the link has come up. */
  get generation(): number {
    return Atomics.load(this.#words, 1);
  }

  raise(): void {
    Atomics.add(this.#words, 1, 1);
    Atomics.store(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
  }

  /** Clears the flag; true for the one caller who found it set: the first to detect a loss. */
  clear(): boolean {
    const wasUp = Atomics.compareExchange(this.#words, 0, 1, 0) === 1;
    if (wasUp) Atomics.notify(this.#words, 0);
    return wasUp;
  }
}
