// Notices a device of which bytes come and never a frame: a wrong baud rate, a delimiter that it does not send. Framers report what
// they skip when they find its end, and here there is none: the device would be online, count bytes, and say nothing for ever.

import type { Log } from '../core/log.js';
import type { DeviceContext } from './device-context.js';

/** So many bytes, or bytes for so long, ms, are more than a frame. */
const MANY_BYTES = 16 * 1024;
const LONG_MS = 60_000;
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
  if ((decoder?.backlog ?? 0) > 0) return drought; // a Worker that has not got so far
  const goingOn = drought ?? new FrameDrought(log);
  return goingOn.goesOn(bytes, at) ? 'over' : goingOn;
}

/** Until a device's first frame. */
export class FrameDrought {
  readonly #log: Log;
  #sample: Buffer = NOTHING;
  #bytes = 0;
  #since = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Bytes that came at `at` (monotonic ms) have made no frame, nor anything else. Answers whether that has been told now: once is enough. */
  goesOn(bytes: Buffer, at: number): boolean {
    if (this.#bytes === 0) this.#since = at;
    this.#bytes += bytes.length;
    const rest = SAMPLE_BYTES - this.#sample.length;
    if (rest > 0) this.#sample = Buffer.concat([this.#sample, bytes.subarray(0, rest)]);
    if (this.#bytes < MANY_BYTES && at - this.#since < LONG_MS) return false;
    const text = this.#sample.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    this.#log.warn(
      { thread: 'receive', bytes: this.#bytes, first_hex: this.#sample.toString('hex'), first_text: text },
      `${this.#bytes} bytes have come and not one frame: are the framing (delimiter, length) and the baud rate those of the device? It began with "${text}"`,
    );
    return true;
  }
}
