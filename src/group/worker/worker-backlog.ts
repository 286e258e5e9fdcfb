// Main thread: the entries of a WorkerDecoder from being pushed to being decoded. The first ones are out with the Worker, the
// others wait for it to come back.
//
//   add -> [waiting] -> sendable -> [out: done | not yet] -> through

import { batchLength, type DecodeEntry } from './worker-batch.js';

export class WorkerBacklog {
  #waiting: DecodeEntry[] = [];
  #out: readonly DecodeEntry[] = [];
  /** Of those out, how many are decoded. */
  #done = 0;
  #bytes = 0;
  #added = 0;
  #gone = 0;

  /** Bytes in entries that are not decoded. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries added so far, and how many of them are decoded or lost. */
  get added(): number {
    return this.#added;
  }

  get gone(): number {
    return this.#gone;
  }

  get isOut(): boolean {
    return this.#out.length > 0;
  }

  get isEmpty(): boolean {
    return this.#gone === this.#added;
  }

  add(entry: DecodeEntry): void {
    this.#waiting.push(entry);
    this.#added += 1;
    this.#bytes += entry.bytes.length;
  }

  /** Puts the next batch out and answers it; undefined while one is out, or if nothing waits. */
  sendable(): readonly DecodeEntry[] | undefined {
    if (this.isOut || this.#waiting.length === 0) return undefined;
    const length = batchLength(this.#waiting);
    const all = length === this.#waiting.length;
    this.#out = all ? this.#waiting : this.#waiting.slice(0, length);
    this.#waiting = all ? [] : this.#waiting.slice(length);
    this.#done = 0;
    return this.#out;
  }

  /** Entry of the batch that is out. */
  entry(index: number): DecodeEntry | undefined {
    return this.#out[index];
  }

  /** The first `upTo` entries of the batch are decoded. */
  through(upTo: number): void {
    for (const entry of this.#out.slice(this.#done, upTo)) this.#leave(entry);
    this.#done = Math.max(this.#done, upTo);
    if (this.#done >= this.#out.length) this.#out = [];
  }

  /** Takes out the entry of the batch at `index` if it is not decoded: the Worker has ended in the midst of it. */
  lose(index: number): DecodeEntry | undefined {
    const lost = index < this.#done ? undefined : this.#out[index];
    if (lost === undefined) return undefined;
    this.#out = this.#out.filter((entry) => entry !== lost);
    this.#leave(lost);
    return lost;
  }

  /** Puts an entry in the place of the one that was lost at `index`. */
  replace(index: number, entry: DecodeEntry): void {
    this.#out = this.#out.toSpliced(index, 0, entry);
    this.#added += 1;
    this.#bytes += entry.bytes.length;
  }

  /** Takes out all that is not decoded, in order. */
  drain(): readonly DecodeEntry[] {
    const left = [...this.#out.slice(this.#done), ...this.#waiting];
    for (const entry of left) this.#leave(entry);
    this.#out = [];
    this.#waiting = [];
    return left;
  }

  /** Whether what is not decoded leaves a frame begun, if one was before it. For entries without bytes. */
  endsInFrame(isBegun: boolean): boolean {
    const acts = [...this.#out.slice(this.#done), ...this.#waiting].map(({ act }) => act);
    const last = acts.findLast((act) => act === 'hole' || act === 'end');
    return last === undefined ? isBegun : last === 'hole';
  }

  #leave(entry: DecodeEntry): void {
    this.#bytes -= entry.bytes.length;
    this.#gone += 1;
  }
}
