// Gathers the readings of one call into as few ReadingBatch as possible. Two kinds, for the two ways a reading comes about:
//
//   SliceBatch  driver without decode: the frame is the reading; bounds into the buffer that came from the link, no copy
//   JsonBatch   driver with decode: readings as JSON text, written once into a buffer of just the right size

import type { Loan } from '../core/loan.js';
import type { ReadingBatch } from './message.js';

/** Takes each batch as it is complete. */
export type TakeBatch = (batch: ReadingBatch) => void;

// A slice keeps its whole buffer alive: up to 64 KiB (serial read pool) for a line of 20 bytes, as long as the line waits in a
// queue. Above these limits the few bytes are copied out. Not out of Node's own pool for small buffers, which the copy may share: 8 KiB,
// 64 KiB from Node 24 on.
const SMALL_BUFFER = Math.max(8192, Buffer.poolSize);
const MAX_WASTE = 4;

/** Readings that are slices of the link's buffers. Adding one allocates nothing but room in the list of bounds. */
export class SliceBatch {
  readonly #take: TakeBatch;
  #bytes: Buffer | undefined;
  #bounds: number[] = [];
  /** The buffer that is on loan, and its loan. */
  #lent: Buffer | undefined;
  #loan: Loan | undefined;

  constructor(take: TakeBatch) {
    this.#take = take;
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
    this.#bounds.push(start, end);
  }

  /** Hands out what was added since last time, if anything. */
  handOut(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const bounds = this.#bounds;
    this.#bytes = undefined;
    this.#bounds = [];
    if (isWasteful(bytes, bounds)) this.#take(compact(bytes, bounds));
    else this.#take({ bytes, bounds, loan: this.#isLent(bytes) ? this.#loan?.share() : undefined });
  }
}

function isWasteful(bytes: Buffer, bounds: readonly number[]): boolean {
  const retained = bytes.buffer.byteLength;
  return retained > SMALL_BUFFER && retained > MAX_WASTE * payloadOf(bounds);
}

function payloadOf(bounds: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < bounds.length; i += 2) sum += (bounds[i] ?? 0) - (bounds[i - 1] ?? 0);
  return sum;
}

/** The same readings, side by side in a buffer of their own. */
function compact(from: Buffer, oldBounds: readonly number[]): ReadingBatch {
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
