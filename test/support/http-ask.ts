// One HTTP request to a gateway on loopback, and all of its answer.

import { type IncomingHttpHeaders, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects there
  json(): any;
}

export interface HttpAsk {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks; rejects where there is no answer within 20 s. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', token, headers = {} }: HttpAsk = {},
): Promise<HttpAnswer> {
  const sent = { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const signal = AbortSignal.timeout(20_000);
  return new Promise((resolve, reject) => {
    const sending = request({ host: '127.0.0.1', port, path, method, headers: sent, agent: false, signal });
    sending.on('error', reject).on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.on('error', reject).on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body, json: () => JSON.parse(body) });
      });
    });
    sending.end();
  });
}
