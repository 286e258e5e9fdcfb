// A bounded FIFO between threads: the inbox of every thread is one. Bounded by a weight (count by default, bytes where a
// `weigh` function is given), with a policy for what happens when it is full. Items may be falsy; `undefined` is an item
// like any other, so answers are tagged.
//
//   put ->  [ tail ............ head ]  -> take / poll / takeAll
//            full: reject | drop-oldest | drop-newest         closed: what is in it can still be taken
//
// There are queues by the thousand, four to a device and most of them empty: an empty one is one small object. What it needs
// for its items and for those who wait is made when it is needed; a thread that is its reader does not even wait.
//
// An item goes straight to the taker that has waited longest, so whoever waits in `take` waits on an empty queue and
// cannot be overtaken. `ready` and `room` are news, not reservations: by the time the caller runs, another may have been
// quicker; look again and wait again.

import { WaitList } from './wait-list.js';

/** What becomes of an item when there is no room for it. `reject` leaves it with the caller, who may wait for room. */
export type FullPolicy = 'reject' | 'drop-oldest' | 'drop-newest';

/** What `put` did. `dropped-oldest`: queued, at the price of older items. `rejected`: still the caller's. */
export type PutResult = 'queued' | 'rejected' | 'dropped-oldest' | 'dropped-newest' | 'closed';

export type Taken<T> =
  | { readonly ok: true; readonly item: T }
  | { readonly ok: false; readonly why: 'closed' | 'aborted' };

export interface QueueOptions<T> {
  /** Most weight held; a single heavier item is still accepted when the queue is empty, so that it cannot get stuck. */
  readonly capacity: number;
  readonly whenFull: FullPolicy;
  /** Weight of an item; default 1 each, and an item that weighs less counts as 1. Must not change while the item is queued. */
  readonly weigh?: (item: T) => number;
  /** Told of every item that a drop policy discards. Must not throw. */
  readonly onDrop?: (item: T) => void;
}

/** Whose inbox a queue is: told that there is something to look at, so that it need not wait with a promise. */
export interface QueueReader {
  /** An item has come, or the queue has closed. To be taken as a hint, and not to be acted on before this turn is over. */
  wake(): void;
}

/** An item in its place; what it weighs is not asked twice. */
interface Queued<T> {
  readonly item: T;
  readonly weight: number;
  next: Queued<T> | undefined;
}

type Told = 'closed' | 'aborted';

/** A bounded queue with waits on both ends. Single-threaded: every call is atomic between two turns of the event loop. */
export class MessageQueue<T> {
  #head: Queued<T> | undefined;
  #tail: Queued<T> | undefined;
  #length = 0;
  #weight = 0;
  #dropped = 0;
  #isClosed = false;
  /** An item was rejected since one was last taken: a lighter one might fit, but its owner must not spin on `room`. */
  #hasRejected = false;
  #reader: QueueReader | undefined;
  #takers: WaitList<Taken<T>> | undefined;
  #lookers: WaitList<'ready' | Told> | undefined;
  #putters: WaitList<'room' | Told> | undefined;
  readonly #options: QueueOptions<T>;

  constructor(options: QueueOptions<T>) {
    this.#options = options;
  }

  /** Number of items held. */
  get length(): number {
    return this.#length;
  }

  /** Weight held (bytes, where the queue weighs bytes). */
  get weight(): number {
    return this.#weight;
  }

