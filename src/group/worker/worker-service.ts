// In the Worker: takes batches and commands, runs them through framer and driver, answers. Owns the timer that framing needs, as
// the receive thread does for an inline decoder. Whatever the driver throws ends it: the main thread makes a new Worker.

import v8 from 'node:v8';
import type { Clock, Timer } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { type Decoder, type DecoderSink, DriverCrash } from '../../device/decoder.js';
import { quietDueMs } from '../decode-host.js';
import { type DecodeEntry, unpackBatch } from './worker-batch.js';
import type { BatchMessage, CrashedMessage, EncodeMessage, FromWorker, ToWorker } from './worker-protocol.js';
import { ELSEWHERE, type WorkerPulse } from './worker-pulse.js';
import { WorkerResults } from './worker-results.js';

/** A batch that takes longer is answered in parts, so that what is decoded does not wait, nor is lost should the rest hang. */
const POST_EVERY_MS = 20;
/** Buffers are outside of the heap and its limit. Far above what a decoder holds, for garbage waits to be collected. */
const MAX_EXTERNAL_BYTES = 256 * 1024 * 1024;

export interface WorkerServiceParts {
  readonly makeDecoder: (out: DecoderSink) => Decoder;
  readonly pulse: WorkerPulse;
  readonly clock: Clock;
  /** `transfer`: memory that the main thread takes over. */
  readonly post: (message: FromWorker, transfer: readonly ArrayBuffer[]) => void;
}

export class WorkerService {
  readonly #parts: WorkerServiceParts;
  readonly #results = new WorkerResults();
  readonly #decoder: Decoder;
  #quietTimer: Timer | undefined;
  /** Arrival of the last chunk by the main thread's clock, and how much later than that it is now by our own. */
  #chunkAt = 0;
  #skew = 0;
  #handled = 0;
  #hasCrashed = false;

  constructor(parts: WorkerServiceParts) {
    this.#parts = parts;
    this.#decoder = parts.makeDecoder(this.#results);
  }

  /** Takes a message of the main thread. */
  handle(message: ToWorker): void {
    if (this.#hasCrashed) return;
    if (message.kind === 'batch') this.#runBatch(message);
    else if (message.kind === 'encode') this.#encode(message);
    else if (message.kind === 'late') this.#decoder.takeAnswerAsReading();
    else this.#decoder.cancelAnswer();
  }

  #runBatch(batch: BatchMessage): void {
    const { clock } = this.#parts;
    this.#skew = batch.sentAt - clock.now();
    let through = 0;
    try {
      let postedAt = clock.now();
      for (const entry of unpackBatch(batch)) {
        this.#run(entry, through);
        through += 1;
        if (through === batch.ends.length || clock.now() - postedAt < POST_EVERY_MS) continue;
        this.#post(through);
        postedAt = clock.now();
      }
      checkMemory();
    } catch (error) {
      // What the driver threw, the decoder has reported as junk with the frame; the rest of that chunk went with it.
      const isTold = error instanceof DriverCrash && this.#parts.pulse.at === through;
      this.#post(isTold ? through + 1 : through);
      this.#crash(error, isTold);
      return;
    }
    this.#post(through);
    this.#armTimer();
  }

  #run({ act, bytes, at }: Omit<DecodeEntry, 'wall'>, index: number): void {
    const { pulse } = this.#parts;
    if (act === 'push') this.#passQuiet(at, index - 1);
    pulse.enter(index);
    this.#results.begin(index, at);
    if (act === 'push') this.#push(bytes, at);
    else if (act === 'settle') this.#decoder.settle();
    else this.#decoder.flush(act);
    pulse.leave();
  }

  #push(bytes: Buffer, at: number): void {
    this.#chunkAt = at;
    this.#handled = (this.#handled + 1) | 0;
    this.#decoder.push(bytes);
  }

  /** Does what silence from the last chunk until `now` (main thread's clock) calls for. */
  #passQuiet(now: number, entry: number): void {
    const { pulse } = this.#parts;
    const quietMs = now - this.#chunkAt;
    const { gapMs, settleMs } = this.#decoder;
    const isGap = gapMs !== undefined && this.#decoder.held > 0 && quietMs >= gapMs;
    const isSettling = settleMs !== undefined && this.#decoder.hasUnsettled && quietMs >= settleMs;
    if (!isGap && !isSettling) return;
    pulse.enter(ELSEWHERE);
    this.#results.begin(entry, this.#chunkAt);
    if (isGap) this.#decoder.flush('gap');
    if (isSettling) this.#decoder.settle();
    pulse.leave();
  }

  #armTimer(): void {
    const dueMs = quietDueMs(this.#decoder);
    if (dueMs === undefined || this.#quietTimer !== undefined) return;
    const waitMs = Math.max(0, this.#chunkAt + dueMs - this.#now());
    this.#quietTimer = this.#parts.clock.after(waitMs, () => this.#onQuiet());
  }

  #onQuiet(): void {
    this.#quietTimer = undefined;
    // Bytes are on their way: the line is not silent, and the time of their arrival will decide.
    if (this.#hasCrashed || this.#parts.pulse.pushed !== this.#handled) return;
    try {
      this.#passQuiet(this.#now(), -1);
    } catch (error) {
      this.#post(-1);
      this.#crash(error, true);
      return;
    }
    if (this.#results.hasAny) this.#post(-1);
    this.#armTimer();
  }

  #encode({ id, verb, channel, payload }: EncodeMessage): void {
    const { pulse, post } = this.#parts;
    const command = { verb, payload: Buffer.from(payload), ...(channel !== undefined && { channel }) };
    pulse.enter(ELSEWHERE);
    try {
      const encoded = this.#decoder.encodeCommand(command);
      if (encoded.ok) {
        const { payloads, answer } = encoded;
        post({ kind: 'encoded', id, result: { ok: true, payloads, isAnswered: answer !== undefined } }, []);
        void answer?.then((said) => post({ kind: 'answered', id, answer: said }, []));
      } else post({ kind: 'encoded', id, result: encoded }, []);
    } catch (error) {
      this.#crash(error, true);
      return;
    }
    pulse.leave();
  }

  /** `isTold`: the main thread need not say which bytes were lost. */
  #crash(error: unknown, isTold: boolean): void {
    this.#hasCrashed = true;
    this.#quietTimer?.cancel();
    if (isTold) this.#parts.pulse.leave();
    this.#parts.post(crashedMessage(error), []);
  }

  #post(upTo: number): void {
    const message = this.#results.take(upTo, this.#decoder);
    this.#parts.post(message, [message.bytes]);
  }

  /** By the main thread's clock. */
  #now(): number {
    return this.#parts.clock.now() + this.#skew;
  }
}

/** What has been thrown, as a message: of a DriverCrash its own words and the driver's stack. */
export function crashedMessage(error: unknown): CrashedMessage {
  const thrown = error instanceof DriverCrash ? error.cause : error;
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  return { kind: 'crashed', message: messageOf(error).slice(0, 2000), stack: stack?.slice(0, 8000) };
}

function checkMemory(): void {
  const { external_memory: bytes } = v8.getHeapStatistics();
  if (bytes <= MAX_EXTERNAL_BYTES) return;
  throw new Error(`the driver holds ${Math.round(bytes / 1024 ** 2)} MiB of buffers: limit 256 MiB`);
}
