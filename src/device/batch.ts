// Gathers the readings of one call into as few ReadingBatch as possible. Two kinds, for the two ways a reading comes about:
//
//   SliceBatch  driver without decode: the frame is the reading; bounds into the buffer that came from the link, no copy
//   JsonBatch   driver with decode: readings as JSON text, written once into a buffer of just the right size

import { type Bounds, BoundsPool } from '../core/bounds-pool.js';
import { Loan } from '../core/loan.js';
import type { ReadingBatch } from './message.js';

/** Takes each batch as it is complete. */
export type TakeBatch = (batch: ReadingBatch) => void;

// A slice keeps its whole buffer alive: up to 64 KiB (serial read pool) for a line of 20 bytes, as long as the line waits in a
// queue. Above these limits the few bytes are copied out. Not out of Node's own pool for small buffers, which the copy may share: 8 KiB,
// 64 KiB from Node 24 on.
const SMALL_BUFFER = Math.max(8192, Buffer.poolSize);
const MAX_WASTE = 4;
/** Up to so many bounds a plain array is cheaper than a typed one. */
const FEW = 32;

const NO_BOUNDS = new Uint32Array(0);
const boundsOfAll = new BoundsPool();

/** Readings that are slices of the link's buffers. Adding one allocates nothing. */
export class SliceBatch {
  readonly #take: TakeBatch;
  readonly #pool: BoundsPool;
  #bytes: Buffer | undefined;
  /** Here only while there are readings in it: thousands of connections share the pool. */
  #bounds: Uint32Array = NO_BOUNDS;
  #length = 0;
  /** The buffer that is on loan, and its loan. */
  #lent: Buffer | undefined;
  #loan: Loan | undefined;

  constructor(take: TakeBatch, pool = boundsOfAll) {
    this.#take = take;
    this.#pool = pool;
  }

  /** Batches of `bytes` have a share in its loan, until `endLoan`. */
  lend(bytes: Buffer, loan: Loan): void {
    this.#lent = bytes;
    this.#loan = loan;
  }

  endLoan(): void {
    this.#lent = undefined;
    this.#loan?.done();
    this.#loan = undefined;
  }

  /** Also a part of what was lent: a framer may have gone on with the rest of a chunk. */
  #isLent(bytes: Buffer): boolean {
    const lent = this.#lent;
    if (bytes.buffer !== lent?.buffer) return false;
    const from = bytes.byteOffset - lent.byteOffset;
    return from >= 0 && from + bytes.length <= lent.length;
  }

  /** Adds `bytes[start, end)`. Another buffer than before (a frame that straddled chunks was joined) begins a new batch. */
  add(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.handOut();
      this.#bytes = bytes;
    }
    if (this.#length === this.#bounds.length) this.#makeRoom();
    this.#bounds[this.#length++] = start;
    this.#bounds[this.#length++] = end;
  }

  /** Hands out what was added since last time, if anything. */
  handOut(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const memory = this.#bounds;
    const length = this.#length;
    this.#bytes = undefined;
    this.#bounds = NO_BOUNDS;
    this.#length = 0;
    this.#take(length > FEW ? this.#manyOf(bytes, memory, length) : this.#fewOf(bytes, memory, length));
  }

  #makeRoom(): void {
    this.#bounds = this.#bounds === NO_BOUNDS ? this.#pool.take() : this.#pool.grow(this.#bounds);
  }

  #fewOf(bytes: Buffer, memory: Uint32Array, length: number): ReadingBatch {
    const bounds: number[] = [];
    for (let i = 0; i < length; i++) bounds.push(memory[i] ?? 0);
    this.#pool.giveBack(memory);
    if (isWasteful(bytes, bounds)) return compact(bytes, bounds);
    return { bytes, bounds, loan: this.#isLent(bytes) ? this.#loan?.share() : undefined };
  }

  /** With a chunk that is lent its bounds are lent, too. */
  #manyOf(bytes: Buffer, memory: Uint32Array, length: number): ReadingBatch {
    const bounds = memory.subarray(0, length);
    const isTooWasteful = isWasteful(bytes, bounds);
    if (!isTooWasteful && this.#isLent(bytes)) return { bytes, bounds, loan: this.#loanWith(memory) };
    const batch = isTooWasteful ? compact(bytes, bounds) : { bytes, bounds: bounds.slice() };
    this.#pool.giveBack(memory);
    return batch;
  }

  #loanWith(memory: Uint32Array): Loan {
    const chunk = this.#loan?.share();
    return new Loan(() => {
      this.#pool.giveBack(memory);
      chunk?.done();
    });
  }
}

function isWasteful(bytes: Buffer, bounds: Bounds): boolean {
  const retained = bytes.buffer.byteLength;
  return retained > SMALL_BUFFER && retained > MAX_WASTE * payloadOf(bounds);
}

function payloadOf(bounds: Bounds): number {
  let sum = 0;
  for (let i = 1; i < bounds.length; i += 2) sum += (bounds[i] ?? 0) - (bounds[i - 1] ?? 0);
  return sum;
}

/** The same readings, side by side in a buffer of their own. */
function compact(from: Buffer, oldBounds: Bounds): ReadingBatch {
  const bytes = Buffer.allocUnsafe(payloadOf(oldBounds));
  const bounds: number[] = [];
  let at = 0;
  for (let i = 1; i < oldBounds.length; i += 2) {
    const end = at + from.copy(bytes, at, oldBounds[i - 1], oldBounds[i]);
    bounds.push(at, end);
    at = end;
  }
  return { bytes, bounds };
}

/** Readings that are JSON texts. */
export class JsonBatch {
  readonly #take: TakeBatch;
  #texts: string[] = [];

  constructor(take: TakeBatch) {
    this.#take = take;
  }

  add(json: string): void {
    this.#texts.push(json);
  }

  /** Hands out what was added since last time, if anything. */
  handOut(): void {
    if (this.#texts.length === 0) return;
    const texts = this.#texts;
    this.#texts = [];
    const bounds: number[] = [];
    let at = 0;
    for (const text of texts) {
      const end = at + Buffer.byteLength(text);
      bounds.push(at, end);
      at = end;
    }
    this.#take({ bytes: Buffer.from(texts.join('')), bounds });
  }
}
