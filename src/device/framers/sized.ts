// What fixed and length-prefix framing have in common: the first bytes of a frame tell its size. Where they cannot be the
// beginning of a frame, bytes are skipped until they can.
//
//   |head|......body......|head|..      inspect(head) -> size of the frame, or why none: skip and look again
//
// A run of skipped bytes is one junk (cut at `maxSkipped`), reported before the head that ends it is waited for.
// Where frames can be checked when they are whole (`search`), one that fails is where `frame-search.ts` takes over.

import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';
import { Carry } from './carry.js';
import { FrameSearch, type SearchedFraming } from './frame-search.js';
import { reportJunk } from './junk.js';

/** Sizes of a sized framing, in bytes. */
export interface SizedLimits {
  /** What `inspect` wants to see. */
  readonly head: number;
  /** The longest frame on the wire. */
  readonly maxSize: number;
  /** Longest run of skipped bytes in one junk; also the most that is handed over as junk. */
  readonly maxSkipped: number;
  /** How far to go on where no frame begins. */
  readonly step: number;
  /** If set, whole frames are checked (`isGood`), and searched for where one fails. */
  readonly search?: SizedSearch;
}

/** How frames that can be checked are searched for. */
export interface SizedSearch extends Pick<SearchedFraming, 'checksum' | 'registerBefore'> {
  /** False if a good checksum may well be an accident. */
  readonly isSure: boolean;
}

/** Cuts by size; the subclass reads the head. */
export abstract class SizedFramer implements Framer {
  readonly #limits: SizedLimits;
  /** A frame of which `#need` bytes are wanted before it can be looked at (again). Never longer than that. */
  readonly #carry: Carry;
  #need: number;
  readonly #skipped: Carry;
  #reason: JunkReason = 'no-start';
  readonly #search: FrameSearch | undefined;

  constructor(limits: SizedLimits) {
    this.#limits = limits;
    this.#need = limits.head;
    this.#carry = new Carry(limits.maxSize);
    this.#skipped = new Carry(limits.maxSkipped);
    this.#search = limits.search && this.#makeSearch(limits, limits.search);
  }

  /** Size of the frame that begins at `start` (at least the head), or why none does. At least a head can be read. */
  protected abstract inspect(bytes: Buffer, start: number): number | JunkReason;
  /** Reports the frame of `size` bytes at `start`. */
  protected abstract deliver(bytes: Buffer, start: number, size: number, sink: FrameSink): void;
  /** Whether the whole frame of `size` bytes at `start` is one; asked only with `search`. */
  protected isGood(_bytes: Buffer, _start: number, _size: number): boolean {
    return true;
  }
  abstract wrap(payload: Uint8Array): Buffer;

  get held(): number {
    return this.#carry.length + this.#skipped.length + (this.#search?.held ?? 0);
  }

  push(chunk: Buffer, sink: FrameSink): void {
    const pieces = this.#take(chunk, sink);
    if (pieces) this.#takeAll(pieces, sink);
  }

  flush(_reason: FlushReason, sink: FrameSink): void {
    this.#reportSkipped(sink);
    if (this.#search) this.#searchToEnd(this.#search, sink);
    this.#reportSkipped(sink);
    const { length } = this.#carry;
    this.#need = this.#limits.head;
    if (length > 0) reportJunk(sink, this.#carry.take(), 0, length, 'partial', this.#limits.maxSkipped);
  }

  #makeSearch({ head, maxSize, maxSkipped }: SizedLimits, search: SizedSearch): FrameSearch {
    return new FrameSearch({
      ...search,
      head,
      maxSize,
      maxJunk: maxSkipped,
      inspect: (bytes, start) => this.inspect(bytes, start),
      isGood: (bytes, start, size) => this.isGood(bytes, start, size),
      deliver: (bytes, start, size, sink) => this.deliver(bytes, start, size, sink),
    });
  }

  /** Undefined if all of `bytes` was taken; else a search has ended, and these are the pieces to go on with. */
  #take(bytes: Buffer, sink: FrameSink): Buffer[] | undefined {
    const search = this.#search;
    if (search?.isOn) return search.push(bytes, sink);
    let at = this.#finishCarried(bytes, sink);
    if (!search?.isOn) at = this.#cut(bytes, at, sink);
    if (search?.isOn) return search.push(bytes.subarray(at), sink);
    if (at < bytes.length) this.#carry.add(bytes, at, bytes.length);
    return undefined;
  }

