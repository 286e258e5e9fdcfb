// What waits for the broker, in RAM: messages in the order in which they came. The uplink's send thread adds and pumps;
// acknowledgements and losses of the session are reported here. Knows packets and the window, but no socket and no disk: it
// writes through a PacketWriter, which a session is.
//
//   add -> [ urgent: head ...... tail ] -.
//   add -> [ live:   head ...... tail ] --+-> pump -> [ window: written, unacknowledged ] -> ack -> gone
//   add -> [ kept:   head ...... tail ] -'               |               QoS 0: gone once written
//              ^                                         |
//              '--- onLoss: unacknowledged messages, in order, before what was not sent; news are forgotten
//
// Three lanes: what is urgent (states, answers to commands) leaves first, so that it does not wait behind a backlog of
// megabytes. Live readings leave before those read back from the spool, or after them: that is the spool's replay order.
// Promises: order within a lane is kept per device, except that after a loss what was on its way is sent again (at least
// once). Nothing is discarded without being counted. The urgent lane has a bound here; the owner bounds the other two.

import { countOf } from '../device/message.js';
import { DropCounter, type DropCounts } from './drop-counter.js';
import { type Item, isStored, Lanes, type ReplayOrder, unsentOf, unwritten } from './lanes.js';
import type { OutboxEntry } from './outbox-entry.js';
import { BUFFER_BYTES, BufferPool, type PacketBuffer } from './packet-buffer.js';
import {
  largestPayload,
  makePublishHeader,
  type ProtocolVersion,
  type PublishHeader,
  type PublishRoute,
  packReadings,
} from './publish-packet.js';
import { Window } from './window.js';

/** What becomes of something urgent when its lane is full. `reject` leaves it with the caller. */
export type WhenFull = 'reject' | 'drop';

/** What `add` did. `full`: the entry is still the caller's. `dropped`: it was discarded, and counted unless it is news. */
export type AddResult = 'queued' | 'full' | 'dropped';

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
  /** Most bytes of urgent entries, bookkeeping included; default 1 MiB. A single larger one is taken where the lane is empty. */
  readonly maxUrgentBytes?: number;
  /** Nothing is written while the socket has this many bytes to go; default 256 KiB. */
  readonly maxBuffered?: number;
}

const MAX_BUFFERED = 256 * 1024;
const MAX_URGENT = 1024 * 1024;
// MQTT 5 section 3.4.2.1: reason codes from here on say that the message was not taken.
const FIRST_ERROR_CODE = 0x80;

/** The lanes in front of the broker. Single-threaded; no call waits. */
export class Outbox {
  readonly #lanes: Lanes;
  readonly #maxBuffered: number;
  readonly #window = new Window<Item>();
  readonly #pool = new BufferPool();
  readonly #drops = new DropCounter();
  readonly #idleWaiters = new Set<() => void>();
  #headers = new WeakMap<PublishRoute, PublishHeader>();
  #headersVersion: ProtocolVersion | undefined;
  /** Not from the loss of a session to the next: nobody would hear them while they are news. */
  #takesNews = true;

  constructor({ maxUrgentBytes = MAX_URGENT, maxBuffered = MAX_BUFFERED }: OutboxOptions = {}) {
    this.#lanes = new Lanes(maxUrgentBytes);
    this.#maxBuffered = maxBuffered;
  }

  /** Bytes of everything held, bookkeeping included, also of what is on its way. */
  get bytes(): number {
    return this.#lanes.live.bytes + this.#lanes.kept.bytes + this.#lanes.urgent.bytes;
  }

  /** The same for the live lane, and for the one of the spool. */
  get liveBytes(): number {
    return this.#lanes.live.bytes;
  }

  get keptBytes(): number {
    return this.#lanes.kept.bytes;
  }

  /** Nothing waits, and nothing written is unacknowledged. */
  get idle(): boolean {
    return this.#lanes.isEmpty && this.#window.unacknowledged === 0;
  }

  /** Messages written and not yet acknowledged. */
  get unacknowledged(): number {
    return this.#window.unacknowledged;
  }

  /** Messages unacknowledged where others wait for that, else 0. */
  get fullWindow(): number {
    return this.#window.room === 0 && this.#lanes.next !== undefined ? this.#window.unacknowledged : 0;
  }

  /** The packet id that the next QoS 1 message written will have. */
  get nextId(): number {
    return this.#window.nextId;
  }

  /** Messages discarded since the outbox was made. */
  get dropped(): number {
    return this.#drops.total;
  }

