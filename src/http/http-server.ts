// Health and metrics over HTTP. Listens, with patience: a port that is taken never keeps the gateway from its work. Everything
// about a connection is bounded, and each carries one request, so that no client can pile any up.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { formatListenAddress, type ListenAddress } from '../config/listen-address.js';
import { DEFAULT_HTTP_LISTEN } from '../config/schema.js';
import { type Clock, sleep } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { backoffDelay } from '../core/restart-policy.js';
import { type Answer, jsonAnswer } from './answer.js';
import type { GatewayView } from './gateway-view.js';
import { Metrics } from './metrics.js';
import { route } from './routes.js';

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8 * 1024;
/** For a request to arrive, and for a client to read on, ms. */
const REQUEST_MS = 5000;
const STALLED_MS = 10_000;
const LISTEN_BACKOFF = { firstMs: 1000, maxMs: 60_000 };

export interface HttpServerOptions {
  readonly address: ListenAddress;
  readonly token: string | undefined;
  readonly gateway: GatewayView;
  readonly clock: Clock;
  readonly log: Log;
  /** A connection on which nothing moves ends after so long, ms; for tests. */
  readonly stalledMs?: number;
  /** A request has to arrive within so long, ms; for tests. */
  readonly requestMs?: number;
}

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #stop = new AbortController();
  #server: Server | undefined;
  #isStarted = false;
  #address: ListenAddress | undefined;
  #hasFailed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#log = options.log.child({ group: 'http' });
    this.#metrics = new Metrics(options.gateway, options.clock);
  }

  /** Where it listens; undefined while it does not. */
  get address(): ListenAddress | undefined {
    return this.#address;
  }

  /** Listens, now or as soon as the address is free. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#run().catch((error: unknown) => {
      this.#log.error({ err: error }, `http is not served: ${messageOf(error)}; this is a bug in ferrule`);
    });
  }

  /** Stops listening and ends every connection. Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#metrics.close();
    const server = this.#server;
    this.#server = undefined;
    this.#address = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #run(): Promise<void> {
    const { clock, requestMs = REQUEST_MS } = this.#options;
    // Only where http is on: nobody else pays for it. `import` would read all that it exports, and with that load Node's fetch and HTTP/2.
    const { createServer } = process.getBuiltinModule('node:http');
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      const server = createServer(
        {
          maxHeaderSize: MAX_HEADER_BYTES,
          headersTimeout: requestMs,
          requestTimeout: requestMs,
          connectionsCheckingInterval: requestMs, // Node's own 30 s would make 35 s of the 5
        },
        (request, response) => void this.#serve(request, response),
      );
      const failure = await this.#listen(server);
      if (failure === undefined) return;
      const delayMs = backoffDelay(LISTEN_BACKOFF, attempt, clock.random());
      this.#tellFailure(failure, delayMs, attempt);
      await sleep(clock, delayMs, this.#stop.signal);
    }
  }

  /** Answers why it cannot listen, or undefined. */
  async #listen(server: Server): Promise<string | undefined> {
    const { address, stalledMs = STALLED_MS } = this.#options;
    server.maxConnections = MAX_CONNECTIONS;
    server.timeout = stalledMs;
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      // Also later: accepting can fail for a moment, for want of descriptors. The server stays.
      server.on('error', resolve);
      server.listen(address, () => resolve(undefined));
    });
    if (error !== undefined) return explain(error, formatListenAddress(address));
    // Looking up a host name takes its time: nobody waits for it at a shutdown.
    if (this.#stop.signal.aborted) server.close();
    else this.#listening(server);
    return undefined;
  }

  #listening(server: Server): void {
    const { address } = this.#options;
    this.#server = server;
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
    this.#address = { ...address, port };
    const listen = formatListenAddress(this.#address);
    this.#log.info({ listen }, `health and metrics on http://${listen}`);
  }

  /** Said once: the next attempts are made in silence. */
  #tellFailure(failure: string, delayMs: number, attempt: number): void {
    const fields = { retry_in_ms: Math.round(delayMs) };
    const words = `${failure}. Devices go on; trying again until it works`;
    // Nobody has asked for the default address: with two gateways on one machine it is bound to be taken.
    const isDefault = formatListenAddress(this.#options.address) === DEFAULT_HTTP_LISTEN;
    if (attempt === 0) this.#log[isDefault ? 'warn' : 'error'](fields, words);
    else this.#log.debug(fields, failure);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away is no event.
    response.on('error', () => {});
    write(response, await this.#answer(request), request.method === 'HEAD');
  }

  /** Never rejects. */
  async #answer({ method = '', url = '', headers }: IncomingMessage): Promise<Answer> {
    const { token, gateway } = this.#options;
    try {
      return await route(
        { method, url, authorization: headers.authorization },
        { token, report: () => gateway.report(), metrics: () => this.#metrics.answer() },
      );
    } catch (error) {
      if (!this.#hasFailed) this.#log.error({ err: error }, `a request failed: ${messageOf(error)}; said only once`);
      this.#hasFailed = true;
      return jsonAnswer(500, { error: 'internal error, see the log of the gateway' });
    }
  }
}

function write(response: ServerResponse, { status, headers, body }: Answer, isHead: boolean): void {
  const length = Buffer.byteLength(body);
  const general = { 'content-length': length, 'cache-control': 'no-store', connection: 'close' };
  response.writeHead(status, { ...general, ...headers });
  response.end(isHead ? undefined : body);
}

function explain(error: NodeJS.ErrnoException, where: string): string {
  const head = `health and metrics are not served, cannot listen on ${where}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${head}: another process does already, perhaps another gateway (ss -ltnp shows which); set http.listen to a port of its own, or http: false`;
    case 'EACCES':
      return `${head}: ports below 1024 need the capability CAP_NET_BIND_SERVICE; set http.listen to a higher one`;
    case 'EADDRNOTAVAIL':
      return `${head}: this machine has no such address; set http.listen, 0.0.0.0 is all of them`;
    default:
      return `${head}: ${error.message}`;
  }
}
