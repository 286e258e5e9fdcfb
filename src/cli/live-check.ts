// `ferrule healthcheck --live`: asks the gateway on this machine over HTTP whether it is alive; made for the HEALTHCHECK of a
// container, so it needs no broker, starts fast and answers 0 or 1. What may end a gateway must be sure: a config that cannot
// be read just now is no reason, as a gateway that runs has not taken it (then the address that is still readable is asked, or
// the default, and nobody there proves nothing), nor is a token that has been changed in the file.

import { hostname } from 'node:os';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../config/listen-address.js';
import { loadConfig } from '../config/load.js';
import { DEFAULT_HTTP_LISTEN, type HttpConfig } from '../config/schema.js';
import { duration } from '../config/values.js';
import { messageOf } from '../core/errors.js';
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
type LiveAnswer =
  | { readonly status: number; readonly body: string }
  | { readonly failure: string; readonly isRefused: boolean };

/** Where to ask. */
interface Door {
  readonly http: HttpConfig;
  /** The config could not be read: what stands in `http` may not be what the gateway listens on. */
  readonly isGuess: boolean;
}

/** Runs the command; gives the exit code: 0 or 1, as containers know no others, or 64 for a wrong `--wait`. */
export async function runLiveCheck({ out, wait, ...place }: LiveCheckOptions): Promise<number> {
  const waitMs = waitSchema.safeParse(wait);
  if (!waitMs.success) {
    out(`--wait: expected ${waitMs.error.issues[0]?.message ?? 'a duration'}, got ${JSON.stringify(wait)}`);
    return EXIT.usage;
  }
  const { http, isGuess } = readHttp(place);
  if (http === false) {
    out('not known: http is off in the config, and --live asks there; see http.listen');
    return EXIT.leftovers;
  }
  const address = reachable(parseListenAddress(http.listen));
  // Node would ask port 80 instead: a stranger's.
  if (address.port === 0) {
    out('not known: the port in http.listen is 0, which lets the system choose one; --live needs a fixed port');
    return isGuess ? EXIT.clean : EXIT.leftovers;
  }
  const { isGood, words } = judge(await ask(address, http.token, waitMs.data), isGuess);
  const note = isGuess ? '; the config cannot be read, see ferrule check' : '';
  out(`${words} (http://${formatListenAddress(address)}/health/live${note})`);
  return isGood ? EXIT.clean : EXIT.leftovers;
}

function readHttp(place: ConfigPlace): Door {
  const loaded = loadConfig({ ...place, hostname: hostname() });
  if (loaded.ok) return { http: loaded.config.http, isGuess: false };
  const draft = 'draft' in loaded ? loaded.draft : undefined;
  const listens = [draft?.httpListen, place.env.FERRULE_HTTP__LISTEN, DEFAULT_HTTP_LISTEN];
  const listen = listens.find((text) => text !== undefined && parseListenAddress(text) !== undefined);
  return { http: { listen: listen ?? DEFAULT_HTTP_LISTEN }, isGuess: true };
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
    request.on('error', (error: NodeJS.ErrnoException) => {
      const { name, code } = error;
      const isLate = name === 'AbortError' || name === 'TimeoutError';
      resolve({
        failure: isLate ? `no answer within ${waitMs} ms` : messageOf(error),
        isRefused: code === 'ECONNREFUSED',
      });
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body = (body + text).slice(0, 4096)));
      response.on('error', ({ message }) => resolve({ failure: message, isRefused: false }));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}

/** `isGood`: live, or at least nothing that would be a reason to end it. */
function judge(answer: LiveAnswer, isGuess: boolean): { readonly isGood: boolean; readonly words: string } {
  if ('failure' in answer) {
    // A gateway that is stuck still accepts: who refuses may only listen somewhere else.
    const isUnknown = isGuess && answer.isRefused;
    return { isGood: isUnknown, words: `${isUnknown ? 'not known' : 'not live'}: ${answer.failure}` };
  }
  switch (answer.status) {
    case 200:
      return { isGood: true, words: 'live' };
    case 401:
      return { isGood: true, words: 'live, but it does not take the token of this config: reload it' };
    default:
      return { isGood: false, words: `not live: status ${answer.status} ${answer.body.trim()}` };
  }
}
