// The bridge API: `<base>/bridge/request/<path>` -> `<base>/bridge/response/<path>`, in the shape that users of zigbee2mqtt
// know. One row of a table per path; whatever goes wrong is an error answer, never silence, and never an exception.
//
//   {"transaction":t, ...} -> {"status":"ok","data":{...},"transaction":t} | {"status":"error","error":"...","data":{},"transaction":t}

import { suggestion } from '../config/nearest.js';
import { isNestedDeeper, MAX_NESTING } from '../config/nesting.js';
import { FerruleError, messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { BridgeResponseUp } from '../device/message.js';
import type { IncomingMessage } from '../uplink/incoming-message.js';
import type { Topics } from '../uplink/topics.js';

/** Longest request that is read, bytes. */
const MAX_PAYLOAD = 64 * 1024;

/** What was asked, after the envelope: the keys of the JSON object, or nothing for an empty payload. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** Answers a request with the `data` of its response. Throws a RequestError for what the sender can mend. */
export type RequestHandler = (body: RequestBody) => unknown | Promise<unknown>;

/** A request that cannot be granted; the message is the answer. */
export class RequestError extends FerruleError {
  constructor(message: string) {
    super('bad-request', message);
  }
}

export interface RequestsOptions {
  readonly log: Log;
  readonly topics: Topics;
  readonly handlers: Readonly<Record<string, RequestHandler>>;
  readonly respond: (response: BridgeResponseUp) => void;
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #log: Log;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#log = options.log.child({ group: 'bridge/requests' });
  }

  /** Takes a message; false if its topic is no request. Never throws; the answer may come later. */
  take(message: IncomingMessage): boolean {
    const path = this.#options.topics.parseRequest(message.topic);
    if (path === undefined) return false;
    void this.#answer(path, message);
    return true;
  }

  async #answer(path: string, message: IncomingMessage): Promise<void> {
    const { body, transaction, trouble } = read(message);
    try {
      if (message.retain) throw new RequestError('retained requests are ignored: publish without the retain flag');
      if (trouble !== undefined) throw new RequestError(trouble);
      const data = (await this.#handler(path)(body)) ?? {};
      this.#respond(path, message, { status: 'ok', data, transaction });
    } catch (error) {
      const isExpected = error instanceof RequestError;
      if (!isExpected) this.#log.error({ path, err: error }, `request ${path} failed: ${messageOf(error)}`);
      const words = isExpected ? error.message : `internal error: ${messageOf(error)}`;
      this.#respond(path, message, { status: 'error', error: words, data: {}, transaction });
    }
  }

  #handler(path: string): RequestHandler {
    const { handlers } = this.#options;
    const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined;
    if (handler !== undefined) return handler;
    const known = Object.keys(handlers);
    const hint = suggestion(path, known) ?? `known are ${known.join(', ')}`;
    throw new RequestError(`unknown request "${path.slice(0, 100)}", ${hint}`);
  }

  #respond(path: string, message: IncomingMessage, body: object): void {
    const { responseTopic, correlation } = message;
    this.#options.respond({
      kind: 'bridge-response',
      path: isTopicPart(path) ? path : 'unknown',
      body: JSON.stringify(body),
      ...(isReplyTopic(responseTopic) && { replyTo: { topic: responseTopic, ...(correlation && { correlation }) } }),
    });
  }
}

interface ReadRequest {
  readonly body: RequestBody;
  readonly transaction?: unknown;
  readonly trouble?: string;
}

function read({ payload }: IncomingMessage): ReadRequest {
  if (payload.length === 0) return { body: {} };
  if (payload.length > MAX_PAYLOAD) return { body: {}, trouble: `larger than ${MAX_PAYLOAD} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch (error) {
    return { body: {}, trouble: `not JSON: ${messageOf(error).slice(0, 200)}` };
  }
  // zigbee2mqtt's short form: a bare string is the name that the request is about.
  if (typeof value === 'string') return { body: { id: value } };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { body: {}, trouble: 'expected a JSON object' };
  }
  // Before anything else walks it. The transaction is not sent back then: it may be what is nested too deep.
  if (isNestedDeeper(value)) return { body: {}, trouble: `nested more than ${MAX_NESTING} deep` };
  const { transaction, ...body } = value as Record<string, unknown>; // an object, checked above
  const trouble = oddity(body);
  return { body, transaction, ...(trouble !== undefined && { trouble }) };
}

/** What JSON can say and no config can: a key that is a trap, a number beyond all numbers. */
function oddity(value: unknown): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number in it is too large';
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return '"__proto__" is no key';
  for (const item of Object.values(value)) {
    const trouble = oddity(item);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

function isTopicPart(path: string): boolean {
  return path.length <= 200 && !/[+#\0]/.test(path);
}

function isReplyTopic(topic: string | undefined): topic is string {
  return topic !== undefined && topic !== '' && !/[+#\0]/.test(topic) && !topic.startsWith('$');
}
