// A name with two addresses, of which the first takes a second to connect and the second refuses: a cloud broker over a modem.

import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { ExecutionContext } from 'ava';

const ADDRESSES = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 }, // nobody listens there
];

export interface SlowName {
  /** On which it listens. */
  readonly port: number;
  /** Resolves when somebody has connected. */
  readonly met: Promise<unknown>;
}

/** Every name is such a one until the end of the test, which must be serial. */
export async function slowName(t: ExecutionContext): Promise<SlowName> {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has no string address
  const { lookup } = dns;
  const answer = (_host: string, _options: object, callback: (...args: unknown[]) => void): void =>
    process.nextTick(callback, null, ADDRESSES);
  dns.lookup = answer as typeof lookup; // of its many forms the one that is used
  // More than wait to be accepted, all in one turn: the system leaves the next one out, and it comes again a second later.
  const crowd = Array.from({ length: 4 }, () => connect(port, '127.0.0.1'));
  t.teardown(() => {
    dns.lookup = lookup;
    for (const socket of crowd) socket.destroy();
    server.close();
  });
  const met = new Promise((resolve) => {
    server.on('connection', (socket) => {
      if (!crowd.some(({ localPort }) => localPort === socket.remotePort)) resolve(undefined);
    });
  });
  return { port, met };
}
