// The broker in this process (`mqtt.url: embedded`), for a demo or a board without mosquitto. It listens on loopback only:
// it has no users and no passwords. aedes speaks MQTT 3.1.1, not MQTT 5.

import net from 'node:net';
import { FerruleError } from '../core/errors.js';
import { type Log, silentLog } from '../core/log.js';
import { type KeepingStore, limitAway } from './away-limit.js';

export interface EmbeddedBrokerOptions {
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly log?: Log;
}

export interface EmbeddedBroker {
  /** For the uplink and for people: `mqtt://127.0.0.1:1883`. */
  readonly url: string;
  readonly port: number;
  /** Ends all connections and the listener; idempotent. */
  close(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** The MQTT version to use with the embedded broker. */
export const EMBEDDED_VERSION = 4;

/** Starts it. Rejects with a FerruleError that says what to change: host not loopback, port taken or forbidden. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { host = '127.0.0.1', port, log = silentLog } = options;
  if (!LOOPBACK.has(host)) throw notLoopback(host);
  const { Aedes } = await import('aedes'); // 90 ms: only for those who use it
  const broker = await Aedes.createBroker();
  const connected = new Set<string>();
  broker.on('client', ({ id }) => void connected.add(id));
  broker.on('clientDisconnect', ({ id }) => void connected.delete(id));
  const { persistence: store } = broker as unknown as { readonly persistence: KeepingStore }; // its types leave it out
  limitAway({ store, isConnected: (id) => connected.has(id), log });
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // aedes ends the client; without a listener it would end the process
    broker.handle(socket);
  });
  broker.on('clientError', (client, error) =>
    log.debug({ client: client.id, err: error }, 'embedded broker: client error'),
  );
  broker.on('connectionError', (_client, error) => log.debug({ err: error }, 'embedded broker: connection error'));
  try {
    await listen(server, host, port);
  } catch (error) {
    broker.close();
    throw listenError(error, host, port);
  }
  server.on('error', (error) => log.error({ err: error }, 'embedded broker: listener failed'));
  return running(server, broker, sockets, host);
}

function running(
  server: net.Server,
  broker: { close(): void },
  sockets: Set<net.Socket>,
  host: string,
): EmbeddedBroker {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  let closing: Promise<void> | undefined;
  return {
    url: `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    close: () => {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        broker.close();
        for (const socket of sockets) socket.destroy(); // nobody is waited for, so closing always ends
      });
      return closing;
    },
  };
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

function notLoopback(host: string): FerruleError {
  const words =
    'has no passwords, so it listens on 127.0.0.1 or ::1 only; for other machines run a broker such as mosquitto';
  return new FerruleError('embedded-broker-host', `embedded broker on "${host}": it ${words}`);
}

function listenError(error: unknown, host: string, port: number): FerruleError {
  const code = (error as { code?: string }).code ?? 'unknown error';
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is taken, perhaps by a broker that runs already: use that one, or choose another port',
    EACCES: 'no permission for this port: choose one above 1023',
    EADDRNOTAVAIL: 'this machine does not have that address',
  };
  return new FerruleError('embedded-broker-port', `embedded broker on ${host}:${port}: ${reasons[code] ?? code}`, {
    cause: error,
  });
}
