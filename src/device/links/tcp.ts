// Connects to a device or a serial server that listens on TCP (ser2net, Moxa, RFC 2217 in raw mode). The connected socket
// becomes a link in `tcp-socket.ts`.

import { isIP, type Socket } from 'node:net';
import type { TcpLinkConfig } from '../../config/link-schema.js';
import { type Link, LinkError, type LinkOpener, type LinkTrouble } from '../link.js';
import { ChunkPool } from './chunk-pool.js';
import type { LinkDeps } from './link-deps.js';
import { NameLookups } from './name-lookups.js';
import { dial, isOwnEnd, socketLink } from './tcp-socket.js';

/** Of a name with several addresses, so many can be tried in the time that a connect may take. */
const ADDRESSES = 3;

/** An opener for `tcp://host:port`. */
export function tcpOpener(config: TcpLinkConfig, deps: LinkDeps): LinkOpener {
  const address = config.host.includes(':') ? `[${config.host}]:${config.port}` : `${config.host}:${config.port}`;
  const name = `tcp ${address}`;
  const { clock, chunks = new ChunkPool(), names = new NameLookups({ clock }) } = deps;
  return {
    name,
    async open(signal): Promise<Link> {
      const socket = await connected(config, address, { clock, chunks, names }, signal);
      return socketLink(socket, { name, clock, idleTimeoutMs: config.idle_timeout });
    },
  };
}

function connected(
  config: TcpLinkConfig,
  address: string,
  { clock, chunks, names }: Required<Pick<LinkDeps, 'clock' | 'chunks' | 'names'>>,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(aborted(address));
      return;
    }
    const { host, port, connect_timeout: timeoutMs } = config;
    const socket = dial({ host, port, attemptMs: Math.ceil(timeoutMs / ADDRESSES), names }, chunks);
    const settle = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError).removeListener('lookup', onLookup);
    };
    const fail = (error: LinkError): void => {
      settle();
      socket.on('error', () => {}); // a late error of a socket that we gave up must not end the process
      socket.destroy();
      reject(error);
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(explain(error, address));
    const onAbort = (): void => fail(aborted(address));
    let isFound = isIP(host) !== 0;
    const onLookup = (): void => {
      isFound = true;
    };
    const timer = clock.after(timeoutMs, () => fail(tooSlow(config, address, isFound)));
    socket.once('connect', () => {
      if (isOwnEnd(socket)) {
        fail(new LinkError(nobody.trouble, nobody.words(address)));
        return;
      }
      settle();
      resolve(socket);
    });
    socket.on('error', onError).once('lookup', onLookup);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

const aborted = (address: string): LinkError => new LinkError('closed', `connecting to ${address} was called off`);

/** `isFound`: the host's name is not the trouble. */
function tooSlow(config: TcpLinkConfig, address: string, isFound: boolean): LinkError {
  const seconds = config.connect_timeout / 1000;
  if (!isFound) {
    const what = `the name in ${address} was not found in ${seconds} s (connect_timeout)`;
    return new LinkError('unreachable', `${what}; is it spelled right, does DNS work?`);
  }
  return new LinkError(
    'timeout',
    `no answer from ${address} in ${seconds} s (connect_timeout); is the device on, does a firewall drop it?`,
  );
}

interface Reason {
  readonly trouble: LinkTrouble;
  readonly words: (address: string) => string;
}

const nobody: Reason = {
  trouble: 'refused',
  words: (address) => `nobody listens on ${address}; is the device on, is the port right?`,
};
const unknownName: Reason = {
  trouble: 'unreachable',
  words: (address) => `the name in ${address} is not known to the resolver; is it spelled right, does DNS work?`,
};
const noRoute: Reason = {
  trouble: 'unreachable',
  words: (address) => `no way to ${address}; is the device on, is the network right?`,
};
const noAnswer: Reason = { trouble: 'timeout', words: (address) => `no answer from ${address}; is the device on?` };

const REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: nobody,
  ENOTFOUND: unknownName,
  EAI_AGAIN: unknownName,
  EAI_NONAME: unknownName,
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
  EHOSTDOWN: noRoute,
  ENETDOWN: noRoute,
  EADDRNOTAVAIL: noRoute,
  ETIMEDOUT: noAnswer,
  ECONNRESET: { trouble: 'reset', words: (address) => `${address} broke the connection at once` },
};

function explain(error: NodeJS.ErrnoException, address: string): LinkError {
  const first = firstOf(error);
  const reason = REASONS[first.code ?? ''];
  if (!reason) return new LinkError('io-error', `cannot connect to ${address}: ${first.message}`, { cause: error });
  return new LinkError(reason.trouble, reason.words(address), { cause: error });
}

/** A name with several addresses fails with one AggregateError for all of them; the first one tells enough. */
function firstOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0];
  return error;
}
