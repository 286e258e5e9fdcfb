// `ferrule healthcheck --live`: asks the gateway on this machine over HTTP whether it is alive; made for the HEALTHCHECK of a
// container, so it needs no broker, starts fast and answers 0 or 1. What may end a gateway must be sure: a config that cannot
// be read just now is no reason (then the default address is asked), nor is a token that has been changed in the file.

import { hostname } from 'node:os';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../config/listen-address.js';
import { loadConfig } from '../config/load.js';
import { DEFAULT_HTTP_LISTEN, type HttpConfig } from '../config/schema.js';
import { duration } from '../config/values.js';
import { EXIT } from './exit-codes.js';
import type { ConfigPlace } from './read-config.js';

export interface LiveCheckOptions extends ConfigPlace {
  /** Longest wait for the answer, as typed: `5s`. */
  readonly wait: string;
  readonly out: (line: string) => void;
}

const NOWHERE: ListenAddress = { host: '127.0.0.1', port: 0 };
const waitSchema = duration({ min: 100, max: 600_000 });

/** What the gateway has answered, or why it has not. */
type LiveAnswer = { readonly status: number; readonly body: string } | { readonly failure: string };

/** Runs the command; gives the exit code: 0 or 1, as containers know no others, or 64 for a wrong `--wait`. */
export async function runLiveCheck({ out, wait, ...place }: LiveCheckOptions): Promise<number> {
  const waitMs = waitSchema.safeParse(wait);
  if (!waitMs.success) {
    out(`--wait: expected ${waitMs.error.issues[0]?.message ?? 'a duration'}, got ${JSON.stringify(wait)}`);
    return EXIT.usage;
  }
  const { http, note } = readHttp(place);
  if (http === false) {
    out('not known: http is off in the config, and --live asks there; see http.listen');
    return EXIT.leftovers;
  }
  const address = reachable(parseListenAddress(http.listen));
  const { isLive, words } = judge(await ask(address, http.token, waitMs.data));
  out(`${words} (http://${formatListenAddress(address)}/health/live${note})`);
  return isLive ? EXIT.clean : EXIT.leftovers;
}

function readHttp(place: ConfigPlace): { readonly http: HttpConfig; readonly note: string } {
  const loaded = loadConfig({ ...place, hostname: hostname() });
  if (loaded.ok) return { http: loaded.config.http, note: '' };
  return { http: { listen: DEFAULT_HTTP_LISTEN }, note: '; the config cannot be read, see ferrule check' };
}

/** Where a server that listens on all addresses is found from here. */
function reachable(listen: ListenAddress | undefined): ListenAddress {
  const { host, port } = listen ?? NOWHERE; // the schema has seen to it that there is one
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return host === '::' ? { host: '::1', port } : { host, port };
}

function ask(address: ListenAddress, token: string | undefined, waitMs: number): Promise<LiveAnswer> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve) => {
    // Not imported: that would load Node's fetch and HTTP/2 too, once a minute in a container.
    const request = process.getBuiltinModule('node:http').get({
      ...address,
      path: '/health/live',
      headers,
      agent: false,
      signal: AbortSignal.timeout(waitMs),
    });
    request.on('error', ({ name, message }) => {
      resolve({
        failure: name === 'AbortError' || name === 'TimeoutError' ? `no answer within ${waitMs} ms` : message,
      });
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body = (body + text).slice(0, 4096)));
      response.on('error', ({ message }) => resolve({ failure: message }));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}

function judge(answer: LiveAnswer): { readonly isLive: boolean; readonly words: string } {
  if ('failure' in answer) return { isLive: false, words: `not live: ${answer.failure}` };
  switch (answer.status) {
    case 200:
      return { isLive: true, words: 'live' };
    case 401:
      return { isLive: true, words: 'live, but it does not take the token of this config: reload it' };
    default:
      return { isLive: false, words: `not live: status ${answer.status} ${answer.body.trim()}` };
  }
}
