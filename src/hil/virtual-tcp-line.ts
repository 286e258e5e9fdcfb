// A virtual device on the network: it listens on a port (of loopback, unless told), the gateway connects to it. Unplugged, the port is
// closed and every connection reset, so the gateway sees what it sees of a device without power: nobody answers.

import { once } from 'node:events';
import net from 'node:net';
import { drained, sendOrCutOff } from './drained.js';
import { Plug } from './plug.js';
import type { VirtualLine } from './virtual-line.js';

const LOOPBACK = '127.0.0.1';

/** Listens on `port`, or on one that the system chooses. Rejects with the system's error if it cannot. */
export async function openTcpLine(port = 0, host = LOOPBACK): Promise<VirtualLine> {
  const line = new TcpLine(host, port);
  await line.plug();
  return line;
}

class TcpLine implements VirtualLine {
  readonly #sockets = new Set<net.Socket>();
  readonly #plug = new Plug({ putIn: () => this.#open(), pull: () => this.#shut() });
  readonly #host: string;
  #port: number;
  readonly #server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
  #listener: (chunk: Buffer) => void = () => {};

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
    this.#server.on('error', () => {}); // accepting failed for a moment; the gateway tries again
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
    for (const socket of this.#sockets) sendOrCutOff(socket, bytes);
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  unplug(): Promise<void> {
    return this.#plug.pull();
  }

  plug(): Promise<void> {
    return this.#plug.putIn();
  }

  /** Every connection is reset (RST); the port stays open for the next. */
  async reset(): Promise<void> {
    for (const socket of this.#sockets) cutOff(socket);
  }

  close(): Promise<void> {
    return this.#plug.close();
  }

  async #open(): Promise<void> {
    this.#server.listen({ host: this.#host, port: this.#port });
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  #shut(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) cutOff(socket);
    return closed;
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
