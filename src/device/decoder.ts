// Framer + driver instance of one device: all that stands between bytes and readings, without threads, timers or I/O. The
// receive thread runs it, in the main thread or in a Worker. Made anew after each crash of the driver, as the instance is.
//
//   push(chunk) -> framer -> frame -> driver.decode -> batch -> out.readings
//                        \-> junk ------- rejected ----------> out.junk
//   encodeCommand -> payloads, and for a driver that reads answers: frame -> driver.confirm -> answer

import { FerruleError, messageOf } from '../core/errors.js';
import type { Loan } from '../core/loan.js';
import { AnswerReader, type CommandAnswer } from './answer-reader.js';
import { JsonBatch, SliceBatch } from './batch.js';
import type { Decoded, DriverCommand, DriverInstance, FramedDriver } from './driver.js';
import { isBytes, isRejected, jsonOf, kindOf, muffle } from './driver-answer.js';
import { type FlushReason, type Framer, type FrameSink, PayloadError } from './framer.js';
import type { ReadingBatch } from './message.js';

/** What a Decoder hands out. Called within `push`, `flush` and `settle`. */
export interface DecoderSink {
  /** Readings that came together; as few batches as possible. */
  readings(batch: ReadingBatch): void;
  /**
   * Bytes that gave no reading. `bytes` is a copy, at most 1 KiB of them; `droppedBytes` counts those beyond. `reason` is one of the
   * framer's, or `rejected: ...`, `bad-reading: ...`, `crashed: ...` with at most 200 characters.
   */
  junk(reason: string, bytes: Buffer, droppedBytes: number): void;
}

export interface DecoderStats {
  readonly bytesIn: number;
  readonly frames: number;
  readonly readings: number;
  /** By the framer's reasons, and `rejected`, `bad-reading`, `crashed`, `skipped` (frames after a crash in one chunk). */
  readonly junk: ReadonlyMap<string, number>;
}

export type { CommandAnswer };

/** What became of a command: framed payloads to be written in order, or why there are none, for the sender. */
export type EncodedCommand =
  | {
      readonly ok: true;
      readonly payloads: readonly Buffer[];
      /**
       * Set where the driver reads answers: resolves when the device has answered. Never rejects for what the device says;
       * whoever waits bounds the wait, and says so with `cancelAnswer` when it is over.
       */
      readonly answer?: Promise<CommandAnswer>;
    }
  | { readonly ok: false; readonly reason: string };

/** `decode`, `settle` or `encode` of a driver has thrown: a bug in the driver, counted against its restarts. */
export class DriverCrash extends FerruleError {
  constructor(where: string, cause: unknown) {
    super('driver-crash', `the driver threw in ${where}: ${messageOf(cause)}`, { cause });
  }
}

/** What a Decoder is made of. */
export interface DecoderParts {
  readonly framer: Framer;
  readonly instance: DriverInstance;
  readonly out: DecoderSink;
  /** The driver's list of commands, to check `set/<channel>` against. */
  readonly commands?: FramedDriver['commands'];
}

const MAX_JUNK_BYTES = 1024;
const MAX_REASON_CHARS = 200;
const DEFAULT_SETTLE_MS = 150;
const NO_BYTES = Buffer.alloc(0);
const NO_JUNK: ReadonlyMap<string, number> = new Map();

export class Decoder {
  readonly #framer: Framer;
  readonly #instance: DriverInstance;
  readonly #out: DecoderSink;
  readonly #commands: FramedDriver['commands'];
  readonly #sink: FrameSink;
  readonly #slices: SliceBatch;
  readonly #texts: JsonBatch;
  #junk: Map<string, number> | undefined; // made for the first: most connections never have any
  #bytesIn = 0;
  #frames = 0;
  #readings = 0;
  #hasUnsettled = false;
  #crash: DriverCrash | undefined;
  /** For a driver that reads answers. */
  readonly #answers: AnswerReader | undefined;

  constructor({ framer, instance, out, commands }: DecoderParts) {
    this.#framer = framer;
    this.#instance = instance;
    this.#out = out;
    this.#commands = commands;
    const take = (batch: ReadingBatch): void => out.readings(batch);
    this.#slices = new SliceBatch(take);
    this.#texts = new JsonBatch(take);
    const { confirm } = instance;
    this.#answers = confirm && new AnswerReader((frame, command) => confirm.call(instance, frame, command));
    this.#sink = { frame: this.#frameHandler(), junk: this.#addJunk.bind(this) };
  }

