// The tap of a device: a thread that is added to the running group while somebody watches its line live (`ferrule monitor`),
// and taken out again (taps.ts). The receive and the send thread give it copies, it says them to the relay line by line.
//
//   receive.intake --copy--.
//   send.write ----copy----+--> [inbox, drop-oldest] --> every 100 ms --> relay (`tap`)
//
// It never holds up the device: what does not fit is dropped, and the next message says how many bytes that were.

import { type Clock, sleep, type Timer } from '../core/clock.js';
import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, Relay } from '../device/message.js';
import type { Direction, Tap } from './device-context.js';

/** How long bytes are gathered before they are said, and an unfinished line waits for its end, ms. */
const GATHER_MS = 100;
/** Bytes that may wait for the tap, the objects around them included; so it says at most ten times that in a second. */
const INBOX_BYTES = 32 * 1024;
const ITEM_BYTES = 64;
/** More of one chunk is not copied. */
const MAX_COPY = 16 * 1024;
/** Bytes of one message. */
const MAX_MESSAGE = 1024;
/** With more bytes at a time than this, a message is as many lines as fit, not one. */
const PACK_AT = 8 * 1024;
const LINE_FEED = 0x0a;

export interface TapOptions {
  /** The group whose line it is. */
  readonly id: string;
  readonly clock: Clock;
  readonly relay: Relay;
  readonly registry: Pick<ThreadRegistry<DownMessage>, 'allocate'>;
  /** Its time is over: whoever has added the thread takes it out. */
  readonly onOver: () => void;
}

/** Bytes of one direction that belong together; `at`: wall-clock ms of the first. */
interface TapItem {
  readonly direction: Direction;
  readonly bytes: Buffer;
  readonly at: number;
}

export class TapThread implements Tap {
  readonly inbox: MessageQueue<TapItem>;
  readonly #options: TapOptions;
  /** A line whose end has not come yet. */
  #rest: TapItem | undefined;
  /** Bytes dropped since the last message. */
  #dropped = 0;
  #timer: Timer | undefined;

  constructor(options: TapOptions) {
    this.#options = options;
    this.inbox = options.registry.allocate<TapItem>({
      capacity: INBOX_BYTES,
      whenFull: 'drop-oldest',
      weigh: ({ bytes }) => bytes.length + ITEM_BYTES,
      onDrop: ({ bytes }) => this.#countDropped(bytes.length),
    });
  }

  take(direction: Direction, bytes: Buffer, at: number): void {
    if (bytes.length === 0) return;
    const kept = bytes.subarray(0, MAX_COPY);
    this.#countDropped(bytes.length - kept.length);
    this.inbox.put({ direction, bytes: Buffer.from(kept), at });
  }

  /** From now on it has this long, ms. */
  extend(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, this.#options.onOver);
  }

  /** The thread's body. Ends when its inbox is closed and said, or on abort. */
  async run(thread: Thread): Promise<void> {
    try {
      while (this.#rest !== undefined || (await this.inbox.ready()) === 'ready') {
        await sleep(this.#options.clock, GATHER_MS, thread.finishSignal);
        if (thread.state === 'aborting') return;
        this.#handOver(thread.isStopping);
      }
    } finally {
      this.#timer?.cancel();
    }
  }

  #handOver(isLast: boolean): void {
    const items = this.inbox.drain();
    const isMuch = items.reduce((sum, { bytes }) => sum + bytes.length, 0) > PACK_AT;
    for (const item of items) this.#cut(item, isMuch);
    if (items.length === 0 || isLast) this.#sayRest();
  }

  /** Says the lines that are whole with this item, and keeps what follows them. */
  #cut(item: TapItem, isMuch: boolean): void {
    if (this.#rest !== undefined && this.#rest.direction !== item.direction) this.#sayRest();
    const { direction } = item;
    const bytes = this.#rest === undefined ? item.bytes : Buffer.concat([this.#rest.bytes, item.bytes]);
    let at = this.#rest?.at ?? item.at;
    let start = 0;
    for (let end = endOfPiece(bytes, start, isMuch); end !== undefined; end = endOfPiece(bytes, start, isMuch)) {
      this.#say({ direction, bytes: bytes.subarray(start, end), at });
      start = end;
      at = item.at;
    }
    this.#rest = start < bytes.length ? { direction, bytes: bytes.subarray(start), at } : undefined;
  }

  #sayRest(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#say(rest);
  }

  #say(item: TapItem): void {
    const { id, relay } = this.#options;
    const outcome = relay.offer({ kind: 'tap', device: id, ...item, dropped: this.#dropped });
    if (outcome === 'full') this.#countDropped(item.bytes.length);
    else this.#dropped = 0;
  }

  #countDropped(bytes: number): void {
    this.#dropped += bytes;
  }
}

/** Where the message that begins at `start` ends; undefined: not in these bytes. */
function endOfPiece(bytes: Buffer, start: number, isMuch: boolean): number | undefined {
  const isFull = bytes.length - start >= MAX_MESSAGE;
  if (isMuch && !isFull) return undefined;
  const last = start + MAX_MESSAGE - 1;
  const lineEnd = isMuch ? bytes.lastIndexOf(LINE_FEED, last) : bytes.indexOf(LINE_FEED, start);
  if (lineEnd >= start && lineEnd <= last) return lineEnd + 1;
  return isFull ? last + 1 : undefined;
}
