// What waits for the broker: messages in the order in which they came, bounded in bytes. The uplink's send thread adds
// and pumps; acknowledgements and losses of the session are reported here. Knows packets and the window, but no socket:
// it writes through a PacketWriter, which a session is.
//
//   add -> [ urgent: head ...... tail ] -.
//   add -> [ bulk:   head ...... tail ] --+-> pump -> [ window: written, unacknowledged ] -> ack -> gone
//              ^                                         |               QoS 0: gone once written
//              '--- onLoss: unacknowledged messages, in order, before what was not sent; news are forgotten
//
// Two lanes: what is urgent (states, answers to commands) leaves before what is bulk (readings), so that it does not wait
// behind a backlog of megabytes. Promises: order within a lane is kept per device, except that after a loss what was on its
// way is sent again (at least once). Nothing is discarded without being counted. Each lane is bounded in bytes.

import { countOf, type ReadingBatch } from '../device/message.js';
import { DropCounter, type DropCounts } from './drop-counter.js';
import { Lane } from './lane.js';
import { costOf, type OutboxEntry } from './outbox-entry.js';
import { BUFFER_BYTES, BufferPool, type PacketBuffer } from './packet-buffer.js';
import {
  makePublishHeader,
  type PackLimits,
  type ProtocolVersion,
  type PublishHeader,
  type PublishRoute,
  packReadings,
} from './publish-packet.js';
import { Window } from './window.js';

/** What becomes of an entry when there is no room. `reject` leaves it with the caller, who waits for `onRoom`. */
export type WhenFull = 'reject' | 'drop-oldest' | 'drop-newest';

/** What `add` did. `full`: the entry is still the caller's. `dropped-newest`: the entry was discarded, and counted. */
export type AddResult = 'queued' | 'full' | 'dropped-oldest' | 'dropped-newest';

/** Takes packed PUBLISH packets to the broker: an open session. */
export interface PacketWriter {
  readonly protocolVersion: ProtocolVersion;
  /** Largest packet that the broker takes, bytes; Infinity where it names none. */
  readonly maximumPacketSize: number;
  /** Bytes written that the system has not taken yet. Infinity once the connection is lost. */
  readonly buffered: number;
  /** Writes whole packets. `done` is called once, when the memory is free again (written or lost). */
  writePackets(packets: Buffer, done: () => void): void;
}

export interface OutboxOptions {
  /** Most bytes of bulk held, bookkeeping included. */
  readonly maxBytes: number;
  /** The same for what is urgent; default 1 MiB. A single larger entry is taken where the lane is empty. */
  readonly maxUrgentBytes?: number;
  /** Nothing is written while the socket has this many bytes to go; default 256 KiB. */
  readonly maxBuffered?: number;
  /** There may be room again for what `add` answered `full` to. Not called from within `add`. */
  readonly onRoom?: () => void;
}

const MAX_BUFFERED = 256 * 1024;
const MAX_URGENT = 1024 * 1024;
// MQTT 5 section 3.4.2.1: reason codes from here on say that the message was not taken.
const FIRST_ERROR_CODE = 0x80;

interface Item extends Omit<OutboxEntry, 'batch'> {
  batch: ReadingBatch;
  /** Bytes it counts for, until all of it is gone: the batch's buffer is released as a whole. */
  readonly cost: number;
  /** First reading not written yet. */
  cursor: number;
  unacknowledged: number;
  next: Item | undefined;
}

/** The bounded store in front of the broker. Single-threaded; no call waits. */
export class Outbox {
  #maxBytes: number;
  readonly #maxUrgentBytes: number;
  readonly #maxBuffered: number;
  readonly #onRoom: () => void;
  readonly #urgent = new Lane<Item>();
  readonly #bulk = new Lane<Item>();
  readonly #window = new Window<Item>();
  readonly #pool = new BufferPool();
  readonly #drops = new DropCounter();
  readonly #idleWaiters = new Set<() => void>();
  #headers = new WeakMap<PublishRoute, PublishHeader>();
  #headersVersion: ProtocolVersion | undefined;
  /** Cost of the largest entry refused since the last `onRoom`; 0 = nobody waits. */
  #wantedBytes = 0;

  constructor(options: OutboxOptions) {
    this.#maxBytes = options.maxBytes;
    this.#maxUrgentBytes = options.maxUrgentBytes ?? MAX_URGENT;
    this.#maxBuffered = options.maxBuffered ?? MAX_BUFFERED;
    this.#onRoom = options.onRoom ?? (() => {});
  }

  /** Bytes held in both lanes, by the measure that `maxBytes` bounds for one. */
  get bytes(): number {
    return this.#bulk.bytes + this.#urgent.bytes;
  }

