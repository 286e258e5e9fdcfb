// Commands that a WorkerDecoder has been asked to encode, and those whose answer the Worker looks for among the device's frames. Each
// ends: with the Worker's word, or with the crash or the end of the Worker.

import type { CommandAnswer, EncodedCommand } from '../../device/decoder.js';
import type { DriverCommand } from '../../device/driver.js';
import type { WorkerCrash } from './worker-crash.js';
import type { AnsweredMessage, EncodedMessage, EncodeMessage } from './worker-protocol.js';

interface Pending {
  readonly message: EncodeMessage;
  resolve(encoded: EncodedCommand): void;
  reject(crash: WorkerCrash): void;
}

type Settle = (answer: CommandAnswer) => void;

const CRASHED = 'sent, but the driver crashed before the device answered';
const CLOSED = 'sent, but the device was closed before it answered';

export class WorkerCommands {
  readonly #pending = new Map<number, Pending>();
  /** Those that are encoded and that the device is to answer. */
  readonly #unanswered = new Map<number, Settle>();
  #lastId = 0;

  /** Commands that the Worker itself owes an answer; a device may take its time. */
  get size(): number {
    return this.#pending.size;
  }

  /** What is to be posted, oldest first, for a Worker that has got none of it yet. */
  get messages(): EncodeMessage[] {
    return [...this.#pending.values()].map(({ message }) => message);
  }

  /** Notes a command; `message` is to be posted, `encoded` is its answer. */
  add({ verb, channel, payload }: DriverCommand): { message: EncodeMessage; encoded: Promise<EncodedCommand> } {
    this.#lastId += 1;
    const message = { kind: 'encode', id: this.#lastId, verb, channel, payload: new Uint8Array(payload) } as const;
    const encoded = new Promise<EncodedCommand>((resolve, reject) => {
      this.#pending.set(message.id, { message, resolve, reject });
    });
    return { message, encoded };
  }

  /** Takes what the Worker says of a command. */
  take(said: EncodedMessage | AnsweredMessage): void {
    if (said.kind === 'encoded') this.#onEncoded(said);
    else this.#onAnswered(said.id, said.answer);
  }

  /** The Worker was closed. */
  closeAll(encoded: EncodedCommand): void {
    for (const { resolve } of this.#pending.values()) resolve(encoded);
    this.#pending.clear();
    this.#answerAll({ ok: false, reason: CLOSED });
  }

  /** The Worker has crashed. */
  rejectAll(crash: WorkerCrash): void {
    for (const { reject } of this.#pending.values()) reject(crash);
    this.#pending.clear();
    this.#answerAll({ ok: false, reason: CRASHED });
  }

  #onEncoded({ id, result }: EncodedMessage): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending === undefined) return;
    if (!result.ok) {
      pending.resolve(result);
      return;
    }
    const payloads = result.payloads.map((payload) => Buffer.from(payload));
    const answer = result.isAnswered && new Promise<CommandAnswer>((settle) => this.#unanswered.set(id, settle));
    pending.resolve({ ok: true, payloads, ...(answer && { answer }) });
  }

  #onAnswered(id: number, answer: CommandAnswer): void {
    this.#unanswered.get(id)?.(answer);
    this.#unanswered.delete(id);
  }

  #answerAll(answer: CommandAnswer): void {
    for (const settle of this.#unanswered.values()) settle(answer);
    this.#unanswered.clear();
  }
}
