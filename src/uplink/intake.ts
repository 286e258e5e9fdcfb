// From the inbox of the uplink's send thread into the outbox: straight, or by way of the disk (`spool.mode: always`), or nowhere,
// where the broker is away and nothing is kept.
//
//   [inbox] -> poll ------------------> outbox
//          '-> drain -> write-ahead --> outbox, once it is on the disk; at the end straight, where that is full

import type { MessageQueue } from '../core/queue.js';
import { countOf } from '../device/message.js';
import type { DropLog } from './drop-log.js';
import type { IntakeRoom } from './intake-room.js';
import type { Outbox } from './outbox.js';
import { costOf, type OutboxEntry } from './outbox-entry.js';
import type { WriteAhead } from './write-ahead.js';

export interface IntakeOptions {
  readonly inbox: MessageQueue<OutboxEntry>;
  readonly outbox: Pick<Outbox, 'add'>;
  /** Absent where nothing is written before it is sent. */
  readonly writeAhead: Pick<WriteAhead, 'take'> | undefined;
  readonly drops: Pick<DropLog, 'note'>;
  readonly room: Pick<IntakeRoom, 'isThere' | 'isBeside' | 'isHurried'>;
  /** Readings are sent, or kept: there is a session, or a spool. */
  readonly isKept: () => boolean;
}

export class Intake {
  readonly #options: IntakeOptions;
  #notKept = 0;
  /** What is being written before it is sent. */
  #writing: readonly OutboxEntry[] = [];
  /** What was in the inbox when the thread had to end. */
  #left: readonly OutboxEntry[] = [];
  /** See `#goesPastDisk`. */
  #isPastDisk = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Messages that went nowhere. */
  get notKept(): number {
    return this.#notKept;
  }

  /** What neither the outbox nor the disk has yet. */
  get held(): readonly OutboxEntry[] {
    return [...this.#left, ...this.#writing];
  }

  /**
   * Moves what waits in the inbox to the outbox, while there is room or `isForced`. Where it is written to the disk before, a promise
   * that resolves when that is done.
   */
  takeIn(isForced: boolean): Promise<void> | undefined {
    const { writeAhead } = this.#options;
    if (writeAhead !== undefined && !this.#goesPastDisk(isForced)) return this.#takeInWritten(writeAhead, isForced);
    for (let entry = this.#next(isForced); entry !== undefined; entry = this.#next(isForced)) this.take(entry);
    return undefined;
  }

  take(entry: OutboxEntry): void {
    if (entry.urgent !== undefined || this.#options.isKept()) this.#options.outbox.add(entry);
    else this.#dropUnkept(entry);
  }

  /** Takes in nothing more: what is still in the inbox is left over. */
  giveUp(): void {
    this.#left = this.#options.inbox.drain();
  }

  /**
   * The gateway is ending, and the disk that each reading is to be written to first makes devices wait: the broker may still take
   * them, and what it does not take is named as lost. From then on all go that way, so that none overtakes another.
   */
  #goesPastDisk(isForced: boolean): boolean {
    const { room } = this.#options;
    this.#isPastDisk ||= (isForced || room.isHurried) && !room.isBeside(0);
    return this.#isPastDisk;
  }

  async #takeInWritten(writeAhead: Pick<WriteAhead, 'take'>, isForced: boolean): Promise<void> {
    this.#writing = this.#takeForDisk(isForced);
    await writeAhead.take(this.#writing);
    this.#writing = [];
  }

  /** All of it, since the inbox holds less than the outbox may; or what the disk has room for. */
  #takeForDisk(isForced: boolean): OutboxEntry[] {
    const { inbox, room } = this.#options;
    if (isForced || room.isBeside(inbox.weight)) return inbox.drain();
    const entries: OutboxEntry[] = [];
    for (let bytes = 0; room.isBeside(bytes); ) {
      const taken = inbox.poll();
      if (!taken?.ok) break;
      entries.push(taken.item);
      bytes += costOf(taken.item);
    }
    return entries;
  }

  #next(isForced: boolean): OutboxEntry | undefined {
    const { inbox, room } = this.#options;
    const taken = isForced || room.isThere ? inbox.poll() : undefined;
    return taken?.ok ? taken.item : undefined;
  }

  #dropUnkept({ device, batch }: OutboxEntry): void {
    this.#notKept += countOf(batch);
    this.#options.drops.note(device, countOf(batch), 'the broker is away and spool.mode is off');
  }
}
