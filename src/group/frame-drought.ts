// Notices a device of which bytes come and never a frame: a wrong baud rate, a delimiter that it does not send. Framers report what
// they skip when they find its end, and here there is none: the device would be online, count bytes, and say nothing for ever.

import type { Log } from '../core/log.js';
import type { DeviceContext } from './device-context.js';

/** So many bytes, or bytes for so long, ms, are more than a frame. */
const MANY_BYTES = 16 * 1024;
const LONG_MS = 60_000;
/** Bytes that come this long after others, ms, are another attempt to say something; so many are made in that minute, or one lasts it. */
const PAUSE_MS = 1000;
const ATTEMPTS = 3;
/** Of the first that came: enough to see text, or what a wrong baud rate makes of it. */
const SAMPLE_BYTES = 32;
const NOTHING: Buffer = Buffer.alloc(0);

/** After a chunk: `over` for good once there has been a frame or junk, or it has been said that there is none. */
export function lookForFrames(
  drought: FrameDrought | undefined,
  { counters, decoder, log }: Pick<DeviceContext, 'counters' | 'decoder' | 'log'>,
  bytes: Buffer,
  at: number,
): FrameDrought | 'over' | undefined {
  if (counters.frames > 0 || counters.junk > 0) return 'over';
  if (decoder === undefined || decoder.endsWithLink) return 'over'; // a session has no frames
  const goingOn = drought ?? new FrameDrought(log);
  const undecoded = decoder.backlog ?? 0;
  // A Worker has not seen this chunk yet; what is told is told of those before it.
  if (undecoded === bytes.length && goingOn.tell()) return 'over';
  goingOn.add(bytes, at);
  return undecoded === 0 && goingOn.tell() ? 'over' : goingOn;
}

/** Until a device's first frame. */
export class FrameDrought {
  readonly #log: Log;
  #sample: Buffer = NOTHING;
  #bytes = 0;
  /** Monotonic ms of the first bytes, of the last, and of the first of this attempt. */
  #since = 0;
  #lastAt = 0;
  #attemptAt = 0;
  #attempts = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Bytes that came at `at` (monotonic ms). */
  add(bytes: Buffer, at: number): void {
    if (this.#bytes === 0) this.#since = at;
    if (this.#bytes === 0 || at - this.#lastAt >= PAUSE_MS) {
      this.#attempts += 1;
      this.#attemptAt = at;
    }
    this.#lastAt = at;
    this.#bytes += bytes.length;
    const rest = SAMPLE_BYTES - this.#sample.length;
    if (rest > 0) this.#sample = Buffer.concat([this.#sample, bytes.subarray(0, rest)]);
  }

  /** Of what was added there is no frame, nor anything else: says so if that is strange. Answers whether it has: once is enough. */
  tell(): boolean {
    if (!this.#isStrange()) return false;
    const text = this.#sample.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    this.#log.warn(
      { thread: 'receive', bytes: this.#bytes, first_hex: this.#sample.toString('hex'), first_text: text },
      `${this.#bytes} bytes have come and not one frame: are the framing (delimiter, length) and the baud rate those of the device? It began with "${text}"`,
    );
    return true;
  }

  /** A stray byte, and an hour later the first piece of a frame: that is not. */
  #isStrange(): boolean {
    if (this.#bytes >= MANY_BYTES) return true;
    return this.#lastAt - (this.#attempts > ATTEMPTS ? this.#since : this.#attemptAt) >= LONG_MS;
  }
}
