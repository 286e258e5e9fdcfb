// Tells which messages will never be sent, and why: once each, per device.

import { decodeBlock } from './block-codec.js';
import { countIn, messagesIn, type SpoolBlock, type SpoolRecord } from './record.js';
import type { StoredBlock } from './store.js';
import { StoreError } from './store-error.js';

/** Why messages are dropped: sentences for the log and for `bridge/devices`. */
export const CAUSES = {
  tooOld: 'older than spool.max_age',
  fullOldest: 'the spool was full, and gave way to what is newer',
  fullNewest: 'the spool was full',
  tooLarge: 'larger than the whole spool',
  unreadable: 'unreadable in the spool',
  ended: 'the gateway ended while the disk spool could not be used',
  closed: 'the spool was closed',
} as const;

export type Cause = keyof typeof CAUSES;

/** `device` is '' where it cannot be read any more. `cause`: words for people. */
export type OnDrop = (device: string, messages: number, cause: string) => void;

export class Drops {
  readonly #onDrop: OnDrop;

  constructor(onDrop: OnDrop) {
    this.#onDrop = onDrop;
  }

  /** Messages of nobody knows whom. */
  unknown(messages: number, cause: Cause): void {
    if (messages > 0) this.#onDrop('', messages, CAUSES[cause]);
  }

  records(records: readonly SpoolRecord[], cause: Cause): void {
    const counts = new Map<string, number>();
    for (const record of records) {
      counts.set(record.device, (counts.get(record.device) ?? 0) + messagesIn(record));
    }
    for (const [device, messages] of counts) if (messages > 0) this.#onDrop(device, messages, CAUSES[cause]);
  }

  /** A block as it was read. */
  block(stored: StoredBlock, cause: Cause): void {
    const block = readBlock(stored);
    if (block === undefined) this.unknown(plausibleMessages(stored), cause);
    else this.records(block.records, cause);
  }
}

/** The records of a stored block; undefined: they cannot be read. */
export function readBlock({ seq, messages, bytes }: StoredBlock): SpoolBlock | undefined {
  try {
    const block = decodeBlock(seq, bytes);
    return countIn(block.records) === messages ? block : undefined;
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}

/** The count beside a damaged block may be damaged too; each message takes at least a byte. */
function plausibleMessages({ messages, bytes }: StoredBlock): number {
  return Math.min(messages, bytes.length);
}
