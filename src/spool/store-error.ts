// What a store or the codec may throw. The `code` is what the spool decides by: go on from memory, set the folder aside, skip a
// block. The message is for people and names the folder or the block.

import { FerruleError } from '../core/errors.js';

/**
 * - `STORE_BLOCK`: one block cannot be read; the store has removed it and goes on.
 * - `STORE_CORRUPT`: the store as a whole cannot be used; set it aside.
 * - `STORE_LOCKED`: another process has it open.
 * - `STORE_IO`: the system refused (full, read-only, broken disk). Close it and open it again later.
 * - `STORE_CLOSED`: it was closed before the call.
 */
export type StoreTrouble = 'STORE_BLOCK' | 'STORE_CORRUPT' | 'STORE_LOCKED' | 'STORE_IO' | 'STORE_CLOSED';

/** Trouble with a store. */
export class StoreError extends FerruleError {
  declare readonly code: StoreTrouble;
  /** Messages lost with a block (`STORE_BLOCK`), as far as known. */
  readonly messages: number;

  constructor(code: StoreTrouble, message: string, options: { cause?: unknown; messages?: number } = {}) {
    super(code, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.messages = options.messages ?? 0;
  }
}
