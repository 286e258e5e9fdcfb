// One command on its way: published under an id of its own, and followed on the device's response topic until it is done.
//
//   set, get:  {"transaction": id, "value": text}; bytes that are no text go as they are
//   write:     as it is
//
// With MQTT 5 the id also goes as Correlation Data, with the ordinary response topic as Response Topic: so the answer to bytes
// as they are is known too, and needs no access rule of its own. With 3.1.1 such a command takes the first answer for its own.

import { randomUUID } from 'node:crypto';
import { printable } from '../uplink/printable.js';
import { EXIT } from './exit-codes.js';
import { CommandTrouble, type GatewayClient, type Heard, jsonIn } from './gateway-client.js';

export interface SentCommandOptions {
  readonly client: GatewayClient;
  readonly device: string;
  readonly verb: 'set' | 'get' | 'write';
  readonly channel: string | undefined;
  readonly payload: Buffer;
  /** For the whole way, ms. */
  readonly waitMs: number;
  readonly json: boolean;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

type Response = Readonly<Record<string, unknown>>;

/** Statuses after which nothing more comes. */
const FINAL: ReadonlyMap<unknown, number> = new Map([
  ['ok', EXIT.clean],
  ['error', EXIT.leftovers],
  ['expired', EXIT.leftovers],
]);

export class SentCommand {
  readonly #options: SentCommandOptions;
  readonly #id: string = randomUUID();
  /** The transaction under which the gateway speaks of it, once known. */
  #transaction: unknown;
  #last = 'nothing';

  constructor(options: SentCommandOptions) {
    this.#options = options;
  }

  /** Sends it; gives the exit code. Rejects with a CommandTrouble if it is not done in time. */
  follow(): Promise<number> {
    const { client, device, waitMs } = this.#options;
    const responses = client.topics.response(device);
    return client.within<number>(
      async (done) => {
        await client.listen(responses, (heard) => this.#onResponse(heard, done));
        await client.publish(this.#topic(), this.#body(), this.#properties(responses));
      },
      () => new CommandTrouble(`not done within ${waitMs} ms; the last that was heard of it: ${this.#last}`),
    );
  }

  #topic(): string {
    const { client, device, verb, channel } = this.#options;
    const topic = `${client.topics.readings(device)}/${verb}`;
    return channel === undefined ? topic : `${topic}/${channel}`;
  }

  #body(): string | Buffer {
    const { verb, payload } = this.#options;
    if (this.#isBare) return payload;
    const value = verb === 'get' && payload.length === 0 ? {} : { value: payload.toString('utf8') };
    return JSON.stringify({ transaction: this.#id, ...value });
  }

  /** True where our id cannot be put into the payload. */
  get #isBare(): boolean {
    const { verb, payload } = this.#options;
    return verb === 'write' || !Buffer.from(payload.toString('utf8')).equals(payload);
  }

  /** Who has given up must not be surprised later: the broker and the gateway drop it when our wait is over. */
  #properties(responseTopic: string): object | undefined {
    const { client, waitMs } = this.#options;
    if (client.version !== 5) return undefined;
    const messageExpiryInterval = Math.ceil(waitMs / 1000);
    return { responseTopic, correlationData: Buffer.from(this.#id), messageExpiryInterval };
  }

  #onResponse({ payload, correlation }: Heard, done: (code: number) => void): void {
    const response = jsonIn(payload);
    if (response === undefined || !this.#isOurs(response, correlation)) return;
    const { json, out } = this.#options;
    this.#last = String(response.status);
    out(json ? JSON.stringify(response) : responseLine(response));
    const code = FINAL.get(response.status);
    if (code !== undefined) done(code);
  }

  #isOurs({ transaction }: Response, correlation: Buffer | undefined): boolean {
    if (transaction === this.#id || correlation?.toString() === this.#id) return true;
    if (!this.#isBare || this.#options.client.version === 5) return false;
    this.#transaction ??= transaction;
    return transaction === this.#transaction;
  }
}

/** `error: no answer within 5000 ms`. */
function responseLine({ status, error, data }: Response): string {
  const what = error ?? (data === undefined ? undefined : JSON.stringify(data));
  return printable(Buffer.from(what === undefined ? String(status) : `${status}: ${what}`));
}
