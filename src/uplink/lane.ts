// One line of waiting entries in the outbox: a linked list, since entries leave at the front, and come back there when a
// session is lost. Counts what its entries cost until they are released, also while they are on their way.

/** What can stand in a lane. */
export interface LaneItem<Self> {
  /** Bytes it counts for. */
  readonly cost: number;
  next: Self | undefined;
}

export class Lane<Item extends LaneItem<Item>> {
  #head: Item | undefined;
  #tail: Item | undefined;
  #bytes = 0;

  get head(): Item | undefined {
    return this.#head;
  }

  /** Cost of everything added and not released. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Puts a new item behind all others. */
  append(item: Item): void {
    if (this.#tail === undefined) this.#head = item;
    else this.#tail.next = item;
    this.#tail = item;
    this.#bytes += item.cost;
  }

  /** Puts an item that had left the lane before all others; one that is still at the front stays there. */
  putBack(item: Item): void {
    if (item === this.#head) return;
    item.next = this.#head;
    this.#head = item;
    this.#tail ??= item;
  }

  removeHead(): void {
    const head = this.#head;
    this.#head = head?.next;
    if (head !== undefined) head.next = undefined;
    if (this.#head === undefined) this.#tail = undefined;
  }

  /** Takes everything out, in order. What it costs stays counted. */
  takeAll(): Item[] {
    const items: Item[] = [];
    for (; this.#head !== undefined; this.removeHead()) items.push(this.#head);
    return items;
  }

  /** An item that has left the lane holds no memory any more. */
  release(item: Item): void {
    this.#bytes -= item.cost;
  }
}
