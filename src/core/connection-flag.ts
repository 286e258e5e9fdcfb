// One word, shared by all threads of a group and by its Worker: is the link up? Atomic, because a Worker reads it while
// the main thread writes it. Every set counts as a new generation, so that a thread that slept through a loss and a
// return can tell.

/**
 * Connection status. Two plain fields until somebody asks for the `buffer`: most devices have no Worker, and thousands of
 * connections do without a SharedArrayBuffer each. From then on word 0 = up (1) or down (0), word 1 = generation.
 */
export class ConnectionFlag {
  #isUp = false;
  #generation = 0;
  #words: Int32Array<SharedArrayBuffer> | undefined;

  /** Makes a new flag (down), or a view of one made elsewhere, e.g. handed to a Worker. */
  constructor(buffer?: SharedArrayBuffer) {
    if (buffer !== undefined) this.#words = new Int32Array(buffer);
  }

  /** To be handed to a Worker. */
  get buffer(): SharedArrayBuffer {
    this.#words ??= this.#share();
    return this.#words.buffer;
  }

  get isUp(): boolean {
    return this.#words === undefined ? this.#isUp : Atomics.load(this.#words, 0) === 1;
  }

  /** Times the link has come up. */
  get generation(): number {
    return this.#words === undefined ? this.#generation : Atomics.load(this.#words, 1);
  }

  raise(): void {
    if (this.#words !== undefined) {
      Atomics.add(this.#words, 1, 1);
      Atomics.store(this.#words, 0, 1);
      Atomics.notify(this.#words, 0);
    } else {
      this.#generation += 1;
      this.#isUp = true;
    }
  }

  /** Clears the flag; true for the one caller who found it set: the first to detect a loss. */
  clear(): boolean {
    if (this.#words !== undefined) return clearShared(this.#words);
    const wasUp = this.#isUp;
    this.#isUp = false;
    return wasUp;
  }

  #share(): Int32Array<SharedArrayBuffer> {
    const words = new Int32Array(new SharedArrayBuffer(8));
    words[0] = this.#isUp ? 1 : 0;
    words[1] = this.#generation;
    return words;
  }
}

function clearShared(words: Int32Array): boolean {
  const wasUp = Atomics.compareExchange(words, 0, 1, 0) === 1;
  if (wasUp) Atomics.notify(words, 0);
  return wasUp;
}
