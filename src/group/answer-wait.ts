// The wait for a device's answer to the command that it has got. It ends: with the answer, after a time, when the link is lost, or
// when the device is closed; the sender is told which.

import type { Clock } from '../core/clock.js';
import type { CommandAnswer } from '../device/decoder.js';

const LOST = 'sent, but the link was lost before the device answered';
const CLOSED = 'sent, but the device was closed before it answered';

export class AnswerWait {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** What is answered where the device has not. */
  readonly noAnswer: CommandAnswer;
  #settle: ((answer: CommandAnswer) => void) | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    const limit = `commands.timeout: ${timeoutMs} ms`;
    this.noAnswer = {
      ok: false,
      reason: `sent, but the device did not answer in time (${limit}); it may have acted all the same`,
    };
  }

  /** Waits; one at a time. Never rejects. `stop`: the device closes. */
  for(answer: Promise<CommandAnswer>, stop: AbortSignal): Promise<CommandAnswer> {
    return new Promise((resolve) => {
      const settle = (said: CommandAnswer): void => {
        timer.cancel();
        stop.removeEventListener('abort', onStop);
        if (this.#settle === settle) this.#settle = undefined; // a late answer is none of the next wait's business
        resolve(said);
      };
      const onStop = (): void => settle({ ok: false, reason: CLOSED });
      const onTimeout = (): void => settle(this.noAnswer);
      const timer = this.#clock.after(this.#timeoutMs, onTimeout);
      this.#settle = settle;
      stop.addEventListener('abort', onStop, { once: true });
      void answer.then(settle); // first: what the device has said already counts
      if (stop.aborted) void Promise.resolve().then(onStop);
    });
  }

  /** The link is lost: ends the wait, if there is one. */
  onLost(): void {
    this.#settle?.(LINK_LOST);
  }
}

/** What the sender is told when the link has gone while its command waited for an answer. */
export const LINK_LOST: CommandAnswer = { ok: false, reason: LOST };
