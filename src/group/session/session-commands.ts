// Main thread: commands that a session has been asked to carry out and that are not answered yet. Each gets its answer, or is
// given up by whoever waited.

import type { CommandAnswer } from '../../device/decoder.js';
import type { DriverCommand } from '../../device/driver.js';
import type { SessionCommandMessage } from './session-protocol.js';

interface Pending {
  readonly message: SessionCommandMessage;
  readonly resolve: (answer: CommandAnswer) => void;
}

export class SessionCommands {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** What is to be posted, oldest first, to a session that has just become ready. */
  get messages(): SessionCommandMessage[] {
    return [...this.#pending.values()].map(({ message }) => message);
  }

  /** Notes a command; `message` is to be posted once the session is ready. */
  add({ verb, channel, payload }: DriverCommand): { message: SessionCommandMessage; answer: Promise<CommandAnswer> } {
    this.#lastId += 1;
    const message = { kind: 'command', id: this.#lastId, verb, channel, payload: new Uint8Array(payload) } as const;
    const answer = new Promise<CommandAnswer>((resolve) => {
      this.#pending.set(message.id, { message, resolve });
    });
    return { message, answer };
  }

  answer(id: number, answer: CommandAnswer): void {
    this.#pending.get(id)?.resolve(answer);
    this.#pending.delete(id);
  }

  /** None of them will be answered by the session. */
  refuseAll(reason: string): void {
    for (const { resolve } of this.#pending.values()) resolve({ ok: false, reason });
    this.#pending.clear();
  }
}
