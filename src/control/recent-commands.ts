// The commands of the last minutes, so that one that comes twice acts once: a sender who lost the answer and asks again with the
// same transaction, or a broker that sends it again because our acknowledgement was lost (QoS 1, flag DUP). Bounded, no timers:
// what is too old counts no more, and goes when its place is needed.

import type { Clock } from '../core/clock.js';
import type { CommandStatus, ResponseUp } from '../device/message.js';

/** How long a transaction of a sender is remembered, ms. */
const TRANSACTION_MS = 10 * 60_000;
/** The same for commands without one: a broker repeats them when the session comes back. */
const REDELIVERY_MS = 60_000;
/** Commands remembered, over all devices; beyond them the oldest are forgotten. */
export const MAX_RECENT = 1000;
/** Data of an answer beyond this is not kept for a repeat, characters of JSON. */
const MAX_DATA = 1024;

/** A command as it came. */
export interface ArrivedCommand {
  readonly device: string;
  /** The id of the sender; undefined where he gave none. */
  readonly transaction: string | undefined;
  /** Equal for two messages that ask for the same. */
  readonly contents: string;
  /** The broker says that it may have sent this before. */
  readonly isRedelivery: boolean;
}

/** How a command stands, as far as its answers have told. */
export interface Standing {
  readonly status: CommandStatus;
  readonly error?: string;
  readonly data?: unknown;
}

/** What to make of a command. */
export type Recollection =
  /** Not seen before: to be done, and each answer to be told here. */
  | { readonly is: 'new'; readonly onAnswer: (response: ResponseUp) => void }
  /** Seen before: not to be done again. `transaction`: under which the first one was answered. */
  | { readonly is: 'repeat'; readonly transaction: string | undefined; readonly standing: Standing }
  /** The sender has used that transaction for something else. */
  | { readonly is: 'misnamed' };

interface Seen {
  readonly contents: string;
  at: number;
  transaction: string | undefined;
  /** Undefined until the first answer. */
  standing: Standing | undefined;
  /** Refused at the door: nothing of it has been done nor will be, and the sender may well ask again. */
  isRefused: boolean;
}

export class RecentCommands {
  readonly #clock: Clock;
  /** Least recently seen first. */
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Commands remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /** Looks whether a command has come before, and remembers it. */
  judge(command: ArrivedCommand): Recollection {
    const key = keyOf(command);
    const seen = this.#find(key, command.transaction === undefined ? REDELIVERY_MS : TRANSACTION_MS);
    const mayRepeat = command.transaction !== undefined || command.isRedelivery;
    if (seen === undefined || !mayRepeat) return { is: 'new', onAnswer: this.#remember(key, command) };
    if (seen.contents !== command.contents) return { is: 'misnamed' };
    this.#put(key, seen);
    const { transaction, standing = { status: 'accepted' } } = seen;
    return { is: 'repeat', transaction, standing };
  }

  #find(key: string, withinMs: number): Seen | undefined {
    const seen = this.#seen.get(key);
    const isOver = seen === undefined || seen.isRefused || this.#clock.now() - seen.at > withinMs;
    return isOver ? undefined : seen;
  }

  #remember(key: string, { contents, transaction }: ArrivedCommand): (response: ResponseUp) => void {
    const seen: Seen = { contents, transaction, at: 0, standing: undefined, isRefused: false };
    this.#put(key, seen);
    const oldest = this.#seen.keys().next();
    if (this.#seen.size > MAX_RECENT && !oldest.done) this.#seen.delete(oldest.value);
    return (response) => note(seen, response);
  }

  /** As the one seen last. */
  #put(key: string, seen: Seen): void {
    seen.at = this.#clock.now();
    this.#seen.delete(key);
    this.#seen.set(key, seen);
  }
}

function note(seen: Seen, response: ResponseUp): void {
  seen.transaction = response.transaction;
  seen.isRefused = seen.standing === undefined && response.status === 'error';
  if (!seen.isRefused) seen.standing = standingOf(response);
}

/** A short text that is equal for two messages of the same contents. */
export function contentsOf(...parts: readonly (string | Uint8Array | undefined)[]): string {
  // Loaded with the first command: a start does without it.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part ?? '');
    hash.update(`${part === undefined ? '-' : bytes.length}\n`).update(bytes); // the lengths keep ['ab', 'c'] from ['a', 'bc']
  }
  return hash.digest('base64');
}

function keyOf({ device, transaction, contents }: ArrivedCommand): string {
  return transaction === undefined ? `c\n${device}\n${contents}` : `t\n${device}\n${transaction}`;
}

function standingOf({ status, error, data }: ResponseUp): Standing {
  const isShort = data !== undefined && JSON.stringify(data).length <= MAX_DATA;
  return { status, ...(error !== undefined && { error }), ...(isShort && { data }) };
}
