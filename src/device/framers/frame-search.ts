// Finds frames again where one has failed its checksum: its length field may be wrong, bytes of it may be lost or spoilt. Each
// place is a possible beginning and none is waited for: the frame that is whole and good first is taken. Used by `sized.ts`.
//
//   window   |failed frame....|...........|      `oldest`: not reported yet; `next`: behind the failed frame, if its length is right
//             oldest  open     next       end    `open`: places where a frame may have begun, `ends`: where those would end
//
// A checksum of one byte fits one place in 256 by accident. With that (`isSure: false`) a frame is taken only at `next`, or when
// another good one stands directly behind it.

import type { FrameSink, JunkReason } from '../framer.js';
import { Carry } from './carry.js';
import { CheckBudget } from './check-budget.js';
import { reportJunk } from './junk.js';

/** The framing that is searched for; sizes in bytes. */
export interface SearchedFraming {
  /** What `inspect` wants to see. */
  readonly head: number;
  /** The longest frame on the wire. */
  readonly maxSize: number;
  /** The most that is handed over as junk. */
  readonly maxJunk: number;
  /** False if a good checksum may well be an accident. */
  readonly isSure: boolean;
  /** Size of the frame that begins at `start` (at least the head), or why none does. */
  inspect(bytes: Buffer, start: number): number | JunkReason;
  isGood(bytes: Buffer, start: number, size: number): boolean;
  deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void;
}

/** Searches from `begin` until a frame is found. Places are counted from the failed frame on. Holds at most three times the longest frame. */
export class FrameSearch {
  readonly #framing: SearchedFraming;
  readonly #budget = new CheckBudget();
  readonly #window: Carry;
  /** Place of the first byte of the window. */
  #origin = 0;
  #oldest = 0;
  /** Frames that end up to here have been looked at. */
  #seen = 0;
  #settled = 0;
  #next = 0;
  /** Up to here failed frames reach, one behind the other. */
  #mark = 0;
  #reason: JunkReason = 'bad-checksum';
  readonly #open = new Set<number>();
  readonly #ends = new Map<number, number[]>();
  /** Good ones that another good one has yet to confirm, by where they end. */
  readonly #unsure = new Map<number, number>();
  #isOn = false;

