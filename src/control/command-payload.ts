// Turns a message on a command topic into a Command for a device, or into a sentence that says what is wrong with it. The
// payload is the device's business, as it is; only a JSON object with `transaction` or `not_after` is an envelope of ours:
//
//   {"transaction": "42", "value": "ON", "not_after": "2026-01-01T12:00:00Z"}        `payload` is another word for `value`
//
// Pure: time and ids come in as arguments.

import type { Command, ReplyTo } from '../device/message.js';
import type { IncomingMessage } from '../uplink/incoming-message.js';
import type { CommandTopic } from '../uplink/topics.js';

export interface CommandContext {
  /** Monotonic ms at which the message came. */
  readonly receivedAt: number;
  /** Makes a transaction id for a sender that gave none. */
  readonly makeTransaction: () => string;
}

/** A failure carries what is needed to answer it. */
export type ParsedCommand =
  /** `isNamed`: the transaction is the sender's own. */
  | { readonly ok: true; readonly command: Command; readonly isNamed: boolean }
  | { readonly ok: false; readonly error: string; readonly transaction: string; readonly replyTo?: ReplyTo };

/** The payload and what the envelope says of it; `error` where it is one of ours but malformed. */
interface Unwrapped {
  readonly payload: Buffer;
  readonly transaction?: string;
  readonly notAfter?: number;
  readonly error?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const ENVELOPE_KEYS = new Set(['transaction', 'not_after', 'value', 'payload']);
const MAX_TRANSACTION = 128;
const NO_PAYLOAD = Buffer.alloc(0);

/** Why a message on a command topic must not be acted on at all; `undefined` where it may. */
export function refuseReason(message: Pick<IncomingMessage, 'retain'>): string | undefined {
  if (!message.retain) return undefined;
  return 'retained commands are ignored, since they would come again at every start; publish it without the retain flag';
}

/** Reads a command. `write` takes the payload as it is, whatever it looks like. */
export function parseCommand(topic: CommandTopic, message: IncomingMessage, context: CommandContext): ParsedCommand {
  const unwrapped = topic.verb === 'write' ? { payload: message.payload } : unwrap(message.payload, topic.verb);
  const transaction = unwrapped.transaction ?? context.makeTransaction();
  if (!isResponseTopic(message.responseTopic)) {
    return { ok: false, error: `the response topic "${message.responseTopic}" is no topic to publish to`, transaction };
  }
  const reply = replyTo(message);
  if (unwrapped.error !== undefined) return { ok: false, error: unwrapped.error, transaction, ...reply };
  const { notAfter } = unwrapped;
  return {
    ok: true,
    isNamed: unwrapped.transaction !== undefined,
    command: {
      kind: 'command',
      verb: topic.verb,
      ...(topic.channel === undefined ? {} : { channel: topic.channel }),
      payload: unwrapped.payload,
      transaction,
      ...(notAfter === undefined ? {} : { notAfter }),
      ...expiry(message, context.receivedAt),
      ...reply,
    },
  };
}

// A broker ends the session of a client that publishes to a topic with wildcards: a sender must not be able to do that to us.
function isResponseTopic(topic: string | undefined): boolean {
  return topic === undefined || (topic !== '' && !/[+#\0]/.test(topic) && !topic.startsWith('$'));
}

function replyTo({ responseTopic, correlation }: IncomingMessage): { replyTo?: ReplyTo } {
  if (responseTopic === undefined) return {};
  return { replyTo: { topic: responseTopic, ...(correlation === undefined ? {} : { correlation }) } };
}

function expiry({ expirySeconds }: IncomingMessage, receivedAt: number): { expiresAt?: number } {
  return expirySeconds === undefined ? {} : { expiresAt: receivedAt + expirySeconds * 1000 };
}

function unwrap(payload: Buffer, verb: 'set' | 'get'): Unwrapped {
  const fields = envelopeOf(payload);
  if (fields === undefined) return { payload };
  const { transaction } = fields;
  if (transaction !== undefined && !isTransaction(transaction)) {
    return malformed(`"transaction" must be a string of 1 to ${MAX_TRANSACTION} characters or a number`);
  }
  const id = transaction === undefined ? {} : { transaction: String(transaction) };
  const notAfter = timeOf(fields.not_after);
  if (notAfter === 'malformed')
    return { ...malformed('"not_after" must be milliseconds since 1970 or an ISO 8601 time'), ...id };
  const error = contentError(fields, verb);
  if (error !== undefined) return { ...malformed(error), ...id };
  const value = 'value' in fields ? fields.value : fields.payload;
  return { payload: bytesOf(value), ...id, ...(notAfter === undefined ? {} : { notAfter }) };
}

/** The fields of an envelope; `undefined` for everything that is not one. */
function envelopeOf(payload: Buffer): Fields | undefined {
  const text = payload.toString('utf8');
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const fields: Fields = JSON.parse(text);
    return Object.hasOwn(fields, 'transaction') || Object.hasOwn(fields, 'not_after') ? fields : undefined;
  } catch {
    return undefined; // no JSON: some device's own language
  }
}

function malformed(error: string): Unwrapped {
  return { payload: NO_PAYLOAD, error };
}

function contentError(fields: Fields, verb: 'set' | 'get'): string | undefined {
  const unknown = Object.keys(fields).find((key) => !ENVELOPE_KEYS.has(key));
  if (unknown !== undefined) return `unknown key "${unknown}" beside "transaction": put the device's part into "value"`;
  const contents = Number('value' in fields) + Number('payload' in fields);
  if (contents === 2) return 'both "value" and "payload" are given: use one';
  if (contents === 0 && verb === 'set') return '"value" is missing: it is what the device is to get';
  return undefined;
}

function isTransaction(value: unknown): value is string | number {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TRANSACTION;
}

function timeOf(value: unknown): number | undefined | 'malformed' {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? Date.parse(value) : value;
  return typeof ms === 'number' && Number.isFinite(ms) ? ms : 'malformed';
}

/** A string gives its bytes, anything else its JSON text; nothing gives no bytes. */
function bytesOf(value: unknown): Buffer {
  if (value === undefined) return NO_PAYLOAD;
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8');
}
