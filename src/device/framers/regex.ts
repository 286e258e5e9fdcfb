// A frame is what a regular expression matches, in text (latin1: one character, one byte).
//
//   window   noise|match|          the frame ends with the first byte at which the pattern matches
//
// The rule is as if every byte came alone and the pattern were tried after each: so chunks make no difference, and a frame is
// handed on at once, not when the next byte comes. It also means that a pattern must say what ends a frame: `(\d+)\r\n`,
// not `\d+`, which would match each digit. The window holds at most max_length characters. That is the only guard against
// patterns that backtrack without end: a device with a pattern of doubtful origin belongs into `isolation: worker`.

import type { FramingOf } from '../../config/framing-schema.js';
import type { FlushReason, Framer, FrameSink, JunkReason } from '../framer.js';

/** Constructs that look at what follows: with them a match in a text need not be one in a longer text. */
const LOOKS_AHEAD = /\$|\\b|\(\?[=!]/i;

/**
 * `type: regex`. Empty matches are no frames; group 1, if it took part, is the frame. Bytes before a match are `no-start`.
 * When the window is full without a match its older half is junk (`too-long`), so that a frame that has begun can still end.
 * A match with which the bytes behind a hole begin may be the tail of a longer one: it is `partial`.
 */
export class RegexFramer implements Framer {
  readonly #pattern: RegExp;
  readonly #isMonotone: boolean;
  readonly #maxLength: number;
  #window = '';
  /** Bytes are missing before the first of the window. */
  #isTail = false;

  constructor({ pattern, max_length: maxLength }: FramingOf<'regex'>) {
    this.#pattern = new RegExp(pattern, 'g');
    this.#isMonotone = !looksAhead(pattern);
    this.#maxLength = maxLength;
  }

  get held(): number {
    return this.#window.length;
  }

  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length) {
      const to = Math.min(chunk.length, at + this.#maxLength - this.#window.length);
      const tried = this.#window.length;
      this.#window += chunk.toString('latin1', at, to);
      at = to;
      this.#cut(tried, sink);
    }
  }

  flush(reason: FlushReason, sink: FrameSink): void {
    if (this.#window.length > 0) this.#junk(this.#window.length, 'partial', sink);
    this.#isTail = reason === 'hole';
  }

  /** The payload as it is: a pattern cannot be turned round, so the driver writes what ends its commands. */
  wrap(payload: Uint8Array): Buffer {
    return Buffer.from(payload);
  }

  /** Takes the frames out of the window. Its first `tried` characters are known to hold none. */
  #cut(tried: number, sink: FrameSink): void {
    let from = tried;
    for (;;) {
      const end = this.#firstEnd(from);
      if (end > 0) this.#deliver(end, sink);
      else if (this.#window.length === this.#maxLength) this.#junk(Math.ceil(this.#maxLength / 2), 'too-long', sink);
      else return;
      from = 0;
    }
  }

  #deliver(end: number, sink: FrameSink): void {
    const match = this.#match(end);
    if (!match) return;
    if (this.#isTail && match.index === 0) {
      this.#junk(end, 'partial', sink);
      return;
    }
    if (match.index > 0)
      sink.junk(Buffer.from(this.#window.slice(0, match.index), 'latin1'), 0, match.index, 'no-start', 0);
    const frame = Buffer.from(match[1] ?? match[0], 'latin1');
    sink.frame(frame, 0, frame.length);
    this.#window = this.#window.slice(end);
    this.#isTail = false;
  }

  #junk(length: number, reason: JunkReason, sink: FrameSink): void {
    sink.junk(Buffer.from(this.#window.slice(0, length), 'latin1'), 0, length, reason, 0);
    this.#window = this.#window.slice(length);
    this.#isTail = false;
  }

  /** Length of the shortest beginning of the window, longer than `from`, that holds a match; 0 if there is none. */
  #firstEnd(from: number): number {
    const { length } = this.#window;
    if (this.#isMonotone) return this.#match(length) ? this.#bisect(from, length) : 0;
    for (let end = from + 1; end <= length; end++) if (this.#match(end)) return end;
    return 0;
  }

  /** There is no match in the first `without` characters, one in the first `within`. */
  #bisect(without: number, within: number): number {
    let [low, high] = [without, within];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#match(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  /** The first match that is not empty in the first `end` characters. */
  #match(end: number): RegExpExecArray | undefined {
    const text = this.#window.slice(0, end);
    this.#pattern.lastIndex = 0;
    for (let match = this.#pattern.exec(text); match; match = this.#pattern.exec(text)) {
      if (match[0].length > 0) return match;
      this.#pattern.lastIndex++;
    }
    return undefined;
  }
}

/** An escaped `$`, or one in a set, is a character. */
function looksAhead(pattern: string): boolean {
  const bare = pattern.replace(/\\[^bB]/gs, 'x').replace(/\[[^\]]*\]/g, 'x');
  return LOOKS_AHEAD.test(bare);
}
