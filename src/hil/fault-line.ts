// A line with faults on demand, around any VirtualLine: serial, TCP, or a board's. What the device sends goes through here;
// what the gateway writes comes back untouched, since a broken gateway is not what is tested.
//
//   device --send--> silent? garble -> split -> delay --> [waiting] --> inner.send --> gateway
//
// Time comes from the clock and chance from `random`, so that every byte of a test is known.

import type { Clock, Timer } from '../core/clock.js';
import { garbled, piecesOf, repeated } from './fault-bytes.js';
import type { VirtualLine } from './virtual-line.js';

/** Bytes that may wait because of `delay` or `split`; what is more is lost, and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Pieces follow one another at this distance, so that the gateway reads them one by one, ms. */
const SPLIT_GAP_MS = 2;
const FLOOD_TICK_MS = 5;
const FLOOD_PER_SECOND = 1024 * 1024;
const FLOOD_PATTERN = 'the quick brown fox floods the line 0123456789\n';

/** How a line is flooded. */
export interface FloodOptions {
  /** So many bytes in all. */
  readonly bytes: number;
  /** At this rate; default 1 MiB/s. */
  readonly perSecond?: number;
  /** What is sent, over and over; default: lines of text. */
  readonly pattern?: string | Uint8Array;
}

export interface FaultLineOptions {
  readonly line: VirtualLine;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Told of each piece as it goes onto the line. */
  readonly onSent?: (bytes: Buffer) => void;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly due: number;
}

export class FaultLine implements VirtualLine {
  readonly #line: VirtualLine;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onSent: (bytes: Buffer) => void;
  #isPlugged = true;
  /** What was asked for last: a move takes its time, and another may be asked for meanwhile. */
  #wish: 'in' | 'out' | 'closed' = 'in';
  /** Clock time up to which nothing is sent. */
  #silentUntil = Number.NEGATIVE_INFINITY;
  #garbleRate = 0;
  #splitSize = 0;
  #splitGapMs = SPLIT_GAP_MS;
  #delayMs = 0;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #lastDue = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #floods = new Set<() => void>();
  /** Bytes lost because too many waited. */
  droppedBytes = 0;

  constructor({ line, clock, random, onSent = () => {} }: FaultLineOptions) {
    this.#line = line;
    this.#clock = clock;
    this.#random = random;
    this.#onSent = onSent;
  }

  get link(): string {
    return this.#line.link;
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  send(bytes: Uint8Array | string): void {
    if (!this.#isPlugged || this.#clock.now() < this.#silentUntil) return;
    const all = Buffer.from(bytes);
    const noisy = this.#garbleRate > 0 ? garbled(all, this.#garbleRate, this.#random) : all;
    for (const piece of piecesOf(noisy, this.#splitSize)) this.#put(piece);
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#line.onData(listener);
  }

  /** From now on nothing is sent, for `ms` or until `heal`. What waits is lost; what the gateway writes still arrives. */
  silence(ms: number = Number.POSITIVE_INFINITY): void {
    this.#silentUntil = this.#clock.now() + ms;
    this.#forgetWaiting();
  }

  /** Each byte becomes another one with this probability, 0 to 1. */
  garble(rate: number): void {
    this.#garbleRate = rate;
  }

  /** What is sent goes out in pieces of `size` bytes, `gapMs` apart. 0 ends it. */
  split(size: number, gapMs: number = SPLIT_GAP_MS): void {
    this.#splitSize = size;
    this.#splitGapMs = gapMs;
  }

  /** What is sent arrives so much later, in order. 0 ends it; what waits already keeps its time. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Ends silence, garble, split and delay. */
  heal(): void {
    this.#silentUntil = Number.NEGATIVE_INFINITY;
    this.#garbleRate = 0;
    this.#splitSize = 0;
    this.#delayMs = 0;
  }

  /** Sends far more than anybody asked for. Resolves when all is sent, or the plug was pulled. */
  flood({ bytes, perSecond = FLOOD_PER_SECOND, pattern = FLOOD_PATTERN }: FloodOptions): Promise<void> {
    const text = Buffer.from(pattern);
    if (text.length === 0) return Promise.resolve();
    const startedAt = this.#clock.now();
    let sent = 0;
    return new Promise((resolve) => {
      const tick = (): void => {
        const owed = Math.ceil(((this.#clock.now() - startedAt + FLOOD_TICK_MS) * perSecond) / 1000);
        const now = Math.min(bytes, owed) - sent;
        this.send(repeated(text, sent, now));
        sent += now;
        if (sent < bytes && this.#isPlugged) timer = this.#clock.after(FLOOD_TICK_MS, tick);
        else end();
      };
      let timer: Timer | undefined;
      const end = (): void => {
        timer?.cancel();
        this.#floods.delete(end);
        resolve();
      };
      this.#floods.add(end);
      tick();
    });
  }

  /** The link breaks and is there again at once: TCP by a reset, a serial line by a hang-up. What waits is lost. */
  async reset(): Promise<void> {
    this.#forgetWaiting();
    if (!this.#isPlugged) return;
    if (this.#line.reset) return this.#line.reset();
    await this.#line.unplug();
    if (this.#isPlugged) await this.#line.plug(); // unless unplugged meanwhile
  }

  async unplug(): Promise<void> {
    if (this.#wish === 'in') this.#wish = 'out';
    this.#isPlugged = false;
    this.#forgetWaiting();
    for (const end of this.#floods) end();
    await this.#line.unplug();
  }

  async plug(): Promise<void> {
    if (this.#wish === 'closed') return;
    this.#wish = 'in';
    await this.#line.plug();
    this.#isPlugged = this.#wish === 'in'; // unless it was pulled again meanwhile
  }

  async close(): Promise<void> {
    this.#wish = 'closed';
    await this.unplug();
    await this.#line.close();
  }

  #put(bytes: Buffer): void {
    const now = this.#clock.now();
    const gapMs = this.#splitSize > 0 ? this.#splitGapMs : 0;
    const due = Math.max(now + this.#delayMs, this.#lastDue + gapMs);
    if (due <= now && this.#waiting.length === 0) {
      this.#lastDue = now;
      this.#sendNow(bytes);
    } else if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.droppedBytes += bytes.length;
    } else {
      this.#lastDue = due;
      this.#waiting.push({ bytes, due });
      this.#waitingBytes += bytes.length;
      this.#timer ??= this.#clock.after(due - now, () => this.#sendDue());
    }
  }

  #sendDue(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.due > now) {
        this.#timer = this.#clock.after(next.due - now, () => this.#sendDue());
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= next.bytes.length;
      this.#sendNow(next.bytes);
      // One piece a turn, even when the timer was late: pieces that go out together are read together.
      if (this.#splitSize > 0 && this.#waiting.length > 0) {
        this.#timer = this.#clock.after(this.#splitGapMs, () => this.#sendDue());
        return;
      }
    }
  }

  #sendNow(bytes: Buffer): void {
    this.#onSent(bytes);
    this.#line.send(bytes);
  }

  #forgetWaiting(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#lastDue = Number.NEGATIVE_INFINITY;
  }
}
