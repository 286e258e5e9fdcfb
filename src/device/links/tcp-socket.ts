// A Link over a TCP socket: one that we connected (`tcp.ts`) or one that a listener accepted (ServerManager). Thousands of
// these may live in one process, so a link is one small object with no timer unless `idleTimeoutMs` is set.

import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.js';
import type { Loan } from '../../core/loan.js';
import type { Link, LinkTrouble, WriteOutcome } from '../link.js';
import { BaseLink, type BaseLinkOptions } from './base-link.js';
import type { ChunkPool } from './chunk-pool.js';
import type { IdleWatch } from './idle-watch.js';
import type { NameLookups } from './name-lookups.js';

const KEEPALIVE_MS = 30_000;
/**
 * How long a close of our own waits for the peer's end of file. Closing a socket with unread bytes in it makes the kernel
 * send a reset, and a reset may overtake the last bytes we wrote (an `on_shutdown` command); so we end, then read on.
 */
const LINGER_MS = 250;

export interface SocketLinkOptions {
  /** For logs: `tcp 10.0.0.5:4001`. */
  readonly name: string;
  readonly clock: Clock;
  /** Nothing received for this long (ms): lost as `idle`. 0 = never. */
  readonly idleTimeoutMs: number;
  /** For many links of that timeout; default: one of its own. */
  readonly idleWatch?: IdleWatch | undefined;
}

export interface Dialled {
  readonly host: string;
  readonly port: number;
  /**
   * How long the first addresses of a name with several are tried before it is the turn of the next, ms. Node gives them 250, which a
   * modem or a satellite does not keep, and then no attempt ever gets there.
   */
  readonly attemptMs: number;
  /** What looks the host up, where it is a name. */
  readonly names: NameLookups;
}

/** Begins to connect a socket that reads by way of `chunks`, and not before it is a link that is attached. */
export function dial({ host, port, attemptMs, names }: Dialled, chunks: ChunkPool): Socket {
  const take = (bytes: Buffer, loan?: Loan): void => socket[OWNER]?.onData(bytes, loan);
  const callback = (count: number): boolean => {
    chunks.handOn(count, take);
    return true;
  };
  const onread = { buffer: chunks.incoming, callback };
  const socket: OwnedSocket = connect({
    ...{ host, port, onread },
    lookup: names.lookup,
    autoSelectFamilyAttemptTimeout: attemptMs,
  });
  socket.pause();
  socket[LENDS] = true;
  return socket;
}

/**
 * Connected to itself: where nobody listens on a port of this machine that is one of those which the system takes for its own end, it
 * takes that very one sooner or later (RFC 9293, 3.5). It would hear what it says, and keep the port from the device's own program.
 */
export function isOwnEnd({ localAddress, localPort, remoteAddress, remotePort }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

/** Makes a Link of a connected socket. To be called in the turn in which it connected or was accepted. */
export function socketLink(socket: Socket, options: SocketLinkOptions): Link {
  return new SocketLink(socket, options);
}

/** Error codes of the system -> our words, for a connection that was up. */
const TROUBLE: Readonly<Record<string, LinkTrouble>> = {
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
};

const DETAIL: Partial<Readonly<Record<LinkTrouble, string>>> = {
  reset: 'the peer broke the connection',
  timeout: 'the peer answers no more',
  unreachable: 'the network lost the peer',
};

const OWNER = Symbol('link');
/** It reads by way of a ChunkPool, and has no `data` events. */
const LENDS = Symbol('lends');

/** A socket knows its link, so that all sockets share their listeners: a closure each would be 64 bytes, five times. */
interface OwnedSocket extends Socket {
  [OWNER]?: SocketLink;
  [LENDS]?: boolean;
}

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[OWNER]?.onData(chunk);
}

function onEnd(this: OwnedSocket): void {
  this[OWNER]?.onHangUp('the peer closed the connection');
}

function onClose(this: OwnedSocket): void {
  this[OWNER]?.onHangUp('the connection is gone');
}

function onError(this: OwnedSocket, error: NodeJS.ErrnoException): void {
  this[OWNER]?.onError(error);
}

class SocketLink extends BaseLink {
  readonly canPause = true;
  readonly isSerial = false;
  readonly #socket: OwnedSocket;

  constructor(socket: OwnedSocket, options: BaseLinkOptions) {
    super(options);
    this.#socket = socket;
    socket[OWNER] = this;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    // `on` and not `once`, which makes two objects each: a loss counts once anyway.
    socket.on('error', onError).on('end', onEnd).on('close', onClose);
  }

  onData(chunk: Buffer, loan?: Loan): void {
    this.deliver(chunk, loan);
  }

  onHangUp(words: string): void {
    if (!this.isLost) this.lose('hang-up', `${this.name}: ${words}`);
  }

  onError(error: NodeJS.ErrnoException): void {
    if (this.isLost) return;
    this.#deliverHeldBack();
    const trouble = TROUBLE[error.code ?? ''] ?? 'io-error';
    this.lose(trouble, `${this.name}: ${DETAIL[trouble] ?? error.message}`);
  }

  protected startReading(): void {
    const socket = this.#socket;
    if (socket[LENDS] === true) {
      socket.read(0); // `resume` reads at the end of the turn, even if `pause` was called meanwhile
      return;
    }
    if (socket.listenerCount('data') === 0) socket.on('data', onData);
    socket.resume();
  }

  protected stopReading(): void {
    this.#socket.pause();
  }

  protected send(bytes: Uint8Array, done: (outcome: WriteOutcome) => void): void {
    // Node calls back without an error for a write that was cut off by destroy(); by then `lose` has answered 'lost'.
    this.#socket.write(bytes, (error) => done(error || this.isLost ? 'lost' : 'written'));
  }

  protected release(trouble: LinkTrouble): Promise<void> {
    const socket = this.#socket;
    socket.removeAllListeners('data');
    return new Promise((resolve) => {
      if (socket.closed) {
        resolve();
        return;
      }
      const linger = trouble === 'closed' && !socket.destroyed ? this.#endGently() : undefined;
      socket.once('close', () => {
        linger?.cancel();
        resolve();
      });
      if (!linger) socket.destroy();
    });
  }

  #endGently(): Timer {
    this.#socket.end();
    if (this.#socket[LENDS] === true) this.#socket.read(0);
    else this.#socket.resume();
    return this.clock.after(LINGER_MS, () => this.#socket.destroy());
  }

  /** Bytes that Node had read already when the link was paused come before the loss. */
  #deliverHeldBack(): void {
    this.#socket.removeAllListeners('data');
    for (let chunk = this.#socket.read(); chunk; chunk = this.#socket.read()) this.deliver(chunk);
  }
}
