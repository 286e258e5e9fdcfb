// Back-pressure of a socket, for virtual lines that are sent to at full speed: `drained` waits for it, and who does not wait is
// held to a bound.

import type net from 'node:net';

/** A peer that does not read is cut off beyond this, rather than to hold memory for it. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Sends to the peer; one for which more than 1 MiB waits then loses its connection. */
export function sendOrCutOff(socket: net.Socket, bytes: Uint8Array | string): void {
  socket.write(bytes);
  if (socket.writableLength > MAX_WAITING_BYTES) socket.destroy();
}

/** Resolves when a socket has room again, or is gone. */
export function drained(socket: net.Socket): Promise<void> | undefined {
  if (!socket.writableNeedDrain || socket.destroyed) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