  /**
   * Takes the next bytes; the decoder may keep slices of `chunk`, and batches of such slices go with a share of its loan. Throws
   * DriverCrash after handing out what came before it.
   */
  push(chunk: Buffer, _at?: number, _wall?: number, loan?: Loan): void {
    this.#bytesIn += chunk.length;
    // Nobody can tell what a driver keeps of the frames that it is given.
    const isLent = loan !== undefined && this.#isPlain;
    if (isLent) this.#slices.lend(chunk, loan);
    this.#framer.push(chunk, this.#sink);
    this.#handOut();
    if (isLent) this.#slices.endLoan();
  }

  /** Ends a partial frame: `gap` after `gapMs` of silence, `end` when the link is gone (settles too). */
  flush(reason: FlushReason): void {
    this.#framer.flush(reason, this.#sink);
    this.#handOut();
    if (reason === 'end') this.settle();
  }

  /** Hands out what the driver has gathered from several frames; nothing if no frame came since last time. */
  settle(): void {
    if (!this.#hasUnsettled) return;
    this.#hasUnsettled = false;
    let decoded: Decoded;
    try {
      decoded = this.#instance.settle?.();
    } catch (error) {
      throw this.#crashed('settle', error);
    }
    this.#take(decoded, NO_BYTES, 0, 0);
    this.#handOut();
  }

  /** No code of the driver sees the frames. */
  get #isPlain(): boolean {
    return this.#instance.decode === undefined && this.#answers === undefined;
  }

  /** Bytes held of a frame that is not whole yet. */
  get held(): number {
    return this.#framer.held;
  }

  /** ms of silence after which `flush('gap')` is due while `held > 0`; undefined: never. */
  get gapMs(): number | undefined {
    return this.#framer.gapMs;
  }

