// A network between two processes that fails on command: a TCP proxy on loopback. Each connection is two flows, and each flow
// moves what one side sends to the other, as fast as the proxy is told to.
//
//   gateway --> [ proxy: forward | hold | limit ] --> broker        cut: reset both     refuse: nobody listens

import net from 'node:net';
import type { ExecutionContext } from 'ava';

const TICK_MS = 10;

export interface FaultProxy {
  readonly port: number;
  /** Connections that are open. */
  readonly open: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** All is well: also what was held flows on. */
  forward(): Promise<void>;
  /** Half-open: every socket stays, nothing moves, not even the end of a connection. New ones are accepted, and as silent. */
  hold(): void;
  /** Each flow moves this many bytes per second. */
  limit(bytesPerSecond: number): void;
  /** Resets what is open. */
  cut(): void;
  /** Resets what is open, and nobody listens until `forward`. */
  refuse(): Promise<void>;
}

/** Starts a proxy to a port of loopback; closed with the test. */
export async function faultProxyFor(t: ExecutionContext, targetPort: number): Promise<FaultProxy> {
  const proxy = new RunningProxy(targetPort);
  await proxy.forward();
  t.teardown(() => proxy.refuse());
  return proxy;
}

class RunningProxy implements FaultProxy {
  port = 0;
  accepted = 0;
  readonly #targetPort: number;
  readonly #connections = new Set<Connection>();
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #server: net.Server | undefined;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get open(): number {
    return this.#connections.size;
  }

  async forward(): Promise<void> {
    this.#setSpeed(Number.POSITIVE_INFINITY);
    if (this.#server === undefined) await this.#listen();
  }

  hold(): void {
    this.#setSpeed(0);
  }

  limit(bytesPerSecond: number): void {
    this.#setSpeed(bytesPerSecond);
  }

  cut(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #setSpeed(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    for (const connection of this.#connections) connection.setSpeed(bytesPerSecond);
  }

  async #listen(): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as net.AddressInfo).port;
  }

  #accept(socket: net.Socket): void {
    this.accepted += 1;
    const target = net.connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection = new Connection(socket, target, () => this.#connections.delete(connection));
    connection.setSpeed(this.#bytesPerSecond);
    this.#connections.add(connection);
  }
}

class Connection {
  readonly #sockets: readonly [net.Socket, net.Socket];
  readonly #flows: readonly Flow[];
  #isReset = false;

  constructor(socket: net.Socket, target: net.Socket, onClose: () => void) {
    this.#sockets = [socket, target];
    this.#flows = [new Flow(socket, target), new Flow(target, socket)];
    let closed = 0;
    for (const side of this.#sockets) {
      side.on('error', () => this.reset());
      side.once('close', () => {
        closed += 1;
        if (closed === 2) onClose();
      });
    }
  }

  setSpeed(bytesPerSecond: number): void {
    for (const flow of this.#flows) flow.setSpeed(bytesPerSecond);
  }

  /** Once: a second one would find the sockets on their way out. */
  reset(): void {
    if (this.#isReset) return;
    this.#isReset = true;
    for (const flow of this.#flows) flow.setSpeed(0);
    for (const side of this.#sockets) {
      // libuv does not reset what is being shut down: the handle would stay, and Node would spin in its exit.
      const isEnding = side.writableEnded || side.writableLength > 0 || side.connecting;
      if (isEnding) side.destroy();
      else side.resetAndDestroy();
    }
  }
}

/** One direction. Holds one chunk at most: what it does not move stays with the sender. */
class Flow {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #held: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #ticker: NodeJS.Timeout | undefined;
  #movedUntil = 0;

  constructor(from: net.Socket, to: net.Socket) {
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk) => {
      this.#held = Buffer.concat([this.#held, chunk]);
      this.#move();
    });
    from.once('end', () => {
      this.#hasEnded = true;
      this.#move();
    });
    to.on('drain', () => this.#move());
    for (const side of [from, to]) side.once('close', () => clearInterval(this.#ticker));
  }

  setSpeed(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    clearInterval(this.#ticker);
    this.#movedUntil = performance.now();
    const isPaced = bytesPerSecond > 0 && bytesPerSecond !== Number.POSITIVE_INFINITY;
    if (isPaced && !this.#from.destroyed) this.#ticker = setInterval(() => this.#move(), TICK_MS);
    this.#move();
  }

  #move(): void {
    const bytes = Math.min(this.#held.length, this.#allowance());
    if (bytes > 0) {
      this.#to.write(this.#held.subarray(0, bytes));
      this.#held = this.#held.subarray(bytes);
    }
    const isStuck = this.#held.length > 0 || this.#bytesPerSecond === 0 || this.#to.writableNeedDrain;
    if (isStuck) this.#from.pause();
    else this.#from.resume();
    if (this.#hasEnded && !isStuck) this.#to.end();
  }

  /** Bytes that may move now, by the time since the last ones. */
  #allowance(): number {
    if (this.#to.writableNeedDrain) return 0;
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return this.#held.length;
    const now = performance.now();
    const allowed = Math.floor(((now - this.#movedUntil) * this.#bytesPerSecond) / 1000);
    if (allowed > 0) this.#movedUntil = now;
    return allowed;
  }
}
