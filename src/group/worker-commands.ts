// Commands that a WorkerDecoder has been asked to encode and that are not answered yet. Each gets its answer: the Worker's, or the
// crash or the end of the Worker.

import type { EncodedCommand } from '../device/decoder.js';
import type { DriverCommand } from '../device/driver.js';
import type { WorkerCrash } from './worker-crash.js';
import type { EncodedMessage, EncodeMessage } from './worker-protocol.js';

interface Pending {
  readonly message: EncodeMessage;
  resolve(encoded: EncodedCommand): void;
  reject(crash: WorkerCrash): void;
}

export class WorkerCommands {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

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

  answer({ id, result }: EncodedMessage): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (!result.ok) pending?.resolve(result);
    else pending?.resolve({ ok: true, payloads: result.payloads.map((payload) => Buffer.from(payload)) });
  }

  answerAll(encoded: EncodedCommand): void {
    for (const { resolve } of this.#pending.values()) resolve(encoded);
    this.#pending.clear();
  }

  rejectAll(crash: WorkerCrash): void {
    for (const { reject } of this.#pending.values()) reject(crash);
    this.#pending.clear();
  }
}
