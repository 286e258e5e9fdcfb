// Opens the connection below MQTT: TCP, TLS or WebSocket, as the URL says. Resolves with a connected stream on which
// nothing has been said yet, so that trouble with the network is told apart from trouble with MQTT.
//
// What is read comes as `data` events, and is only lent: the bytes are good until the event is over. Listen as soon as the promise
// resolves: what comes before is not kept (a broker speaks second). TCP and TLS read into one
// buffer over and over; without that Node takes a new one of 64 KiB for each PUBACK of four bytes, and `pause` does not keep it
// from reading on, awake for each of them.

import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { SessionError } from './session-error.js';

/** TLS settings; PEM contents, not paths. */
export interface BrokerTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False accepts any certificate: for tests only. Default true. */
  readonly rejectUnauthorized?: boolean;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What is read at once, at most. */
const READ_BYTES = 64 * 1024;

/**
 * How long the first address of a broker with several is tried before it is the turn of the next. Node gives it 250 ms, which a modem
 * does not keep: then no attempt ever gets there. Three fit into the 10 s that connecting may take.
 */
const ATTEMPT = { autoSelectFamilyAttemptTimeout: 3000 };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** Connects to an `mqtt:`, `mqtts:`, `ws:` or `wss:` URL. Rejects with the system's error, or SessionError on abort. */
export async function openBrokerSocket(url: URL, security: BrokerTls, signal: AbortSignal): Promise<Duplex> {
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined) throw badScheme(url);
  const port = url.port === '' ? defaultPort : Number(url.port);
  const endpoint = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
  switch (url.protocol) {
    case 'mqtt:':
      return connected(connectTcp(endpoint), 'connect', signal);
    case 'mqtts:':
      return connected(await connectTls(endpoint, security), 'secureConnect', signal);
    default:
      return openWebSocket(url, security, signal);
  }
}

function badScheme(url: URL): SessionError {
  return new SessionError('not-mqtt', `broker ${url.host}: "${url.protocol}//" is none of mqtt, mqtts, ws, wss`);
}

function connectTcp(endpoint: Endpoint): net.Socket {
  const socket: net.Socket = net.connect({
    ...endpoint,
    ...ATTEMPT,
    noDelay: true,
    onread: lending((bytes) => hand(socket, bytes)),
  });
  return socket;
}

/** Loads `tls` itself: 6 ms of a start that a broker without TLS does not need. */
async function connectTls({ host, port }: Endpoint, security: BrokerTls): Promise<TLSSocket> {
  const tls = await import('node:tls');
  const named = net.isIP(host) === 0 ? { servername: host } : {};
  // Node documents them for TLS too; its types do not know them.
  const others: object = { ...ATTEMPT, onread: lending((bytes) => hand(socket, bytes)) };
  const socket: TLSSocket = tls.connect({ host, port, ...named, ...security, ...others });
  socket.setNoDelay(true);
  return socket;
}

function hand(socket: net.Socket, bytes: Buffer): void {
  socket.emit('data', bytes);
}

/** Reads into one buffer. */
function lending(take: (bytes: Buffer) => void): net.OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const callback = (count: number): boolean => {
    take(buffer.subarray(0, count));
    return true;
  };
  return { buffer, callback };
}

/** Settles with the first of: `ready` event, error, early close, abort. Leaves no listener behind. */
function connected<Socket extends Duplex>(socket: Socket, ready: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      detach();
      socket.destroy();
      reject(error);
    };
    const onReady = (): void => {
      detach();
      resolve(socket);
    };
    const onClose = (): void => fail(new SessionError('closed', 'the connection was closed before it was up'));
    const onAbort = (): void => fail(new SessionError('aborted', 'connecting was given up'));
    const detach = (): void => {
      socket.off(ready, onReady).off('error', fail).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    // Stays: a socket may report an error between two owners, or more than one while it goes down.
    socket.on('error', () => {});
    socket.on(ready, onReady).on('error', fail).on('close', onClose);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

// `ws` comes with mqtt.js, which builds its own WebSocket connections the same way. Loaded only where it is needed.
async function openWebSocket(url: URL, security: BrokerTls, signal: AbortSignal): Promise<Duplex> {
  const { WebSocket, createWebSocketStream } = await import('ws');
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  const socket = new WebSocket(bare, ['mqtt'], { ...security, ...ATTEMPT, perMessageDeflate: false });
  const stream = createWebSocketStream(socket);
  // The stream reports the errors of the socket, and its own `open` is the socket's.
  const onOpen = (): boolean => stream.emit('ferrule:open');
  socket.once('open', onOpen);
  socket.once('close', () => stream.destroy());
  return connected(stream, 'ferrule:open', signal);
}
