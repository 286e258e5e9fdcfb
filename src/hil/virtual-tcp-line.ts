// A virtual device on the network: it listens on a port (of loopback, unless told), the gateway connects to it. Unplugged, the port is
// closed and every connection reset, so the gateway sees what it sees of a device without power: nobody answers.

import net from 'node:net';
import { drained } from './drained.js';
import type { VirtualLine } from './virtual-line.js';

const LOOPBACK = '127.0.0.1';
/** A peer that does not read is cut off beyond this, rather than to hold memory for it. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Listens on `port`, or on one that the system chooses. Rejects with the system's error if it cannot. */
export async function openTcpLine(port = 0, host = LOOPBACK): Promise<VirtualLine> {
  const line = new TcpLine(host);
  await line.open(port);
  return line;
}

class TcpLine implements VirtualLine {
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  readonly #host: string;
  #port = 0;
  #listener: (chunk: Buffer) => void = () => {};

  constructor(host: string) {
    this.#host = host;
  }

  get link(): string {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return `tcp://${host}:${this.#port}`;
  }

  get isOpen(): boolean {
    return this.#sockets.size > 0;
  }

  async flushed(): Promise<void> {
    await Promise.all([...this.#sockets].map(drained));
  }

  send(bytes: Uint8Array | string): void {
    for (const socket of this.#sockets) {
      socket.write(bytes);
      if (socket.writableLength > MAX_WAITING_BYTES) socket.destroy();
    }
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  async open(port: number): Promise<void> {
    const server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
    await listen(server, this.#host, port);
    server.on('error', () => {}); // accepting failed for a moment; the gateway tries again
    this.#server = server;
    const address = server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  unplug(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return Promise.resolve();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) cutOff(socket);
    return closed;
  }

  async plug(): Promise<void> {
    if (!this.#server) await this.open(this.#port);
  }

  /** Every connection is reset (RST); the port stays open for the next. */
  async reset(): Promise<void> {
    for (const socket of this.#sockets) cutOff(socket);
  }

  close(): Promise<void> {
    return this.unplug();
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('data', (chunk) => this.#listener(chunk));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** A reset while the socket is ending already is refused by libuv, and Node 20 then spins for ever. */
function cutOff(socket: net.Socket): void {
  if (socket.writableEnded || socket.readableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

function listen(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
