// In the Worker: one session from its opening to its end. Gives the driver its wire and its host, runs its commands, and tells the
// main thread how it goes. Weather and bugs are told apart here: a device that does not answer is `unanswered`, whatever is
// thrown otherwise is `crashed`, and ends the Worker.

import v8 from 'node:v8';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import type { CommandAnswer } from '../../device/decoder.js';
import type { Session, SessionAnswer, SessionDriver, SessionHost } from '../../device/driver.js';
import type { WorkerPulse } from '../worker/worker-pulse.js';
import { crashedMessage } from '../worker/worker-service.js';
import { SessionLog } from './session-log.js';
import type { FromSession, SessionCommandMessage, ToSession } from './session-protocol.js';
import { SessionReadings } from './session-readings.js';
import { SessionWire } from './session-wire.js';

const BEAT_MS = 500;
/** Bytes that may wait to be written: a driver that does not heed `write() === false` is ended. */
const MAX_UNWRITTEN = 1024 * 1024;
/** Buffers are outside of the heap and its limit. */
const MAX_EXTERNAL_BYTES = 128 * 1024 * 1024;
const MAX_DETAILS_CHARS = 32 * 1024;
const MAX_REASON_CHARS = 500;

const NO_COMMANDS: CommandAnswer = { ok: false, reason: "this device's driver takes no commands; it takes: write" };

export interface SessionServiceParts {
  readonly driver: SessionDriver;
  readonly options: unknown;
  readonly clock: Clock;
  readonly pulse: WorkerPulse;
  /** `transfer`: memory that the main thread takes over. */
  readonly post: (message: FromSession, transfer: readonly ArrayBuffer[]) => void;
}

/** `over`: unanswered, crashed or closed; nothing is told any more. */
type State = 'opening' | 'open' | 'closing' | 'over';

export class SessionService {
  readonly #parts: SessionServiceParts;
  readonly #wire: SessionWire;
  readonly #readings: SessionReadings;
  readonly #log: SessionLog;
  #state: State = 'opening';
  #session: Session | undefined;
  #onWritten: (() => void) | undefined;
  /** The link takes no bytes any more. */
  #isCut = false;
  /** While the end waits for what the driver has written. */
  #onWriteOver: (() => void) | undefined;

