// Where the commands print: lines to stdout or stderr.

import type { Writable } from 'node:stream';

/**
 * Prints lines to a stream, which is asked for with the first one. A reader who has seen enough and closes the pipe
 * (`| head -1`, `| grep -q`) is no failure of the command: the rest is lost, and the exit code says what was found out. Whether
 * all else was written, as on a full disk, is asked for at the end.
 */
export class LinePrinter {
  readonly #stream: () => Writable;
  #known: Writable | undefined;
  #failure: Error | undefined;

  constructor(stream: () => Writable) {
    this.#stream = stream;
  }

  readonly line = (text: string): void => {
    this.#known ??= this.#watched(this.#stream());
    this.#known.write(`${text}\n`);
  };

  /** Resolves, when all lines are written or can be no more, to why some are not. */
  async failure(): Promise<Error | undefined> {
    const stream = this.#known;
    if (stream === undefined) return undefined;
    await new Promise((resolve) => stream.write('', resolve));
    await new Promise(setImmediate); // an error is told a moment after the write it is of
    return this.#failure;
  }

  /** Without a listener any error, that of a closed pipe too, would end the process in the midst of what it does. */
  #watched(stream: Writable): Writable {
    return stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.#failure ??= error;
    });
  }
}
