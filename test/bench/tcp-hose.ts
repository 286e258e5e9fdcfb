// One TCP device: listens, and writes numbered lines to whoever connects; as fast as they are taken, or at a pace. Counts what
// the system has taken, line by line.

import { once } from 'node:events';
import net from 'node:net';
import { monotonicUs, numberBlock, STAMPED_BYTES, stampBlock, stampedBlock } from './stamped-line.js';

/** Lines of one write at full speed: 32 KB, a fraction of what a socket holds. */
const HOSE_LINES = 512;
const TICK_MS = 4;
const NODELAY = true;

/** What the socket of a device has taken, for `SIGTERM with a backlog`. */
export interface TakenBytes {
  readonly bytes: number;
  readonly localPort: number;
  readonly remotePort: number;
}

export class TcpHose {
  readonly #device: number;
  readonly #server = net.createServer({ noDelay: NODELAY }, (socket) => this.#accept(socket));
  #socket: net.Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #sent = 0;
  #limit = Number.POSITIVE_INFINITY;

  constructor(device: number) {
    this.#device = device;
  }

  /** Lines written. */
  get sent(): number {
    return this.#sent;
  }

  /** Listens on loopback; gives the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as net.AddressInfo).port; // an address, as it listens on a port
  }

  /** Resolves once somebody has connected. */
  async connected(): Promise<void> {
    if (this.#socket === undefined) await once(this.#server, 'connection');
  }

  /** Writes as fast as the other side reads. */
  open(): void {
    this.#isOpen = true;
    this.#pour();
  }

  /** Writes no line beyond this number, until told a higher one. */
  limit(lines: number): void {
    this.#limit = lines;
    this.#pour();
  }

  /** Writes at a pace, in whole lines, catching up after a late timer. */
  pace(linesPerSecond: number): void {
    const begun = performance.now();
    const before = this.#sent;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - begun) * linesPerSecond) / 1000) - (this.#sent - before);
      if (due > 0 && this.#socket !== undefined && this.#socket.writableLength === 0) this.#write(this.#socket, due);
    }, TICK_MS);
  }

  /** Sends back what comes, as it comes. */
  echo(): void {
    this.#socket?.on('data', (chunk) => this.#socket?.write(chunk));
  }

  /** Writes no more; what it had begun to write goes out. */
  close(): void {
    this.#isOpen = false;
    clearInterval(this.#timer);
  }

  /** What the system has taken so far. */
  taken(): TakenBytes {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('nobody has connected to the device');
    return {
      bytes: socket.bytesWritten - socket.writableLength,
      localPort: socket.localPort ?? 0,
      remotePort: socket.remotePort ?? 0,
    };
  }

  #accept(socket: net.Socket): void {
    this.#socket = socket;
    socket.on('error', () => {}); // the other side may be killed
    socket.on('drain', () => this.#pour());
    this.#pour();
  }

  #pour(): void {
    if (this.#sent >= this.#limit) return;
    if (!this.#isOpen || !this.#socket?.writable || this.#socket.writableNeedDrain) return;
    if (this.#write(this.#socket, HOSE_LINES)) setImmediate(() => this.#pour()); // questions of the parent come in between
  }

  #write(socket: net.Socket, lines: number): boolean {
    const block = stampedBlock(this.#device, lines);
    numberBlock(block, this.#sent);
    stampBlock(block, monotonicUs());
    this.#sent += block.length / STAMPED_BYTES;
    return socket.write(block);
  }
}
