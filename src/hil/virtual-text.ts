// A device that says given lines over and over, and answers given requests: for a protocol that is quickly written down.

import type { VirtualScript } from './virtual-device.js';

export interface TextOptions {
  /** ms from one line to the next. */
  readonly everyMs: number;
  /** Said in turn, again and again; may be empty for a device that only answers. */
  readonly lines: readonly string[];
  /** Request (a line, without its end) -> answer. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Put behind each line and answer; default "\n". */
  readonly lineEnd?: string;
}

/** The script of such a device. */
export function makeText({ everyMs, lines, answers = {}, lineEnd = '\n' }: TextOptions): VirtualScript {
  let count = 0;
  return {
    everyMs,
    next: () => {
      const line = lines[count++ % lines.length];
      return line === undefined ? '' : line + lineEnd;
    },
    answer: (request) => (Object.hasOwn(answers, request) ? `${answers[request]}${lineEnd}` : undefined),
  };
}
