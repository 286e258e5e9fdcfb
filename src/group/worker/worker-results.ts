// In the Worker: gathers what the decoder hands out into one message. Readings of chunks that came within 10 ms of each other
// become one batch, with the time of the first.

import type { Decoder, DecoderSink } from '../../device/decoder.js';
import type { ReadingBatch } from '../../device/message.js';
import type { DecodedMessage, Result } from './worker-protocol.js';

const SAME_TIME_MS = 10;
/** Bytes of readings that one chunk may give: what the main thread must be ready to take from a driver gone mad. */
const MAX_RESULT_BYTES = 8 * 1024 * 1024;

interface OpenReadings {
  readonly entry: number;
  readonly at: number;
  readonly bounds: number[];
}

export class WorkerResults implements DecoderSink {
  #parts: Uint8Array[] = [];
  #length = 0;
  #results: Result[] = [];
  #open: OpenReadings | undefined;
  #entry = -1;
  #at = 0;
  #allowance = MAX_RESULT_BYTES;

  /** What is handed out from here on belongs to this entry of the batch (-1: to none), which came at `at` ms. */
  begin(entry: number, at: number): void {
    this.#entry = entry;
    this.#at = at;
    this.#allowance = MAX_RESULT_BYTES;
  }

  readings({ bytes, bounds }: ReadingBatch): void {
    const first = bounds[0] ?? 0;
    const span = bytes.subarray(first, bounds[bounds.length - 1]); // delimiters between the readings are copied along
    this.#spend(span.length);
    const open = this.#openReadings();
    for (const bound of bounds) open.bounds.push(bound - first + this.#length);
    this.#add(span);
  }

  junk(reason: string, bytes: Buffer, droppedBytes: number): void {
    this.#closeReadings();
    const start = this.#length;
    this.#add(bytes);
    this.#results.push({ kind: 'junk', reason, start, end: this.#length, droppedBytes });
  }

  /** True if anything was handed out since the last message. */
  get hasAny(): boolean {
    return this.#results.length > 0 || this.#open !== undefined;
  }

  /** The message with all that was handed out since the last one; its buffers are to be transferred. */
  take(upTo: number, { stats, held }: Pick<Decoder, 'stats' | 'held'>): DecodedMessage {
    this.#closeReadings();
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const message: DecodedMessage = {
      kind: 'decoded',
      upTo,
      bytes: bytes.buffer,
      results: this.#results,
      stats,
      isInFrame: held > 0,
    };
    this.#parts = [];
    this.#length = 0;
    this.#results = [];
    return message;
  }

  #openReadings(): OpenReadings {
    if (this.#open !== undefined && this.#at - this.#open.at > SAME_TIME_MS) this.#closeReadings();
    this.#open ??= { entry: this.#entry, at: this.#at, bounds: [] };
    return this.#open;
  }

  #closeReadings(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#results.push({ kind: 'readings', entry: open.entry, bounds: Uint32Array.from(open.bounds) });
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  #spend(bytes: number): void {
    this.#allowance -= bytes;
    if (this.#allowance < 0)
      throw new Error(`more than ${MAX_RESULT_BYTES / 1024 ** 2} MiB of readings from one chunk`);
  }
}
