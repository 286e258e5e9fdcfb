// Memory for what comes in through sockets. All of them read into one buffer, since only one reads at a time; what came is copied
// out at once. A large read goes into memory that was used before: 64 KiB of new memory for each would be 30 MB of garbage before
// the collector comes round, and the kernel would have to clear all of it.
//
//   socket -> incoming -> copy of a few bytes          its own memory
//                      \-> copy of 16 KiB and more     on loan: back here when the readings in it are on their way

import { Loan } from '../../core/loan.js';

/** What the system is asked for at once: as much as Node asks for. */
const READ_BYTES = 64 * 1024;
/** Below this a read is no burden, and would waste most of a large buffer. */
const LEND_FROM = 16 * 1024;
/** Buffers that wait to be used again: the rest is the collector's. */
const MAX_FREE = 16;

/** Takes what came. Without a loan the bytes are the taker's. */
export type TakeChunk = (bytes: Buffer, loan?: Loan) => void;

export class ChunkPool {
  readonly #free: Buffer[] = [];
  readonly #onReturn: ((memory: Buffer) => void) | undefined;
  #incoming: Buffer | undefined;

  /** `onReturn` is told of memory that has come back: for tests, which spoil it. */
  constructor(onReturn?: (memory: Buffer) => void) {
    this.#onReturn = onReturn;
  }

  /** Where sockets read to. What is there is good until the next read. */
  get incoming(): Buffer {
    this.#incoming ??= Buffer.allocUnsafeSlow(READ_BYTES);
    return this.#incoming;
  }

  /** Buffers that wait to be used again. */
  get free(): number {
    return this.#free.length;
  }

  /** Hands on the first `count` bytes of `incoming`, copied out. */
  handOn(count: number, take: TakeChunk): void {
    const read = this.incoming.subarray(0, count);
    if (count < LEND_FROM) {
      take(Buffer.from(read));
      return;
    }
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
    memory.set(read);
    take(memory.subarray(0, count), new Loan(() => this.#giveBack(memory)));
  }

  #giveBack(memory: Buffer): void {
    this.#onReturn?.(memory);
    if (this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}
