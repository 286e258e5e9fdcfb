// A virtual device that connects to the gateway by itself (`tcp-listen`), and again whenever the connection is gone.

import net from 'node:net';
import type { Clock, Timer } from '../core/clock.js';
import { drained, sendOrCutOff } from './drained.js';
import { Plug } from './plug.js';
import type { VirtualLine } from './virtual-line.js';

const REDIAL_MS = 500;

export interface DialLineOptions {
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
}

/** Starts dialling at once; never rejects, since a device that finds nobody tries again. */
export function openDialLine(options: DialLineOptions): VirtualLine {
  const line = new DialLine(options);
  void line.plug(); // cannot fail
  return line;
}

class DialLine implements VirtualLine {
  readonly #options: DialLineOptions;
  readonly #plug = new Plug({ putIn: async () => this.#begin(), pull: () => this.#end() });
  #socket: net.Socket | undefined;
  #redial: Timer | undefined;
  #isPlugged = false;
  #listener: (chunk: Buffer) => void = () => {};

  constructor(options: DialLineOptions) {
    this.#options = options;
  }

  get link(): string {
    return `tcp-listen://${this.#options.host}:${this.#options.port}`;
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === 'open';
  }

  async flushed(): Promise<void> {
    if (this.#socket) await drained(this.#socket);
  }

  /** Bytes for a connection that is not there yet are lost: `writable` is true from the start, `connecting` tells. */
  send(bytes: Uint8Array | string): void {
    if (this.#socket?.connecting === false) sendOrCutOff(this.#socket, bytes);
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

  close(): Promise<void> {
    return this.#plug.close();
  }

  #begin(): void {
    this.#isPlugged = true;
    this.#dial();
  }

  #dial(): void {
    const { clock, host, port } = this.#options;
    const socket = net.connect({ host, port, noDelay: true });
    this.#socket = socket;
    socket.on('data', (chunk) => this.#listener(chunk));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      this.#socket = undefined;
      if (this.#isPlugged) this.#redial = clock.after(REDIAL_MS, () => this.#dial());
    });
  }

  async #end(): Promise<void> {
    this.#isPlugged = false;
    this.#redial?.cancel();
    const socket = this.#socket;
    if (!socket) return;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.destroy();
    await closed;
  }
}
