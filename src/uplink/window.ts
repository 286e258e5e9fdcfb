// The window of unacknowledged QoS 1 messages: a ring in the order of sending. Ids are given out in sequence, so an id's
// place in the ring is arithmetic and no map is kept. Brokers must acknowledge in order (MQTT-4.6.0-2); the window
// tolerates those that do not: a hole stays in the ring until everything before it is acknowledged.
//
//   head id ->  [ acked | open | acked | open | open ]  -> next id
//                 ^ popped as soon as it is acked           span = 5, unacknowledged = 3

import { FIRST_PUBLISH_ID, PUBLISH_IDS, publishIdAfter, publishIdDistance } from './packet-ids.js';

/**
 * Most messages unacknowledged, whatever the broker allows. What a loss of the session may double; reached only by tens of thousands of
 * lines a second, where half of it costs about a tenth more CPU per line.
 */
export const MAX_UNACKNOWLEDGED = 512;

// Room for holes: a broker that never acknowledges one message stops us after this many more, not never.
const SLOTS = 4 * MAX_UNACKNOWLEDGED;

/** In the place of an owner who does not wait any more. */
const LEFT = Symbol('left');

/** Keeps who sent which message. `Owner` is what the messages were taken from; `index` the message's place in it. */
export class Window<Owner> {
  readonly #owners: (Owner | typeof LEFT | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #indexes = new Uint32Array(SLOTS);
  #receiveMaximum = Number.POSITIVE_INFINITY;
  #head = 0;
  #span = 0;
  #unacknowledged = 0;
  /** Not acknowledged either, but nobody waits for it. */
  #left = 0;
  #nextId: number;

  constructor(firstId = FIRST_PUBLISH_ID) {
    this.#nextId = firstId;
  }

  /** Messages sent and not acknowledged. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** How many more messages may be sent now. Never negative, also after the limit was lowered. */
  get room(): number {
    const ours = MAX_UNACKNOWLEDGED - this.#unacknowledged;
    const brokers = this.#receiveMaximum - this.#unacknowledged - this.#left;
    return Math.max(0, Math.min(ours, brokers, SLOTS - this.#span));
  }

  /** The id that the next message sent will have; those after it follow by `publishIdAfter`. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Takes on the broker's Receive Maximum (1 to 65535). */
  limitTo(receiveMaximum: number): void {
    this.#receiveMaximum = receiveMaximum;
  }

  /** Notes messages `from` to `to` (excluded) of `owner` as sent with consecutive ids from `nextId`. At most `room`. */
  send(owner: Owner, from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const slot = (this.#head + this.#span++) % SLOTS;
      this.#owners[slot] = owner;
      this.#indexes[slot] = index;
    }
    this.#unacknowledged += to - from;
    this.#nextId = publishIdAfter(this.#nextId, to - from);
  }

  /** Takes an acknowledgement: whose message it was, or `undefined` for an id that is not open (twice, or never sent). */
  ack(id: number): Owner | undefined {
    const distance = id < FIRST_PUBLISH_ID ? this.#span : publishIdDistance(this.#headId(), id);
    if (distance >= this.#span) return undefined;
    const slot = (this.#head + distance) % SLOTS;
    const owner = this.#owners[slot];
    if (owner === undefined) return undefined;
    this.#owners[slot] = undefined;
    if (owner === LEFT) this.#left--;
    else this.#unacknowledged--;
    this.#popAcknowledged();
    return owner === LEFT ? undefined : owner;
  }

  /** Shows each unacknowledged message, in the order of sending. */
  each(visit: (owner: Owner, index: number) => void): void {
    for (let place = 0; place < this.#span; place++) {
      const slot = (this.#head + place) % SLOTS;
      const owner = this.#owners[slot];
      if (owner !== undefined && owner !== LEFT) visit(owner, this.#indexes[slot] ?? 0);
    }
  }

  /** Nobody waits for what is open any more, but the broker still has it in hand: it counts for its Receive Maximum. */
  leave(): void {
    for (let place = 0; place < this.#span; place++) {
      const slot = (this.#head + place) % SLOTS;
      if (this.#owners[slot] !== undefined) this.#owners[slot] = LEFT;
    }
    this.#left += this.#unacknowledged;
    this.#unacknowledged = 0;
  }

  /** Forgets everything: the connection that could have acknowledged is gone. Ids go on from where they were. */
  clear(): void {
    this.#owners.fill(undefined);
    this.#span = 0;
    this.#unacknowledged = 0;
    this.#left = 0;
  }

  #headId(): number {
    return publishIdAfter(this.#nextId, PUBLISH_IDS - this.#span);
  }

  #popAcknowledged(): void {
    while (this.#span > 0 && this.#owners[this.#head] === undefined) {
      this.#head = (this.#head + 1) % SLOTS;
      this.#span--;
    }
  }
}
