// What waits in the outbox, in three lanes, and which of them leaves next. Knows no packets and no window: the outbox takes
// items off here as it writes them, and puts back what a lost session had not acknowledged.
//
//   urgent   states, answers to commands: before all others; bounded here
//   live     readings that have just come; bounded by who adds them
//   kept     messages read back from the spool; bounded by who reads them

import { countOf, type ReadingBatch } from '../device/message.js';
import { Lane } from './lane.js';
import { costOf, type OutboxEntry } from './outbox-entry.js';

/** Which readings leave first: those that have just come, or those from the spool, which came before them. */
export type ReplayOrder = 'live-first' | 'in-order';

/** An entry on its way. */
export interface Item extends Omit<OutboxEntry, 'batch' | 'isKept'> {
  batch: ReadingBatch;
  isKept?: boolean | undefined;
  /** Bytes it counts for, until all of it is gone: the batch's buffer is released as a whole. */
  readonly cost: number;
  /** First reading not written yet. */
  cursor: number;
  unacknowledged: number;
  next: Item | undefined;
}

export class Lanes {
  readonly urgent = new Lane<Item>();
  readonly live = new Lane<Item>();
  readonly kept = new Lane<Item>();
  order: ReplayOrder = 'live-first';
  /** In order: live ones stay where they are, since older ones have not been read back yet. */
  holdsLive = false;
  readonly #maxUrgentBytes: number;

  constructor(maxUrgentBytes: number) {
    this.#maxUrgentBytes = maxUrgentBytes;
  }

  get isEmpty(): boolean {
    return (this.urgent.head ?? this.live.head ?? this.kept.head) === undefined;
  }

  /** What leaves next. */
  get next(): Item | undefined {
    if (this.urgent.head !== undefined) return this.urgent.head;
    if (this.order === 'live-first') return this.live.head ?? this.kept.head;
    return this.kept.head ?? (this.holdsLive ? undefined : this.live.head);
  }

  of({ urgent, isKept }: Pick<OutboxEntry, 'urgent' | 'isKept'>): Lane<Item> {
    if (urgent) return this.urgent;
    return isKept ? this.kept : this.live;
  }

  /** Puts an entry behind the others of its lane. False: it is urgent, and there is no room. */
  append(entry: OutboxEntry): boolean {
    const cost = costOf(entry);
    if (entry.urgent && this.urgent.bytes > 0 && this.urgent.bytes + cost > this.#mostBytes(entry.urgent)) return false;
    this.of(entry).append(itemOf(entry, cost));
    return true;
  }

  /**
   * Takes out the live entries of which nothing is on its way and which are not in the spool yet: they go there, the oldest
   * first, as long as `hasRoom` for all of them, in bytes. What has been written of them already is not in them any more.
   */
  takeLive(hasRoom: (bytes: number) => boolean = () => true): OutboxEntry[] {
    const taken: OutboxEntry[] = [];
    let bytes = 0;
    let isFull = false;
    for (const item of this.live.takeAll()) {
      const isOurs = item.unacknowledged === 0 && !isStored(item);
      isFull ||= isOurs && !hasRoom(bytes + item.cost);
      this.live.release(item);
      if (isOurs && !isFull) {
        bytes += item.cost;
        taken.push({ ...item, batch: unsentOf(item, []) });
      } else this.live.append(item);
    }
    return taken;
  }

  /** Lets go of what the spool has too: it stays there for another time. Only after a loss. */
  forgetStored(): void {
    for (const lane of [this.live, this.kept]) {
      for (const item of lane.takeAll()) {
        lane.release(item);
        if (!isStored(item)) lane.append(item);
      }
    }
  }

  /** Up to which an urgent entry is taken: a watched line on a connection that hangs must not push out answers to commands. */
  #mostBytes(urgent: 'answer' | 'news'): number {
    return urgent === 'news' ? this.#maxUrgentBytes / 2 : this.#maxUrgentBytes;
  }

  /** What was worth telling in the lost session only. */
  forgetNews(): void {
    for (const item of this.urgent.takeAll()) {
      this.urgent.release(item);
      if (item.urgent !== 'news') this.urgent.append(item);
    }
  }
}

/** The spool has it: it is not lost with us. */
export function isStored({ isKept, onDone, urgent }: Item): boolean {
  return isKept === true || (onDone !== undefined && urgent === undefined);
}

/** Messages not written yet. */
export function unwritten(item: Item): number {
  return countOf(item.batch) - item.cursor;
}

/** What is left of an item after a loss: the unacknowledged readings and those never written. */
export function unsentOf(item: Item, unacknowledged: readonly number[]): ReadingBatch {
  const { bytes, bounds } = item.batch;
  const kept: number[] = [];
  for (const index of unacknowledged) kept.push(bounds[2 * index] ?? 0, bounds[2 * index + 1] ?? 0);
  return { bytes, bounds: kept.concat(Array.from(bounds.slice(2 * item.cursor))) };
}

/** Spelled out: copying the entry with a spread costs ten times as much, and this is done for every serial line. */
function itemOf({ device, route, batch, urgent, keep, isKept, onDone }: OutboxEntry, cost: number): Item {
  return { device, route, batch, urgent, keep, isKept, onDone, cost, cursor: 0, unacknowledged: 0, next: undefined };
}
