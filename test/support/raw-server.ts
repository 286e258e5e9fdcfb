// A server on loopback that answers every connection as a test says: for brokers that are none, or that misbehave.

import net from 'node:net';
import type { ExecutionContext } from 'ava';

/** Listens until the end of the test; answers the port. Every connection is given to `greet`. */
export async function rawServerFor(t: ExecutionContext, greet: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}