  /** ms of silence after which `settle()` is due while `hasUnsettled`; undefined: the driver does not settle. */
  get settleMs(): number | undefined {
    if (!this.#instance.settle) return undefined;
    return Math.min(Math.max(this.#instance.settleMs || DEFAULT_SETTLE_MS, 10), 10_000);
  }

  /** True if frames came since the last `settle()` and the driver has something to settle. */
  get hasUnsettled(): boolean {
    return this.#hasUnsettled;
  }

  get stats(): DecoderStats {
    return { bytesIn: this.#bytesIn, frames: this.#frames, readings: this.#readings, junk: this.#junk ?? NO_JUNK };
  }

  /** Turns a command into bytes for the wire. Throws DriverCrash if the driver does. */
  encodeCommand(command: DriverCommand): EncodedCommand {
    const { encode } = this.#instance;
    if (!encode) return { ok: false, reason: `this device's driver takes no ${describe(command)}; it takes: write` };
    const problem = channelProblem(command, this.#commands);
    if (problem !== undefined) return { ok: false, reason: problem };
    let encoded: unknown;
    try {
      encoded = encode.call(this.#instance, command);
    } catch (error) {
      throw this.#crashed('encode', error);
    }
    const wrapped = this.#wrap(encoded);
    return wrapped.ok && this.#answers ? { ...wrapped, answer: this.#answers.await(command) } : wrapped;
  }

  /** The command that waits is given up: what still comes is no answer to the next. */
  cancelAnswer(): void {
    this.#answers?.giveUp('nobody waits for the answer any more');
  }

  /** An answer to the command that waits would come too late: it is a reading then, and `answer` resolves all the same. */
  takeAnswerAsReading(): void {
    this.#answers?.takeAsReading();
  }

  #wrap(encoded: unknown): EncodedCommand {
    if (isRejected(encoded)) return { ok: false, reason: encoded.rejected };
    const payloads = Array.isArray(encoded) ? encoded : [encoded];
    if (!payloads.every(isBytes)) {
      muffle(encoded);
      return { ok: false, reason: `bug in the driver: encode answered ${kindOf(encoded)}, expected bytes` };
    }
    try {
      return { ok: true, payloads: payloads.map((payload) => this.#framer.wrap(payload)) };
    } catch (error) {
      if (error instanceof PayloadError) return { ok: false, reason: error.message };
      throw error;
    }
  }

  /** Frames go straight to where they are decoded, unless the driver may find answers among them. */
  #frameHandler(): FrameSink['frame'] {
    const plain = this.#instance.decode ? this.#decodeFrame.bind(this) : this.#passFrame.bind(this);
    const answers = this.#answers;
    if (answers === undefined) return plain;
    return (bytes, start, end) => {
      const isWaiting = answers.isWaiting && this.#crash === undefined;
      if (!isWaiting || !this.#isOnlyAnswer(answers, bytes, start, end)) plain(bytes, start, end);
    };
  }

  /** Whether the frame answers the command that waits, and is nothing else. */
  #isOnlyAnswer(answers: AnswerReader, bytes: Buffer, start: number, end: number): boolean {
    try {
      if (answers.read(bytes.subarray(start, end)) !== 'answer') return false;
    } catch (error) {
      this.#noteCrash('confirm', error, bytes, start, end);
    }
    this.#frames++;
    return true;
  }

  // The hot path of `raw` and `lines`: once per line. No allocation here.
  #passFrame(bytes: Buffer, start: number, end: number): void {
    this.#frames++;
    this.#readings++;
    this.#slices.add(bytes, start, end);
  }

  #decodeFrame(bytes: Buffer, start: number, end: number): void {
    this.#frames++;
    if (this.#crash) {
      this.#count('skipped');
      return;
    }
    this.#hasUnsettled = this.#instance.settle !== undefined;
    let decoded: Decoded;
    try {
      decoded = this.#instance.decode?.(bytes.subarray(start, end));
    } catch (error) {
      this.#noteCrash('decode', error, bytes, start, end);
      return;
    }
    this.#take(decoded, bytes, start, end);
  }

  /** Kept until the framer is through with the chunk: thrown at once it would tear the framer's state. */
  #noteCrash(where: string, error: unknown, bytes: Buffer, start: number, end: number): void {
    this.#crash = this.#crashed(where, error);
    this.#reject('crashed', messageOf(error), bytes, start, end);
  }

  /** Such an instance is not used any more: nobody will read the device's answer. */
  #crashed(where: string, cause: unknown): DriverCrash {
    this.#answers?.giveUp('sent, but the driver crashed before the device answered');
    return new DriverCrash(where, cause);
  }

  #take(decoded: Decoded, bytes: Buffer, start: number, end: number): void {
    if (decoded === undefined) return;
    if (isRejected(decoded)) {
      this.#reject('rejected', decoded.rejected, bytes, start, end);
      return;
    }
    for (const reading of Array.isArray(decoded) ? decoded : [decoded]) {
      const json = jsonOf(reading);
      if ('fault' in json) this.#reject('bad-reading', json.fault, bytes, start, end);
      else this.#addReading(json.text);
    }
  }

  #addReading(text: string): void {
    this.#readings++;
    this.#texts.add(text);
  }

  #reject(kind: string, detail: string, bytes: Buffer, start: number, end: number): void {
    this.#count(kind);
    this.#tellJunk(`${kind}: ${detail}`.slice(0, MAX_REASON_CHARS), bytes, start, end, 0);
  }

  #addJunk(bytes: Buffer, start: number, end: number, reason: string, dropped: number): void {
    this.#count(reason);
    this.#tellJunk(reason, bytes, start, end, dropped);
  }

  #count(kind: string): void {
    this.#junk ??= new Map();
    this.#junk.set(kind, (this.#junk.get(kind) ?? 0) + 1);
  }

  #tellJunk(reason: string, bytes: Buffer, start: number, end: number, dropped: number): void {
    const cut = Math.min(end, start + MAX_JUNK_BYTES);
    this.#out.junk(reason, Buffer.from(bytes.subarray(start, cut)), end - cut + dropped);
  }

  #handOut(): void {
    this.#slices.handOut();
    this.#texts.handOut();
    const crash = this.#crash;
    if (!crash) return;
    this.#crash = undefined;
    throw crash;
  }
}

function describe({ verb, channel }: DriverCommand): string {
  return channel === undefined ? verb : `${verb}/${channel}`;
}

/** Why `set/<channel>` cannot be meant for this driver, going by the commands it declares. */
export function channelProblem(
  { channel, verb }: DriverCommand,
  commands: FramedDriver['commands'],
): string | undefined {
  if (channel === undefined || commands === undefined) return undefined;
  const channels = Object.keys(commands);
  if (verb !== 'set' || channels.includes(channel) || channels.includes('*')) return undefined;
  return `no channel "${channel}"; it takes: ${channels.map((name) => `set/${name}`).join(', ') || 'none'}`;
}
