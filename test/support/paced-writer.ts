// Writes numbered lines at a steady pace, as a device does: in small writes, catching up after a late timer, so that the
// pace is kept on average whatever the machine does.

import { numberedLine } from './numbered-lines.js';

const TICK_MS = 4;

export interface PacedWriterOptions {
  readonly bytesPerSecond: number;
  /** Length of a line, delimiter included. */
  readonly lineBytes: number;
  /** Length of one write; default: a line. */
  readonly writeBytes?: number;
  /** Takes the bytes. False ends the stream: the other side is gone. */
  readonly write: (bytes: Buffer) => boolean;
}

export interface PacedWriter {
  /** Bytes given to `write` so far. */
  readonly written: number;
  /** Whole lines among them. */
  readonly lines: number;
  /** Goes on to the end of the line it is in, then no more; idempotent. */
  stop(): void;
}

/** Starts writing. */
export function startPacedWriter(options: PacedWriterOptions): PacedWriter {
  const { bytesPerSecond, lineBytes, writeBytes = lineBytes, write } = options;
  const startedAt = performance.now();
  let rest: Buffer = Buffer.alloc(0);
  let [line, written] = [0, 0];
  const next = (): Buffer => {
    while (rest.length < writeBytes) rest = Buffer.concat([rest, Buffer.from(numberedLine(line++, lineBytes))]);
    const bytes = rest.subarray(0, writeBytes);
    rest = rest.subarray(writeBytes);
    return bytes;
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) * bytesPerSecond) / 1000;
    while (written + writeBytes <= due) {
      if (!write(next())) {
        clearInterval(timer);
        rest = Buffer.alloc(0);
        return;
      }
      written += writeBytes;
    }
  }, TICK_MS);
  timer.unref(); // a test that failed may have forgotten it
  return {
    get written() {
      return written;
    },
    get lines() {
      return Math.floor(written / lineBytes);
    },
    stop: () => {
      clearInterval(timer);
      if (rest.length > 0 && write(rest)) written += rest.length; // it ends where a line ends
      rest = Buffer.alloc(0);
    },
  };
}
