// A recording as the fixture of a driver test: these bytes, with this timing, give these readings. Framer and driver run as in
// the gateway (device/decoder.ts); its timers are played by the times of the recording.
//
//   const { readings, junk } = await decodeRecording(driver, 'test/fixtures/gps.ndjson');
//   t.deepEqual(readings, [{ time: '2026-01-01T00:00:00.000Z', ... }, ...]);

import { type FramingConfig, framingSchema } from '../config/framing-schema.js';
import { FerruleError } from '../core/errors.js';
import { Decoder, type DecoderSink } from '../device/decoder.js';
import type { Driver, FramedDriver, Reading } from '../device/driver.js';
import { makeFramer } from '../device/make-framer.js';
import type { ReadingBatch } from '../device/message.js';
import type { RecordingEntry, RecordingHeader } from './recording.js';
import { openRecording } from './recording-reader.js';

export interface DecodeRecordingOptions {
  /** The driver's options, as in a config. Default: those of the recording, else none. */
  readonly options?: unknown;
  /** As in a config. Default: that of the recording, else the driver's, else lines. */
  readonly framing?: Readonly<Record<string, unknown>>;
}

/** Bytes that gave no reading; see DecoderSink. */
export interface DecodedJunk {
  readonly reason: string;
  readonly bytes: Buffer;
}

export interface DecodedRecording {
  /** In order. Objects; of drivers that do not decode (`lines`, `raw`): the bytes as latin1 text. */
  readonly readings: readonly (Reading | string)[];
  readonly junk: readonly DecodedJunk[];
}

/** Decodes what came from the device in the recording `file`. Rejects with RecordingError, or where options do not fit. */
export async function decodeRecording(
  driver: Driver,
  file: string,
  options: DecodeRecordingOptions = {},
): Promise<DecodedRecording> {
  const { header, entries } = await openRecording(file);
  const playback = new Playback(framed(driver), header, options);
  for await (const entry of entries()) playback.take(entry);
  playback.end();
  return { readings: playback.readings, junk: playback.junk };
}

function framed(driver: Driver): FramedDriver {
  if (driver.kind === 'framed') return driver;
  throw new FerruleError(
    'session-driver',
    'a session driver talks with its device: a recording cannot be decoded by it',
  );
}

class Playback {
  readonly readings: (Reading | string)[] = [];
  readonly junk: DecodedJunk[] = [];
  readonly #driver: FramedDriver;
  readonly #options: unknown;
  readonly #framing: FramingConfig;
  #decoder: Decoder;
  #isDecoding = false;
  #lastMs = 0;

  constructor(driver: FramedDriver, header: RecordingHeader, { options, framing }: DecodeRecordingOptions) {
    this.#driver = driver;
    this.#options = driver.options.parse(options ?? header.options ?? {});
    this.#framing = framingSchema.parse(framing ?? header.framing ?? driver.defaults?.framing ?? { type: 'line' });
    this.#decoder = this.#fresh();
  }

  take(entry: RecordingEntry): void {
    const ms = entry.t / 1000;
    if ('note' in entry ? entry.note !== 'lost' : entry.d !== 'in') return;
    this.#beQuietUntil(ms);
    if ('note' in entry) {
      this.#lose();
      return;
    }
    this.#decoder.push(entry.bytes);
    this.#lastMs = ms;
  }

  /** Nothing follows: that is silence, and then the end of the link. */
  end(): void {
    this.#beQuietUntil(Number.POSITIVE_INFINITY);
    this.#lose();
  }

  /** The link is gone: what is held is told, and the next link begins anew. */
  #lose(): void {
    this.#decoder.flush('end');
    this.#decoder = this.#fresh();
  }

  /** What the receive thread's timer would have done since the last bytes, in the order in which it would. */
  #beQuietUntil(ms: number): void {
    const quietMs = ms - this.#lastMs;
    const { gapMs = Number.POSITIVE_INFINITY, settleMs = Number.POSITIVE_INFINITY } = this.#decoder;
    if (settleMs < gapMs && quietMs >= settleMs) this.#decoder.settle();
    if (this.#decoder.held > 0 && quietMs >= gapMs) this.#decoder.flush('gap');
    if (quietMs >= settleMs) this.#decoder.settle(); // also what the gap has made a frame
  }

  #fresh(): Decoder {
    const { create, commands } = this.#driver;
    const instance = create.call(this.#driver, this.#options);
    this.#isDecoding = instance.decode !== undefined;
    return new Decoder({
      framer: makeFramer(this.#framing),
      instance,
      out: this.#sink(),
      ...(commands && { commands }),
    });
  }

  #sink(): DecoderSink {
    return {
      readings: (batch) => this.readings.push(...this.#textsOf(batch)),
      junk: (reason, bytes) => this.junk.push({ reason, bytes }),
    };
  }

  #textsOf({ bytes, bounds }: ReadingBatch): (Reading | string)[] {
    const found: (Reading | string)[] = [];
    for (let i = 0; i < bounds.length; i += 2) {
      const text = bytes.toString(this.#isDecoding ? 'utf8' : 'latin1', bounds[i], bounds[i + 1]);
      found.push(this.#isDecoding ? (JSON.parse(text) as Reading) : text); // Decoder has made that JSON of a Reading
    }
    return found;
  }
}
