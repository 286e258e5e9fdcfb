// Opens the connection below MQTT: TCP, TLS or WebSocket, as the URL says. Resolves with a connected stream on which
// nothing has been said yet, so that trouble with the network is told apart from trouble with MQTT.

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
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

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** Connects to an `mqtt:`, `mqtts:`, `ws:` or `wss:` URL. Rejects with the system's error, or SessionError on abort. */
export function openBrokerSocket(url: URL, security: BrokerTls, signal: AbortSignal): Promise<Duplex> {
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined) return Promise.reject(badScheme(url));
  const port = url.port === '' ? defaultPort : Number(url.port);
  const endpoint = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
  switch (url.protocol) {
    case 'mqtt:':
      return connected(net.connect({ ...endpoint, noDelay: true }), 'connect', signal);
    case 'mqtts:':
      return connected(connectTls(endpoint, security), 'secureConnect', signal);
    default:
      return openWebSocket(url, security, signal);
  }
}

function badScheme(url: URL): SessionError {
  return new SessionError('not-mqtt', `broker ${url.host}: "${url.protocol}//" is none of mqtt, mqtts, ws, wss`);
}

function connectTls({ host, port }: Endpoint, security: BrokerTls): tls.TLSSocket {
  const named = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = tls.connect({ host, port, ...named, ...security });
  socket.setNoDelay(true);
  return socket;
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
  const socket = new WebSocket(bare, ['mqtt'], { ...security, perMessageDeflate: false });
  const stream = createWebSocketStream(socket);
  // The stream reports the errors of the socket, and its own `open` is the socket's.
  const onOpen = (): boolean => stream.emit('ferrule:open');
  socket.once('open', onOpen);
  socket.once('close', () => stream.destroy());
  return connected(stream, 'ferrule:open', signal);
}
