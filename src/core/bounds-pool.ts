// Memory for where the readings of a chunk begin and end. A chunk of a thousand lines has two thousand such places: as an array that
// grows by itself they were most of the garbage of a firehose, and what of them waited for the broker lived long enough to be left
// to the slow collector. So they are gathered in memory that was used before, and what a loan keeps comes back with it.

/** Where readings begin and end: start0, end0, start1, end1, ... A typed array where there are many. */
export type Bounds = readonly number[] | Readonly<Uint32Array>;

/** Places in an array: 2,048 readings, a chunk of 64 KiB in lines of 32 bytes. */
const PLACES = 4096;
/** Arrays that wait to be used again, 16 KiB each: as many as there are chunks of the links. */
const MAX_FREE = 16;

export class BoundsPool {
  readonly #free: Uint32Array[] = [];
  readonly #onReturn: ((memory: Uint32Array) => void) | undefined;

  /** `onReturn` is told of memory that has come back: for tests, which spoil it. */
  constructor(onReturn?: (memory: Uint32Array) => void) {
    this.#onReturn = onReturn;
  }

  /** Arrays that wait to be used again. */
  get free(): number {
    return this.#free.length;
  }

  take(): Uint32Array {
    return this.#free.pop() ?? new Uint32Array(PLACES);
  }

  /** An array of twice the length with what is in `memory`, which is given back. */
  grow(memory: Uint32Array): Uint32Array {
    const larger = new Uint32Array(2 * memory.length);
    larger.set(memory);
    this.giveBack(memory);
    return larger;
  }

  /** Nobody reads `memory` any more. A larger one than usual is the collector's. */
  giveBack(memory: Uint32Array): void {
    this.#onReturn?.(memory);
    if (memory.length === PLACES && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}