  /** Items discarded by the full policy since the queue was made. */
  get dropped(): number {
    return this.#dropped;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  /** False from the moment the queue is full, or has rejected an item, until something is taken out. */
  get hasRoom(): boolean {
    return this.#length === 0 || (!this.#hasRejected && this.#weight < this.#options.capacity);
  }

  /** Whether `put` would take this item now without dropping anything. */
  fits(item: T): boolean {
    return !this.#isClosed && this.#fits(this.#weigh(item));
  }

  /** From now on `reader` is told, and nobody else who was before. */
  readBy(reader: QueueReader): void {
    this.#reader = reader;
  }

  /** Adds an item, or does what the full policy says. Never waits. */
  put(item: T): PutResult {
    if (this.#isClosed) return 'closed';
    const taker = this.#takers?.shift();
    if (taker !== undefined) {
      taker({ ok: true, item });
      return 'queued';
    }
    const weight = this.#weigh(item);
    if (!this.#fits(weight)) return this.#putFull(item, weight);
    this.#append(item, weight);
    return 'queued';
  }

  /** Takes the oldest item, waiting for one. After `close`, what is left is still given out, then `closed`. */
  take(signal?: AbortSignal): Promise<Taken<T>> {
    if (signal?.aborted) return Promise.resolve({ ok: false, why: 'aborted' });
    if (this.#length > 0) return Promise.resolve({ ok: true, item: this.#shift() });
    if (this.#isClosed) return Promise.resolve({ ok: false, why: 'closed' });
    this.#takers ??= new WaitList();
    return this.#takers.wait(signal, { ok: false, why: 'aborted' });
  }

  /** Takes the oldest item if there is one, without waiting. */
  poll(): Taken<T> | undefined {
    return this.#length === 0 ? undefined : { ok: true, item: this.#shift() };
  }

  /** Moves everything queued to the end of `into`, without waiting; answers how many items that was. */
  takeAll(into: T[]): number {
    const count = this.#length;
    if (count === 0) return 0;
    while (this.#head !== undefined) into.push(this.#removeHead());
    this.#tellOfRoom();
    return count;
  }

  /** Resolves once an item is there (`ready`), the queue is closed and empty (`closed`), or `signal` has aborted. */
  ready(signal?: AbortSignal): Promise<'ready' | Told> {
    if (signal?.aborted) return Promise.resolve('aborted');
    if (this.#length > 0) return Promise.resolve('ready');
    if (this.#isClosed) return Promise.resolve('closed');
    this.#lookers ??= new WaitList();
    return this.#lookers.wait(signal, 'aborted');
  }

  /**
   * Resolves once there is room for at least one more unit, or with why there will be none; those who wait are told in
   * turn. After a rejected `put` it resolves when something has been taken out; a heavy item may be rejected again then,
   * and waits again.
   */
  room(signal?: AbortSignal): Promise<'room' | Told> {
    if (signal?.aborted) return Promise.resolve('aborted');
    if (this.#isClosed) return Promise.resolve('closed');
    if (this.hasRoom) return Promise.resolve('room');
    this.#putters ??= new WaitList();
    return this.#putters.wait(signal, 'aborted');
  }

  /** Refuses further items and wakes every waiter. What is queued stays takeable. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#takers?.settleAll({ ok: false, why: 'closed' });
    this.#lookers?.settleAll('closed'); // they wait on an empty queue only
    this.#putters?.settleAll('closed');
    this.#reader?.wake();
  }

  /** Takes out everything at once, closed or not. */
  drain(): T[] {
    const items: T[] = [];
    this.takeAll(items);
    return items;
  }

  #weigh(item: T): number {
    const { weigh } = this.#options;
    return weigh === undefined ? 1 : Math.max(1, weigh(item));
  }

  #fits(weight: number): boolean {
    return this.#length === 0 || this.#weight + weight <= this.#options.capacity;
  }

  #putFull(item: T, weight: number): PutResult {
    if (this.#options.whenFull === 'reject') {
      this.#hasRejected = true;
      return 'rejected';
    }
    if (this.#options.whenFull === 'drop-newest') {
      this.#countDrop(item);
      return 'dropped-newest';
    }
    while (!this.#fits(weight)) this.#countDrop(this.#removeHead());
    this.#append(item, weight);
    if (this.hasRoom) this.#putters?.settleAll('room'); // the new item may be lighter than those it has pushed out
    return 'dropped-oldest';
  }

  #append(item: T, weight: number): void {
    const queued: Queued<T> = { item, weight, next: undefined };
    if (this.#tail === undefined) this.#head = queued;
    else this.#tail.next = queued;
    this.#tail = queued;
    this.#length += 1;
    this.#weight += weight;
    this.#lookers?.settleAll('ready');
    this.#reader?.wake();
  }

  #shift(): T {
    const item = this.#removeHead();
    this.#tellOfRoom();
    return item;
  }

  /**
   * One waiter per item taken, so that thousands who wait for one uplink are not all woken for the room of one item. If
   * that one makes no use of it, the next item taken wakes the next; an empty queue, with no next item, wakes all.
   */
  #tellOfRoom(): void {
    this.#hasRejected = false;
    if (this.#length === 0) this.#putters?.settleAll('room');
    else if (this.hasRoom) this.#putters?.shift()?.('room');
  }

  #removeHead(): T {
    const head = this.#head as Queued<T>; // callers have checked length > 0
    const { item, weight, next } = head;
    head.next = undefined; // or one that is old for the garbage collector keeps all that came behind it
    this.#head = next;
    if (next === undefined) this.#tail = undefined;
    this.#length -= 1;
    this.#weight -= weight;
    return item;
  }

  #countDrop(item: T): void {
    this.#dropped += 1;
    this.#options.onDrop?.(item);
  }
}
