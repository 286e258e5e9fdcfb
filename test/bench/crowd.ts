// Many TCP devices that call a listener: each says one line per second, spread evenly over that second.

import { once } from 'node:events';
import net from 'node:net';
import { monotonicUs, stampedLine } from './stamped-line.js';

const TICK_MS = 5;
/** Connects at once: under the backlog of a listener (511 in Node). */
const BATCH = 100;

export class Crowd {
  readonly #sockets: net.Socket[] = [];
  readonly #sent: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #first = 0;

  /** Connects `count` devices to a port of loopback; their numbers begin with `first`. */
  async connect(port: number, count: number, first = 0): Promise<void> {
    this.#first = first;
    while (this.#sockets.length < count) {
      const some = Array.from({ length: Math.min(BATCH, count - this.#sockets.length) }, () => this.#dial(port));
      await Promise.all(some);
    }
  }

  /** Each says a line per second. */
  talk(): void {
    const begun = performance.now();
    let said = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - begun) * this.#sockets.length) / 1000;
      while (said < due) this.#say(said++ % this.#sockets.length);
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Lines written by each device. */
  get sent(): Map<number, number> {
    return new Map(this.#sent.map((count, index) => [this.#first + index, count]));
  }

  /** Connections that the other side has ended. */
  get lost(): number {
    return this.#lost;
  }

  close(): void {
    this.stop();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #dial(port: number): Promise<void> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    socket.on('error', () => {}); // told by `close`
    socket.on('close', () => (this.#lost += 1));
    socket.resume();
    this.#sockets.push(socket);
    this.#sent.push(0);
  }

  #say(index: number): void {
    const number = this.#sent[index] ?? 0;
    this.#sockets[index]?.write(stampedLine(this.#first + index, number, monotonicUs()));
    this.#sent[index] = number + 1;
  }
}
