// Three words shared by the main thread and a decode Worker, written by one and read by the other while the Worker's own thread
// may be stuck. They say what a message could not: that it makes progress, what it is stuck in, and that bytes are on their way.

const PUSHED = 0;
const PROGRESS = 1;
const AT = 2;

/** Not in the driver's code. */
export const AT_REST = -1;
/** In the driver's code, but not with an entry of a batch: loading, encoding, settling after silence. */
export const ELSEWHERE = -2;

export class WorkerPulse {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Makes a new one, or the view of one that was handed to a Worker. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(12);
    this.#words = new Int32Array(this.buffer);
    if (buffer === undefined) this.leave();
  }

  /** Main thread: chunks pushed so far, modulo 2^32. A Worker that has seen fewer knows that the line is not silent. */
  get pushed(): number {
    return Atomics.load(this.#words, PUSHED);
  }

  countPush(): void {
    Atomics.add(this.#words, PUSHED, 1);
  }

  /** Changes whenever the Worker begins or ends a piece of work. */
  get progress(): number {
    return Atomics.load(this.#words, PROGRESS);
  }

  /** Index of the entry that the Worker is at, or AT_REST or ELSEWHERE. */
  get at(): number {
    return Atomics.load(this.#words, AT);
  }

  /** Worker: begins with an entry of the batch, or with something else. */
  enter(at: number): void {
    Atomics.store(this.#words, AT, at);
    Atomics.add(this.#words, PROGRESS, 1);
  }

  /** Worker: the driver has returned. */
  leave(): void {
    this.enter(AT_REST);
  }
}
