// Where the commands print: lines to stdout or stderr.

import type { Writable } from 'node:stream';

/**
 * A function that prints lines to a stream, which is asked for with the first one. A reader who has seen enough and closes the
 * pipe (`| head -1`, `| grep -q`) is no failure of the command: the rest is lost, and the exit code says what was found out.
 */
export function printTo(stream: () => Writable): (line: string) => void {
  let known: Writable | undefined;
  return (line) => {
    known ??= watched(stream());
    known.write(`${line}\n`);
  };
}

/** Without a listener any error, that of a closed pipe too, would end the process in the midst of what it does. */
function watched(stream: Writable): Writable {
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    const isAlone = stream.listenerCount('error') === 1;
    if (error.code !== 'EPIPE' && isAlone) throw error;
  });
}
