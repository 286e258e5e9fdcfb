// `spool.mode: always`: each reading is on the disk before it is sent, so that not even a power cut loses what was read.
//
//   entries -> spool.append -> blocks: with a session  -> outbox, gone from the spool when the broker has all of a block
//                                      without one     -> replay reads them back in their turn

import { messagesIn, type SpoolBlock } from '../spool/record.js';
import type { Spool } from '../spool/spool.js';
import { BlockProgress } from './block-progress.js';
import type { Outbox } from './outbox.js';
import { type OutboxEntry, recordOf } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';

export interface WriteAheadOptions {
  readonly spool: Pick<Spool, 'append' | 'done' | 'trim' | 'takeBack'>;
  readonly outbox: Pick<Outbox, 'add'>;
  readonly outgoing: Pick<Outgoing, 'live'>;
  /** Whether readings can be sent at once: there is a session, and no older ones have to go first. */
  readonly isOpen: () => boolean;
}

export class WriteAhead {
  readonly #options: WriteAheadOptions;
  readonly #open = new Set<BlockProgress>();

  constructor(options: WriteAheadOptions) {
    this.#options = options;
  }

  /**
   * Writes entries to the disk, and puts them into the outbox then if they can be sent. What the spool drops is not sent
   * either: it has been counted as lost. What is not worth keeping goes past the disk.
   */
  async take(entries: readonly OutboxEntry[]): Promise<void> {
    const { spool, outbox, isOpen } = this.#options;
    const isHandedOut = isOpen();
    const records = entries.flatMap((entry) => recordOf(entry) ?? []);
    const blocks = records.length === 0 ? [] : await spool.append(records, { isHandedOut });
    for (const entry of entries) if (entry.keep === undefined) outbox.add(entry);
    if (!isHandedOut) return;
    // Where the session was lost meanwhile these come back with the next; replay may have another block in hand already.
    const isSent = isOpen();
    for (const block of blocks) {
      if (isSent) this.#send(block);
      else spool.takeBack(block.seq);
    }
  }

  /** The session is over: what the broker does not have will be read from the spool again. */
  giveBack(): void {
    for (const progress of this.#open) progress.trim(this.#options.spool);
    this.#open.clear();
  }

  #send(block: SpoolBlock): void {
    const { spool, outbox, outgoing } = this.#options;
    const messages = block.records.reduce((sum, record) => sum + messagesIn(record), 0);
    const progress = new BlockProgress(block, messages);
    this.#open.add(progress);
    let from = 0;
    for (const record of block.records) {
      const [first, end] = [from, from + messagesIn(record)];
      const onDone = (): void => {
        if (!progress.done(first, end)) return;
        this.#open.delete(progress);
        spool.done(block.seq);
      };
      outbox.add({ ...outgoing.live(record), onDone });
      from = end;
    }
  }
}