  constructor(framing: SearchedFraming) {
    this.#framing = framing;
    this.#window = new Carry(5 * framing.maxSize);
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  get held(): number {
    return this.#end - this.#oldest;
  }

  /** Checks a whole frame, in a search or not, as far as that can be afforded. */
  isGood(bytes: Buffer, start: number, size: number): boolean {
    if (!this.#budget.affords(size) || !this.#framing.isGood(bytes, start, size)) return false;
    this.#budget.earn(size);
    return true;
  }

  /** `bytes[start, end)` is no frame, or (`bad-length`) will not become whole; one may begin at any byte but the first. */
  begin(bytes: Buffer, start: number, end: number, reason: 'bad-checksum' | 'bad-length'): void {
    this.#isOn = true;
    this.#reason = reason;
    this.#window.add(bytes, start, end);
    this.#seen = this.#framing.head;
    this.#next = reason === 'bad-checksum' ? end - start : Number.POSITIVE_INFINITY;
    this.#mark = this.#next;
  }

  /** Takes bytes until a frame is found and delivered; answers the pieces behind it. Undefined: all taken, none found. */
  push(chunk: Buffer, sink: FrameSink): Buffer[] | undefined {
    for (let at = 0; ; ) {
      const rest = this.#scan(sink);
      if (rest) return [rest, chunk.subarray(at)];
      if (at === chunk.length) return undefined;
      this.#window.add(chunk, at, ++at);
    }
  }

  /** No more bytes will come. Answers like `push`; if no frame is found all is reported, and the search is over. */
  finish(sink: FrameSink): Buffer[] | undefined {
    const rest = this.#scan(sink);
    if (rest) return [rest];
    const failedTo = this.#mark <= this.#end ? this.#mark : this.#settle();
    if (this.#reason === 'bad-checksum') this.#report(failedTo, sink);
    this.#reason = 'partial';
    this.#report(this.#end, sink);
    this.#stop();
    return undefined;
  }

  get #end(): number {
    return this.#origin + this.#window.length;
  }

  /** The place before which no frame can begin any more. */
  #settle(): number {
    const to = Math.min(this.#end, this.#seen - this.#framing.head + 1);
    while (this.#settled < to && !this.#open.has(this.#settled)) this.#settled++;
    return this.#settled;
  }

  /** Goes on byte by byte, so that chunks make no difference. Answers what stands behind the frame that it has delivered. */
  #scan(sink: FrameSink): Buffer | undefined {
    while (this.#seen < this.#end) {
      this.#seen++;
      this.#budget.earn(1);
      this.#openPlace(this.#seen - this.#framing.head);
      const found = this.#tryEnds();
      if (found) return this.#hand(...found, sink);
      this.#release(sink);
    }
    return undefined;
  }

  /** The head at `start` is there. */
  #openPlace(start: number): void {
    if (start < 1) return;
    const size = this.#framing.inspect(this.#window.bytes, start - this.#origin);
    if (typeof size === 'string') {
      this.#refute(start);
      if (start === this.#next) [this.#next, this.#mark] = [start + 1, Number.POSITIVE_INFINITY];
      return;
    }
    this.#open.add(start);
    const starts = this.#ends.get(start + size);
    if (starts) starts.push(start);
    else this.#ends.set(start + size, [start]);
  }

  /** Tries the frames that end here; answers where the one to be taken begins and ends. */
  #tryEnds(): [number, number] | undefined {
    const end = this.#seen;
    const starts = this.#ends.get(end);
    if (!starts) return undefined;
    this.#ends.delete(end);
    for (const start of starts) {
      if (!this.#isFrame(start, end)) {
        this.#refute(start);
        if (start === this.#next) [this.#next, this.#mark] = [end, end];
        continue;
      }
      const before = this.#unsure.get(start);
      if (before !== undefined) return [before, start];
      if (this.#framing.isSure || start === this.#next) return [start, end];
      this.#keepUnsure(start, end);
    }
    return undefined;
  }

  #keepUnsure(start: number, end: number): void {
    if (this.#unsure.has(end)) this.#open.delete(start);
    else this.#unsure.set(end, start);
  }

  /** No frame begins here: nor does one end here that is good by accident. */
  #refute(start: number): void {
    this.#open.delete(start);
    const before = this.#unsure.get(start);
    if (before === undefined) return;
    this.#open.delete(before);
    this.#unsure.delete(start);
  }

  /** Zeros check out with zeros, in most checksums: they prove nothing, except where a frame is expected. */
  #isFrame(start: number, end: number): boolean {
    const { bytes } = this.#window;
    const [from, to] = [start - this.#origin, end - this.#origin];
    if (!this.isGood(bytes, from, to - from)) return false;
    return start === this.#next || !isZeros(bytes, from + this.#framing.head, to);
  }

  #hand(start: number, end: number, sink: FrameSink): Buffer {
    if (this.#mark < start) this.#report(this.#mark, sink);
    this.#report(start, sink);
    const [from, to] = [start - this.#origin, end - this.#origin];
    const { length } = this.#window;
    const bytes = this.#window.take();
    this.#stop();
    this.#framing.deliver(bytes, from, to - from, sink);
    return bytes.subarray(to, length);
  }

  /** Reports what is known to be junk: a failed frame as soon as no frame can begin in it, else as much as junk may be long. */
  #release(sink: FrameSink): void {
    if (this.#seen < this.#mark && this.#seen - this.#oldest < this.#framing.maxJunk) return;
    const settled = this.#settle();
    if (settled >= this.#mark) this.#report(this.#mark, sink);
    while (settled - this.#oldest >= this.#framing.maxJunk) this.#report(this.#oldest + this.#framing.maxJunk, sink);
    if (this.#oldest - this.#origin < this.#framing.maxSize) return;
    this.#window.drop(this.#oldest - this.#origin);
    this.#origin = this.#oldest;
  }

  #report(to: number, sink: FrameSink): void {
    if (to <= this.#oldest) return;
    // A copy, since the window moves on over what it has reported.
    const from = this.#oldest - this.#origin;
    const junk = Buffer.from(this.#window.bytes.subarray(from, to - this.#origin));
    reportJunk(sink, junk, 0, junk.length, this.#reason, this.#framing.maxJunk);
    this.#oldest = to;
  }

  #stop(): void {
    this.#isOn = false;
    this.#window.take();
    this.#origin = 0;
    this.#oldest = 0;
    this.#settled = 0;
    this.#open.clear();
    this.#ends.clear();
    this.#unsure.clear();
  }
}

function isZeros(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