  /** Takes on an entry, or says why not: only what is urgent is ever refused or dropped. */
  add(entry: OutboxEntry, whenFull: WhenFull = 'drop'): AddResult {
    if (entry.urgent === 'news' && !this.#takesNews) return 'dropped';
    if (this.#lanes.append(entry)) return 'queued';
    if (whenFull === 'reject') return 'full';
    if (entry.urgent !== 'news') this.#drops.count(entry.device, 'full', countOf(entry.batch));
    return 'dropped';
  }

  /** Whether live readings or kept ones leave first. */
  set order(order: ReplayOrder) {
    this.#lanes.order = order;
  }

  /** Live readings stay where they are, or no longer: there are older ones that have not been read back yet. */
  holdLive(isHeld: boolean): void {
    this.#lanes.holdsLive = isHeld;
  }

  /** See `Lanes.takeLive`. */
  takeLive(hasRoom?: (bytes: number) => boolean): OutboxEntry[] {
    return this.#lanes.takeLive(hasRoom);
  }

  /** Lets go of what the spool has too: it stays there for another time. Only after `onLoss`. */
  forgetStored(): void {
    this.#lanes.forgetStored();
  }

  /** Takes on the limits of a new connection. Before the first `pump` on it. */
  connected(receiveMaximum: number): void {
    this.#window.limitTo(receiveMaximum);
    this.#takesNews = true;
  }

  /**
   * Writes as much as the window (QoS 1) and the socket permit. Call after `add`, acknowledgements and drain. Also for one
   * free place: mosquitto leaves Nagle's algorithm on, so that its next acknowledgements wait, up to 40 ms, for a packet
   * of ours. Holding back until a quarter of the window was free cost 95 % of the throughput.
   */
  pump(writer: PacketWriter): void {
    this.#useVersion(writer.protocolVersion);
    while (this.#lanes.next !== undefined) {
      const room = this.#maxBuffered - writer.buffered;
      if (room <= 0) break;
      const out = this.#pool.take();
      this.#fill(out, Math.min(room, BUFFER_BYTES), writer.maximumPacketSize);
      if (out.length === 0) {
        out.recycle();
        break;
      }
      writer.writePackets(out.packed, out.recycle);
    }
    this.#tellIdle();
  }

  /** Takes a PUBACK. `unknown`: no such message is open. Call `pump` after the last one of a chunk. */
  ack(packetId: number, reasonCode = 0): 'acked' | 'refused' | 'unknown' {
    const item = this.#window.ack(packetId);
    if (item === undefined) return 'unknown';
    item.unacknowledged--;
    const isRefused = reasonCode >= FIRST_ERROR_CODE;
    if (isRefused) this.#drops.count(item.device, 'refused', 1);
    this.#releaseIfDone(item);
    this.#tellIdle();
    return isRefused ? 'refused' : 'acked';
  }

  /**
   * The connection is lost: what is unacknowledged goes back to the front of its lane, in order. News are gone, unless they can
   * still be told (`keepsNews`): it is not lost, but its acknowledgements are not waited for any more.
   */
  onLoss({ keepsNews = false }: { readonly keepsNews?: boolean } = {}): void {
    const open = new Map<Item, number[]>();
    this.#window.each((item, index) => {
      const indexes = open.get(item);
      if (indexes) indexes.push(index);
      else open.set(item, [index]);
    });
    if (keepsNews) this.#window.leave();
    else this.#window.clear();
    for (const [item, indexes] of [...open].reverse()) {
      item.batch = unsentOf(item, indexes);
      item.cursor = 0;
      item.unacknowledged = 0;
      this.#lanes.of(item).putBack(item);
    }
    this.#takesNews = keepsNews;
    if (!keepsNews) this.#lanes.forgetNews();
    this.#tellIdle();
  }

  /** Messages that neither the broker nor the spool has, per device; news are not owed to anybody. For the report of the end. */
  leftovers(): Map<string, number> {
    const left = new Map<string, number>();
    const add = (device: string, count: number): void => {
      left.set(device, (left.get(device) ?? 0) + count);
    };
    this.#window.each((item) => {
      if (isOwed(item)) add(item.device, 1);
    });
    for (const { head } of [this.#lanes.urgent, this.#lanes.live]) {
      for (let item = head; item !== undefined; item = item.next) {
        if (isOwed(item)) add(item.device, unwritten(item));
      }
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
  #fill(out: PacketBuffer, bufferBytes: number, packetBytes: number): void {
    for (let item = this.#lanes.next; item !== undefined; item = this.#lanes.next) {
      this.#packItem(item, out, bufferBytes, packetBytes);
      if (unwritten(item) > 0) return;
      this.#lanes.of(item).removeHead();
      this.#releaseIfDone(item);
    }
  }

  /** Packs of one item what the buffer and the window take. */
  #packItem(item: Item, out: PacketBuffer, bufferBytes: number, packetBytes: number): void {
    const header = this.#headerOf(item.route);
    const limits = { bufferBytes, payloadBytes: largestPayload(header, packetBytes) };
    const count = countOf(item.batch);
    while (item.cursor < count) {
      const from = item.cursor;
      const to = header.hasId ? Math.min(count, from + this.#window.room) : count;
      item.cursor = packReadings(out, header, item.batch, from, to, this.#window.nextId, limits);
      if (header.hasId) this.#sent(item, from, item.cursor);
      if (item.cursor < to && payloadBytes(item) > limits.payloadBytes) this.#skipTooLarge(item);
      else return;
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

  #releaseIfDone(item: Item): void {
    if (item.unacknowledged > 0 || unwritten(item) > 0) return;
    this.#lanes.of(item).release(item);
    item.batch.loan?.done();
    item.onDone?.();
  }

  /** Tells those who wait for the end. Last in each call: they may call back in. */
  #tellIdle(): void {
    if (this.idle) for (const wake of [...this.#idleWaiters]) wake();
  }
}

/** Of the reading that is next. */
function payloadBytes({ batch: { bounds }, cursor }: Item): number {
  return (bounds[2 * cursor + 1] ?? 0) - (bounds[2 * cursor] ?? 0);
}

/** It is lost if we end now. */
function isOwed(item: Item): boolean {
  return item.urgent !== 'news' && !isStored(item);
}
