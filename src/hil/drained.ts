// Back-pressure of a socket, for virtual lines that are sent to at full speed.

import type net from 'node:net';

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