  #takeAll(pieces: Buffer[], sink: FrameSink): void {
    const todo = pieces.reverse();
    for (let piece = todo.pop(); piece; piece = todo.pop()) {
      const more = piece.length > 0 ? this.#take(piece, sink) : undefined;
      if (more) todo.push(...more.reverse());
    }
  }

  /** A frame that waits for bytes which will not come may have a wrong length: frames behind its head are not lost with it. */
  #searchToEnd(search: FrameSearch, sink: FrameSink): void {
    for (;;) {
      const { length } = this.#carry;
      if (!search.isOn && length === 0) return;
      if (!search.isOn) search.begin(this.#carry.take(), 0, length, 'bad-length');
      this.#need = this.#limits.head;
      const pieces = search.finish(sink);
      if (!pieces) return;
      this.#takeAll(pieces, sink);
    }
  }

  /** Completes what earlier chunks left, with bytes of this one; answers how many were used. */
  #finishCarried(chunk: Buffer, sink: FrameSink): number {
    let at = 0;
    while (this.#carry.length > 0) {
      const to = Math.min(chunk.length, at + this.#need - this.#carry.length);
      this.#carry.add(chunk, at, to);
      at = to;
      if (this.#carry.length < this.#need) return at;
      this.#stepCarried(sink);
      if (this.#need === this.#limits.head && this.#carry.length <= at) return this.#uncarry(at);
    }
    return at;
  }

  /** All that is still carried came with this chunk: goes on there, in place, which noise makes much quicker. */
  #uncarry(at: number): number {
    const { length } = this.#carry;
    this.#carry.drop(length);
    return at - length;
  }

  #stepCarried(sink: FrameSink): void {
    const size = this.inspect(this.#carry.bytes, 0);
    if (typeof size === 'string') {
      this.#skip(this.#carry.bytes, 0, size, sink);
      this.#carry.drop(this.#limits.step);
      return;
    }
    this.#reportSkipped(sink);
    const isWhole = this.#carry.length === size;
    this.#need = isWhole ? this.#limits.head : size;
    if (isWhole) this.#finish(this.#carry.take(), 0, size, sink);
  }

  /** The frame is whole: it is delivered, or a search begins with it. */
  #finish(bytes: Buffer, start: number, size: number, sink: FrameSink): void {
    const found = this.#search?.judge(bytes, start, size) ?? 'good';
    if (found === 'good') this.deliver(bytes, start, size, sink);
    else this.#search?.begin(bytes, start, start + size, found);
  }

  /** Cuts `chunk` from `from` on, in place; answers where the last, partial frame begins, or where a search goes on. */
  #cut(chunk: Buffer, from: number, sink: FrameSink): number {
    let at = from;
    while (chunk.length - at >= this.#limits.head) {
      const size = this.inspect(chunk, at);
      if (typeof size === 'string') {
        this.#skip(chunk, at, size, sink);
        at += this.#limits.step;
        continue;
      }
      this.#reportSkipped(sink);
      if (chunk.length - at < size) {
        this.#need = size;
        break;
      }
      this.#finish(chunk, at, size, sink);
      at += size;
      if (this.#search?.isOn) break;
    }
    return at;
  }

  /** `no-start` goes on with whatever run there is; any other reason begins a run of its own. */
  #skip(bytes: Buffer, start: number, reason: JunkReason, sink: FrameSink): void {
    if (reason !== 'no-start' && reason !== this.#reason) this.#reportSkipped(sink);
    if (this.#skipped.length === 0) this.#reason = reason;
    this.#skipped.add(bytes, start, start + this.#limits.step);
    if (this.#skipped.length + this.#limits.step > this.#limits.maxSkipped) this.#reportSkipped(sink);
  }

  #reportSkipped(sink: FrameSink): void {
    const { length } = this.#skipped;
    if (length > 0) sink.junk(this.#skipped.take(), 0, length, this.#reason, 0);
  }
}
