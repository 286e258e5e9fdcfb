// What a driver prints in its Worker goes to the log, cut and counted: a driver that prints each frame must not fill the disk.

import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';

const MAX_LINES = 20;
const PER_MS = 60_000;
const MAX_CHARS = 500;

export class WorkerOutput {
  readonly #clock: Clock;
  readonly #log: Log;
  #since: number;
  #told = 0;
  #withheld = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#since = clock.now();
  }

  /** Logs what comes out of the stream, until it ends. */
  follow(stream: Readable, name: 'stdout' | 'stderr'): void {
    stream.on('data', (bytes: Buffer) => {
      // A line at a time as it was printed; more than what may be told is not even looked at.
      for (const line of bytes.toString('utf8', 0, MAX_LINES * MAX_CHARS).split('\n'))
        if (line !== '') this.#tell(line, name);
    });
  }

  #tell(line: string, name: string): void {
    const now = this.#clock.now();
    if (now - this.#since >= PER_MS) {
      this.#since = now;
      this.#told = 0;
    }
    this.#told += 1;
    if (this.#told > MAX_LINES) {
      this.#withheld += 1;
      return;
    }
    const withheld = this.#withheld;
    this.#withheld = 0;
    this.#log.info({ thread: 'decode', stream: name, withheld }, `the driver says: ${line.slice(0, MAX_CHARS)}`);
  }
}
