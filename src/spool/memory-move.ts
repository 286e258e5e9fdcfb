// What was kept in memory while the disk refused goes to the disk when that works again: behind what is there, in order.

import { encodeBlock } from './block-codec.js';
import type { DiskKeeper } from './disk-keeper.js';
import { readBlock } from './drops.js';
import type { Shelf } from './shelf.js';
import { refOf, type StoredBlock } from './store.js';

/**
 * Moves blocks as far as there is room; answers how many messages. `knownFrom`: numbers below it are on the disk already, since a
 * write that failed may have come through all the same.
 */
export async function moveToDisk(shelf: Shelf, disk: DiskKeeper, knownFrom: number): Promise<number> {
  let moved = 0;
  for (let block = await shelf.first(); block !== undefined; block = await shelf.first()) {
    const isThere = block.seq < knownFrom;
    const stored = isThere ? block : renumbered(block, Math.max(block.seq, disk.nextSeq));
    if (!isThere && !(await disk.take(stored))) break;
    await shelf.remove([block]);
    shelf.handOver(disk.shelf, block.seq, refOf(stored));
    moved += block.messages;
  }
  return moved;
}

/** A block under another number. What cannot be read keeps its bytes, and is found out when it is sent. */
function renumbered(block: StoredBlock, seq: number): StoredBlock {
  if (seq === block.seq) return block;
  const read = readBlock(block);
  return { ...block, seq, bytes: read === undefined ? block.bytes : encodeBlock(seq, read.records) };
}