  constructor(parts: SessionServiceParts) {
    this.#parts = parts;
    const { post } = parts;
    this.#wire = new SessionWire({
      write: (bytes, onWritten) => this.#write(bytes, onWritten),
      onTaken: () => post({ kind: 'taken' }, []),
    });
    this.#wire.on('close', () => this.#onWireClosed());
    this.#readings = new SessionReadings(post);
    this.#log = new SessionLog(parts.clock, (message) => post(message, []));
  }

  /** Opens the session and tells how that went. Never rejects. */
  async open(): Promise<void> {
    const { driver, options, post } = this.#parts;
    this.#beat();
    try {
      this.#session = await driver.open(this.#host(), options);
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      post({ kind: 'open' }, []);
    } catch (error) {
      if (isBug(error)) this.#crash(error);
      else this.#giveUp(messageOf(error));
    }
  }

  /** Takes a message of the main thread. */
  handle(message: ToSession): void {
    switch (message.kind) {
      case 'bytes':
        this.#wire.arrive(Buffer.from(message.bytes));
        break;
      case 'written':
        this.#settleWrite();
        break;
      case 'cut':
        this.#isCut = true;
        this.#onWriteOver?.();
        break;
      case 'heard':
        this.#readings.heard();
        break;
      case 'command':
        void this.#run(message);
        break;
      case 'end':
        void this.#close();
        break;
    }
  }

  #host(): SessionHost {
    return {
      wire: this.#wire,
      reading: (reading) => this.#readings.add(reading),
      log: (level, text) => this.#log.say(level, text),
      details: (details) => this.#tellDetails(details),
    };
  }

  #tellDetails(details: Readonly<Record<string, unknown>>): void {
    const json = JSON.stringify(details);
    if (json === undefined || json.length > MAX_DETAILS_CHARS) {
      this.#log.say('warn', `details of the device are too long (more than ${MAX_DETAILS_CHARS} characters)`);
    } else this.#parts.post({ kind: 'details', json }, []);
  }

  #write(bytes: Uint8Array, onWritten: () => void): void {
    const own = new Uint8Array(bytes); // of its own memory: a small Buffer shares its pool with others
    this.#onWritten = onWritten;
    this.#parts.post({ kind: 'write', bytes: own.buffer }, [own.buffer]);
  }

  #settleWrite(): void {
    const done = this.#onWritten;
    this.#onWritten = undefined;
    done?.();
    this.#onWriteOver?.();
  }

  async #run({ id, verb, channel, payload }: SessionCommandMessage): Promise<void> {
    const command = { verb, payload: Buffer.from(payload), ...(channel !== undefined && { channel }) };
    try {
      const answer = this.#session?.command ? answerOf(await this.#session.command(command)) : NO_COMMANDS;
      this.#parts.post({ kind: 'answer', id, answer }, []);
    } catch (error) {
      this.#crash(error);
    }
  }

  async #close(): Promise<void> {
    if (this.#state === 'over') return;
    this.#state = 'closing';
    this.#wire.finish();
    try {
      await this.#session?.close?.();
    } catch (error) {
      this.#log.say('warn', `the driver threw in close: ${messageOf(error)}`);
    }
    this.#readings.flush();
    await this.#lastBytes();
    this.#readings.flush();
    this.#state = 'over';
    this.#parts.post({ kind: 'closed' }, []);
  }

  /** What the driver has written leaves before its Worker ends, where there is a link for it; the main thread bounds the wait. */
  async #lastBytes(): Promise<void> {
    while (!this.#isCut && !this.#wire.destroyed && this.#wire.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#onWriteOver = resolve;
      });
    }
  }

  #onWireClosed(): void {
    this.#onWriteOver?.();
    if (this.#state === 'opening' || this.#state === 'open') {
      this.#giveUp(this.#wire.errored?.message ?? 'the driver has closed the wire');
    }
  }

  /** The heartbeat, and a look at what has no limit of its own. */
  #beat(): void {
    if (this.#state === 'over') return;
    this.#parts.pulse.leave();
    try {
      checkLimits(this.#wire.writableLength);
    } catch (error) {
      this.#crash(error);
      return;
    }
    this.#parts.clock.after(BEAT_MS, () => this.#beat());
  }

  #giveUp(reason: string): void {
    if (this.#state === 'closing' || this.#state === 'over') return;
    this.#state = 'over';
    this.#parts.post({ kind: 'unanswered', reason: reason.slice(0, MAX_REASON_CHARS) }, []);
  }

  #crash(error: unknown): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#readings.flush();
    this.#parts.post(crashedMessage(error), []);
  }
}

/** What only a mistake in code throws. Everything else that `open` rejects with is the device's silence, in the driver's words. */
function isBug(error: unknown): boolean {
  return [TypeError, ReferenceError, RangeError, SyntaxError].some((kind) => error instanceof kind);
}

function answerOf(answer: SessionAnswer): CommandAnswer {
  if (answer === undefined) return { ok: true };
  if ('rejected' in answer) return { ok: false, reason: answer.rejected };
  if (answer.data === undefined) return { ok: true };
  return { ok: true, data: JSON.parse(JSON.stringify(answer.data)) }; // what cannot be cloned is left out, as on the wire
}

function checkLimits(unwritten: number): void {
  if (unwritten > MAX_UNWRITTEN) throw new Error('the driver writes more than the line takes: 1 MiB waits');
  const { external_memory: bytes } = v8.getHeapStatistics();
  if (bytes > MAX_EXTERNAL_BYTES) {
    throw new Error(`the driver holds ${Math.round(bytes / 1024 ** 2)} MiB of buffers: limit 128 MiB`);
  }
}
