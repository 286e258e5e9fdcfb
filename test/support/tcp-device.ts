// A device on the network: a socket that listens, and the gateway that comes to it.

import net from 'node:net';
import { eventually } from './eventually.js';

export interface TcpDevice {
  readonly port: number;
  /** Resolves with the gateway's connection; the same until it is gone. */
  connection(withinMs?: number): Promise<net.Socket>;
  /** Connections accepted so far: 1 as long as the gateway has not let go. */
  readonly accepted: number;
  /** What the gateway has written, over all connections. */
  received(): Buffer;
  close(): Promise<void>;
}

/** Listens on loopback. */
export async function startTcpDevice(port = 0): Promise<TcpDevice> {
  const sockets = new Set<net.Socket>();
  const chunks: Buffer[] = [];
  let accepted = 0;
  let current: net.Socket | undefined;
  const server = net.createServer({ noDelay: true }, (socket) => {
    accepted += 1;
    current = socket;
    sockets.add(socket);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {}); // the gateway may be killed
    socket.on('close', () => {
      sockets.delete(socket);
      if (current === socket) current = undefined;
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async connection(withinMs) {
      await eventually(() => current !== undefined, 'the gateway to connect', withinMs);
      if (current === undefined) throw new Error('the gateway went away again');
      return current;
    },
    get accepted() {
      return accepted;
    },
    received: () => Buffer.concat(chunks),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
