// Finds frames again where one has failed its checksum: its length field may be wrong, bytes of it may be lost or spoilt. Each
// place is a possible beginning and none is waited for: the frame that is whole and good first is taken. Used by `sized.ts`.
//
//   window   |failed frame....|...........|      `oldest`: not reported yet; `next`: behind the failed frame, if its length is right
//             oldest  open     next       end    `open`: places where a frame may have begun, `ends`: where those would end
//
// A checksum of one byte fits one place in 256 by accident. With that (`isSure: false`) a frame is taken only at `next`, or when
// another good one stands directly behind it.
//
// On noise nearly each place may be the beginning of a long frame: to go through all of those once more would hold up the process
// for seconds. So one register (`check-register.ts`) runs along, each place remembers where it stood, and a checksum costs the same
// whatever the length.

import type { Checksum } from '../checksum.js';
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
  /** It covers what stands before the length field, if anything, and what follows the head; and is the last of that. */
  readonly checksum: Checksum;
  /** The register of the checksum behind what stands before the length field. */
  registerBefore(bytes: Buffer, start: number): number;
  /** Size of the frame that begins at `start` (at least the head), or why none does. */
  inspect(bytes: Buffer, start: number): number | JunkReason;
  isGood(bytes: Buffer, start: number, size: number): boolean;
  deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void;
}

/** What a search begins with: a frame that has failed, one that could not be checked, or one that will not become whole. */
export type SearchCause = 'bad-checksum' | 'unchecked' | 'bad-length';

/** Registers that are remembered: more than a checksum has bytes, and a power of two. */
const RECENT = 8;

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
  /** By where they would end: each place, and the register behind its head. */
  readonly #ends = new Map<number, number[]>();
  /** The register, begun anywhere, after each of the last bytes. */
  readonly #registers = new Int32Array(RECENT);
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

  /** Judges a whole frame outside of a search: `good`, or with what a search is to begin. */
  judge(bytes: Buffer, start: number, size: number): 'good' | 'bad-checksum' | 'unchecked' {
    if (!this.#budget.affords(size)) return 'unchecked';
    if (!this.#framing.isGood(bytes, start, size)) return 'bad-checksum';
    this.#budget.earn(size);
    return 'good';
  }

  /** Searches in `bytes[start, end)`, which begins with a head, and in what follows; for `unchecked` from its first byte on. */
  begin(bytes: Buffer, start: number, end: number, cause: SearchCause): void {
    const { head } = this.#framing;
    this.#isOn = true;
    this.#reason = cause === 'bad-length' ? cause : 'bad-checksum';
    this.#window.add(bytes, start, end);
    this.#seen = head;
    this.#registers[head % RECENT] = 0;
    this.#next = cause === 'bad-checksum' ? end - start : Number.POSITIVE_INFINITY;
    this.#mark = this.#next;
    if (cause !== 'unchecked') return;
    this.#next = 0;
    this.#open.add(0);
    this.#ends.set(end - start, [0, 0]);
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
      this.#step();
      this.#budget.earn(1);
      this.#openPlace(this.#seen - this.#framing.head);
      const found = this.#tryEnds();
      if (found) return this.#hand(...found, sink);
      this.#release(sink);
    }
    return undefined;
  }

  #step(): void {
    const byte = this.#window.bytes[this.#seen - this.#origin] ?? 0;
    const register = this.#framing.checksum.register.step(this.#registers[this.#seen % RECENT] ?? 0, byte);
    this.#seen++;
    this.#registers[this.#seen % RECENT] = register;
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
    const register = this.#registers[this.#seen % RECENT] ?? 0;
    const places = this.#ends.get(start + size);
    if (places) places.push(start, register);
    else this.#ends.set(start + size, [start, register]);
  }

  /** Tries the frames that end here; answers where the one to be taken begins and ends. */
  #tryEnds(): [number, number] | undefined {
    const end = this.#seen;
    const places = this.#ends.get(end);
    if (!places) return undefined;
    this.#ends.delete(end);
    for (let at = 0; at < places.length; at += 2) {
      const [start, register] = [places[at] ?? 0, places[at + 1] ?? 0];
      if (!this.#isFrame(start, end, register)) {
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
  #isFrame(start: number, end: number, before: number): boolean {
    const { bytes } = this.#window;
    const [from, to] = [start - this.#origin, end - this.#origin];
    if (!this.#isGood(from, to, before)) return false;
    return start === this.#next || !isZeros(bytes, from + this.#framing.head, to);
  }

  /** `before`: the register behind the head. Frames end where the search is: what it was before the checksum is remembered. */
  #isGood(from: number, to: number, before: number): boolean {
    const { checksum, head } = this.#framing;
    const { bytes } = this.#window;
    const length = to - from - head - checksum.size;
    if (length < 0) return this.#framing.isGood(bytes, from, to - from); // it reaches into the head
    const after = this.#registers[(this.#seen - checksum.size) % RECENT] ?? 0;
    const { register } = checksum;
    const checked = register.between(before, after, length, this.#framing.registerBefore(bytes, from));
    return register.checksumOf(checked) === checksum.toldAt(bytes, to - checksum.size);
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
