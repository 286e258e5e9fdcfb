// How much of a block of the spool the broker has. Blocks are sent message by message or record by record, and acknowledged in
// whatever pieces; the spool is told of a whole block, or at the end of a session of what has arrived without a gap.

import type { SpoolBlock } from '../spool/record.js';
import type { Spool } from '../spool/spool.js';

export class BlockProgress {
  readonly block: SpoolBlock;
  readonly messages: number;
  /** 1 for each message that the broker has. */
  readonly #isDone: Uint8Array;
  #left: number;

  constructor(block: SpoolBlock, messages: number) {
    this.block = block;
    this.messages = messages;
    this.#isDone = new Uint8Array(messages);
    this.#left = messages;
  }

  /** The broker has messages `from` to `to` (excluded), each told once; true with the last ones. */
  done(from: number, to: number): boolean {
    this.#isDone.fill(1, from, to);
    this.#left -= to - from;
    return this.#left === 0;
  }

  /** Tells the spool what need not be sent again. */
  trim(spool: Pick<Spool, 'trim'>): void {
    const firstMissing = this.#isDone.indexOf(0);
    if (firstMissing > 0) spool.trim(this.block.seq, firstMissing);
  }
}
