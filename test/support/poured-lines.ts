// Numbered lines by the thousand: into a socket as fast as it takes them, and back out of what a subscriber has heard.

import type net from 'node:net';
import { LINE_BYTES } from './device-stream.js';
import { numberedLine, type Tally, tally } from './numbered-lines.js';
import type { Received } from './subscriber.js';

/** Written at a time. */
const POUR_LINES = 500;

/** What the numbers of received lines say. */
export function tallyOf(messages: readonly Received[], lineBytes = LINE_BYTES): Tally {
  return tally(
    messages.map(({ payload }) => payload),
    lineBytes,
  );
}

/** Lines `from` to `to` (excluded), as one piece. */
export function linesOf(from: number, to: number, lineBytes = LINE_BYTES): string {
  return Array.from({ length: to - from }, (_, n) => numberedLine(from + n, lineBytes)).join('');
}

export interface Pouring {
  /** Lines that the system has taken, about. */
  readonly poured: number;
  /** Resolves when it has taken all. */
  readonly done: Promise<void>;
}

/** So many lines as fast as the socket takes them. */
export function pour(socket: net.Socket, lines: number, lineBytes = LINE_BYTES): Pouring {
  let poured = 0;
  const run = async (): Promise<void> => {
    for (; poured < lines; poured += POUR_LINES) {
      const isTaken = socket.write(linesOf(poured, Math.min(lines, poured + POUR_LINES), lineBytes));
      if (!isTaken) await new Promise((resolve) => socket.once('drain', resolve));
    }
  };
  const done = run();
  return {
    get poured() {
      return poured;
    },
    done,
  };
}
