// Finds a device's answer to a command among its frames, for a driver with `confirm`. One command waits at a time. The driver's
// word is checked here: what it says goes into a response to the sender, so it has to be JSON.

import { messageOf } from '../core/errors.js';
import type { DriverCommand } from './driver.js';

/** What a device has answered to a command: `data` goes to the sender; or what went wrong, in a sentence. */
export type CommandAnswer =
  | { readonly ok: true; readonly data?: unknown }
  | { readonly ok: false; readonly reason: string };

/** What a frame is: the answer and nothing else, the answer and also a reading, or nothing of the kind. */
export type FrameMeaning = 'answer' | 'answer-and-reading' | 'no-answer';

interface Waiting {
  readonly command: DriverCommand;
  readonly resolve: (answer: CommandAnswer) => void;
}

export class AnswerReader {
  readonly #confirm: (frame: Buffer, command: DriverCommand) => unknown;
  #waiting: Waiting | undefined;
  /** The sender of the one that waits has been told that there was no answer. */
  #isLate = false;

  /** `confirm`: the driver's, which may answer anything and may throw. */
  constructor(confirm: (frame: Buffer, command: DriverCommand) => unknown) {
    this.#confirm = confirm;
  }

  /** True while a command waits for its answer. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** From now on frames are looked at for the answer to `command`; one that still waits is given up. Never rejects. */
  await(command: DriverCommand): Promise<CommandAnswer> {
    this.giveUp('not answered before the next command');
    return new Promise((resolve) => {
      this.#waiting = { command, resolve };
    });
  }

  /** An answer would come too late for its sender: the frame with it is taken for a reading, and ends the wait all the same. */
  takeAsReading(): void {
    this.#isLate = this.isWaiting;
  }

  /** Ends the wait, if there is one. */
  giveUp(reason: string): void {
    this.#settle({ ok: false, reason });
  }

  /** Looks at a frame. Throws what the driver throws. */
  read(frame: Buffer): FrameMeaning {
    if (this.#waiting === undefined) return 'no-answer';
    const said = this.#confirm(frame, this.#waiting.command);
    if (said === undefined) return 'no-answer';
    const { answer, isReading } = answerOf(said);
    const isLate = this.#isLate;
    this.#settle(answer);
    if (isLate) return 'no-answer';
    return isReading ? 'answer-and-reading' : 'answer';
  }

  #settle(answer: CommandAnswer): void {
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
    this.#isLate = false;
  }
}

function answerOf(said: unknown): { readonly answer: CommandAnswer; readonly isReading: boolean } {
  if (said instanceof Promise) said.catch(() => {}); // no answer; should it reject later, the process must not end for it
  const { ok, reason, data, isReading } = fieldsOf(said);
  if (ok === false && typeof reason === 'string') return { answer: { ok, reason }, isReading: false };
  if (ok !== true) return bug('confirm answered neither {ok: true} nor {ok: false, reason}');
  if (data === undefined) return { answer: { ok }, isReading: isReading === true };
  try {
    // There and back: later it is written by others, who trust that it can be.
    return { answer: { ok, data: JSON.parse(JSON.stringify(data)) }, isReading: isReading === true };
  } catch (error) {
    return bug(`the data that confirm answered is no JSON: ${messageOf(error)}`);
  }
}

function fieldsOf(said: unknown): Readonly<Record<string, unknown>> {
  return typeof said === 'object' && said !== null ? { ...said } : {};
}

function bug(what: string): { readonly answer: CommandAnswer; readonly isReading: false } {
  return { answer: { ok: false, reason: `sent, but there is a bug in the driver: ${what}` }, isReading: false };
}
