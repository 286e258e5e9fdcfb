// A DecoderSink that keeps what it is given, for tests of decoders and drivers.

import type { DecoderSink } from '../../src/device/decoder.js';
import type { ReadingBatch } from '../../src/device/message.js';

/** One call of `junk`. */
export interface CollectedJunk {
  readonly reason: string;
  readonly bytes: Buffer;
  readonly droppedBytes: number;
}

export class CollectingSink implements DecoderSink {
  readonly batches: ReadingBatch[] = [];
  readonly junked: CollectedJunk[] = [];

  readings(batch: ReadingBatch): void {
    this.batches.push(batch);
  }

  junk(reason: string, bytes: Buffer, droppedBytes: number): void {
    this.junked.push({ reason, bytes, droppedBytes });
  }

  /** All readings in order, as text in which each byte is one character. */
  get texts(): string[] {
    return this.batches.flatMap(textsOf);
  }

  /** All readings in order, parsed as JSON. */
  get objects(): unknown[] {
    return this.batches.flatMap(buffersOf).map((bytes) => JSON.parse(bytes.toString()));
  }

  get reasons(): string[] {
    return this.junked.map(({ reason }) => reason);
  }
}

function buffersOf({ bytes, bounds }: ReadingBatch): Buffer[] {
  return Array.from(bounds).flatMap((start, i) => (i % 2 === 0 ? [bytes.subarray(start, bounds[i + 1])] : []));
}

/** The readings of a batch, as text in which each byte is one character. */
export function textsOf(batch: ReadingBatch): string[] {
  return buffersOf(batch).map((bytes) => bytes.toString('latin1'));
}
