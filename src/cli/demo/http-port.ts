// On which port the demo serves health and metrics: the usual one, or where a gateway runs already another that is free. It may be
// taken before the gateway has it; the gateway then says so, and the demo goes on.

import net from 'node:net';
import { parseListenAddress } from '../../config/listen-address.js';
import { DEFAULT_HTTP_LISTEN } from '../../config/schema.js';

const HOST = '127.0.0.1';
const USUAL = parseListenAddress(DEFAULT_HTTP_LISTEN)?.port ?? 0;

/** Finds it. Rejects only where there is no port at all. */
export async function findHttpPort(usual = USUAL): Promise<number> {
  return (await tryPort(usual)) ?? (await tryPort(0)) ?? Promise.reject(new Error(`no free port on ${HOST}`));
}

/** Listens for a moment; answers the port, undefined if it cannot be had. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