  /** Nothing waits, and nothing written is unacknowledged. */
  get idle(): boolean {
    return this.#next === undefined && this.#window.unacknowledged === 0;
  }

  /** Messages written and not yet acknowledged. */
  get unacknowledged(): number {
    return this.#window.unacknowledged;
  }

  /** Messages discarded since the outbox was made. */
  get dropped(): number {
    return this.#drops.total;
  }

  /**
   * Takes on an entry, or says why not. Bulk that could never fit is dropped whatever the policy. What is urgent is never
   * dropped for something newer, and `onRoom` does not tell of room for it.
   */
  add(entry: OutboxEntry, whenFull: WhenFull): AddResult {
    const cost = costOf(entry);
    const result = entry.urgent ? this.#makeUrgentRoom(cost, whenFull) : this.#makeRoom(cost, whenFull);
    if (result === 'dropped-newest') this.#drops.count(entry.device, 'full', countOf(entry.batch));
    if (result === 'queued' || result === 'dropped-oldest') {
      this.#laneOf(entry).append({ ...entry, cost, cursor: 0, unacknowledged: 0, next: undefined });
    }
    return result;
  }

  /** Sets the bound of the bulk lane anew. Holds for what is added from now on: nothing is dropped at once. */
  limitTo(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Takes on the limits of a new connection. Before the first `pump` on it. */
  connected(receiveMaximum: number): void {
    this.#window.limitTo(receiveMaximum);
  }

  /**
   * Writes as much as the window (QoS 1) and the socket permit. Call after `add`, acknowledgements and drain. Also for one
   * free place: mosquitto leaves Nagle's algorithm on, so that its next acknowledgements wait, up to 40 ms, for a packet
   * of ours. Holding back until a quarter of the window was free cost 95 % of the throughput.
   */
  pump(writer: PacketWriter): void {
    this.#useVersion(writer.protocolVersion);
    while (this.#next !== undefined) {
      const room = this.#maxBuffered - writer.buffered;
      if (room <= 0) break;
      const out = this.#pool.take();
      this.#fill(out, { bufferBytes: Math.min(room, BUFFER_BYTES), packetBytes: writer.maximumPacketSize });
      if (out.length === 0) {
        out.recycle();
        break;
      }
      writer.writePackets(out.packed, out.recycle);
    }
    this.#tell();
  }

  /** Takes a PUBACK. `unknown`: no such message is open. Call `pump` after the last one of a chunk. */
  ack(packetId: number, reasonCode = 0): 'acked' | 'refused' | 'unknown' {
    const item = this.#window.ack(packetId);
    if (item === undefined) return 'unknown';
    item.unacknowledged--;
    const isRefused = reasonCode >= FIRST_ERROR_CODE;
    if (isRefused) this.#drops.count(item.device, 'refused', 1);
    this.#releaseIfDone(item);
    this.#tell();
    return isRefused ? 'refused' : 'acked';
  }

  /** The connection is lost: what is unacknowledged goes back to the front of its lane, in order. News are gone. */
  onLoss(): void {
    const open = new Map<Item, number[]>();
    this.#window.each((item, index) => {
      const indexes = open.get(item);
      if (indexes) indexes.push(index);
      else open.set(item, [index]);
    });
    this.#window.clear();
    for (const [item, indexes] of [...open].reverse()) {
      item.batch = unsentOf(item, indexes);
      item.cursor = 0;
      item.unacknowledged = 0;
      this.#laneOf(item).putBack(item);
    }
    this.#forgetNews();
    this.#tell();
  }

  /** Messages that are not at the broker yet, per device. For the report of a shutdown that overran. */
  leftovers(): Map<string, number> {
    const left = new Map<string, number>();
    const add = (device: string, count: number): void => {
      left.set(device, (left.get(device) ?? 0) + count);
    };
    this.#window.each((item) => add(item.device, 1));
    for (const { head } of [this.#urgent, this.#bulk]) {
      for (let item = head; item !== undefined; item = item.next) add(item.device, unwritten(item));
    }
    return left;
  }

  /** Messages discarded per device since the last call. */
  takeDrops(): Map<string, DropCounts> {
    return this.#drops.take();
  }

  /** Resolves as soon as the outbox is idle, or `signal` aborts; never rejects. */
  whenIdle(signal: AbortSignal): Promise<'idle' | 'aborted'> {
    if (this.idle) return Promise.resolve('idle');
    if (signal.aborted) return Promise.resolve('aborted');
    return new Promise((resolve) => {
      const finish = (outcome: 'idle' | 'aborted'): void => {
        this.#idleWaiters.delete(onIdle);
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const onIdle = (): void => finish('idle');
      const onAbort = (): void => finish('aborted');
      this.#idleWaiters.add(onIdle);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** What leaves next. */
  get #next(): Item | undefined {
    return this.#urgent.head ?? this.#bulk.head;
  }

  #laneOf({ urgent }: Pick<OutboxEntry, 'urgent'>): Lane<Item> {
    return urgent ? this.#urgent : this.#bulk;
  }

  #makeUrgentRoom(cost: number, whenFull: WhenFull): AddResult {
    const { bytes } = this.#urgent;
    if (bytes === 0 || bytes + cost <= this.#maxUrgentBytes) return 'queued';
    return whenFull === 'reject' ? 'full' : 'dropped-newest';
  }

  #makeRoom(cost: number, whenFull: WhenFull): AddResult {
    if (cost > this.#maxBytes) return 'dropped-newest';
    if (this.#bulk.bytes + cost <= this.#maxBytes) return 'queued';
    if (whenFull === 'drop-newest') return 'dropped-newest';
    if (whenFull === 'reject') {
      this.#wantedBytes = Math.max(this.#wantedBytes, cost);
      return 'full';
    }
    while (this.#bulk.bytes + cost > this.#maxBytes) if (!this.#dropOldest()) return 'dropped-newest';
    return 'dropped-oldest';
  }

  #useVersion(version: ProtocolVersion): void {
    if (version === this.#headersVersion) return;
    this.#headersVersion = version;
    this.#headers = new WeakMap();
  }

  #headerOf(route: PublishRoute): PublishHeader {
    let header = this.#headers.get(route);
    if (header === undefined) {
      header = makePublishHeader(this.#headersVersion ?? 5, route);
      this.#headers.set(route, header);
    }
    return header;
  }

  /** Packs from the front on until the buffer, the window or the store has no more. */
  #fill(out: PacketBuffer, limits: PackLimits): void {
    for (let item = this.#next; item !== undefined && out.length < limits.bufferBytes; item = this.#next) {
      this.#packItem(item, out, limits);
      if (unwritten(item) > 0) return;
      this.#laneOf(item).removeHead();
      this.#releaseIfDone(item);
    }
  }

  #packItem(item: Item, out: PacketBuffer, limits: PackLimits): void {
    const header = this.#headerOf(item.route);
    const count = countOf(item.batch);
    while (item.cursor < count && out.length < limits.bufferBytes) {
      const from = item.cursor;
      const to = header.hasId ? Math.min(count, from + this.#window.room) : count;
      if (to === from) return;
      item.cursor = packReadings(out, header, item.batch, from, to, this.#window.nextId, limits);
      if (header.hasId) this.#sent(item, from, item.cursor);
      if (item.cursor < to && out.length < limits.bufferBytes) this.#skipTooLarge(item);
    }
  }

  #sent(item: Item, from: number, to: number): void {
    this.#window.send(item, from, to);
    item.unacknowledged += to - from;
  }

  #skipTooLarge(item: Item): void {
    item.cursor++;
    this.#drops.count(item.device, 'too-large', 1);
  }

  #forgetNews(): void {
    for (const item of this.#urgent.takeAll()) {
      this.#urgent.release(item);
      if (item.urgent !== 'news') this.#urgent.append(item);
    }
  }

  /** Discards the oldest bulk entry of which nothing is on its way; false if there is none. */
  #dropOldest(): boolean {
    const { head } = this.#bulk;
    if (head === undefined) return false;
    // Only the head can be written in part; its memory is needed until the acknowledgements came.
    const victim = head.unacknowledged === 0 ? head : head.next;
    if (victim === undefined) return false;
    if (victim === head) this.#bulk.removeHead();
    else this.#bulk.removeSecond();
    this.#drops.count(victim.device, 'full', unwritten(victim));
    this.#bulk.release(victim);
    return true;
  }

  #releaseIfDone(item: Item): void {
    if (item.unacknowledged > 0 || unwritten(item) > 0) return;
    this.#laneOf(item).release(item);
    item.onDone?.();
  }

  /** Tells those who wait for room or for the end. Last in each call: they may call back in. */
  #tell(): void {
    if (this.idle) for (const wake of [...this.#idleWaiters]) wake();
    if (this.#wantedBytes === 0 || this.#bulk.bytes + this.#wantedBytes > this.#maxBytes) return;
    this.#wantedBytes = 0;
    this.#onRoom();
  }
}

function unwritten(item: Item): number {
  return countOf(item.batch) - item.cursor;
}

/** What is left of an item after a loss: the unacknowledged readings and those never written. */
function unsentOf(item: Item, unacknowledged: readonly number[]): ReadingBatch {
  const { bytes, bounds } = item.batch;
  const kept: number[] = [];
  for (const index of unacknowledged) kept.push(bounds[2 * index] ?? 0, bounds[2 * index + 1] ?? 0);
  return { bytes, bounds: kept.concat(bounds.slice(2 * item.cursor)) };
}
