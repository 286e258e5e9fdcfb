// A recording at work: a visit to the raw tap of the device (tap-visit.ts) that writes what comes, and waits for its last word.
// Once it has begun it survives a broker or a gateway that goes away for a while: the recording then notes what may be missing.

import type { Writable } from 'node:stream';
import { messageOf } from '../core/errors.js';
import type { RecordingEntry, RecordingHeader } from '../hil/recording.js';
import { RecordingWriter } from '../hil/recording-writer.js';
import { EXIT } from './exit-codes.js';
import { TapEntries } from './tap-entries.js';
import { TapVisit, type TapVisitPlace } from './tap-visit.js';

/** Its `seconds` absent: until `signal`. */
export interface RecordSessionOptions extends TapVisitPlace {
  /** Where the recording goes; opened when the gateway has agreed. */
  readonly open: () => Promise<Writable>;
  readonly signal: AbortSignal;
}

/** What was recorded. */
export interface RecordingTotals {
  readonly lines: number;
  readonly bytes: number;
  /** Bytes and messages that are known to be missing. */
  readonly dropped: number;
  readonly missed: number;
}

export class RecordSession {
  readonly #options: RecordSessionOptions;
  readonly #chunks: string;
  readonly #visit: TapVisit;
  readonly #tap = new TapEntries();
  /** Entries that came before the file was open. */
  #early: RecordingEntry[] = [];
  #writer: RecordingWriter | undefined;
  #startedAt = 0;

  constructor(options: RecordSessionOptions) {
    this.#options = options;
    const { topics, device } = options;
    this.#chunks = topics.rawTap(device);
    this.#visit = new TapVisit({
      ...options,
      mode: 'raw',
      listenTo: [this.#chunks],
      onMessage: (_, payload) => this.#take(payload),
      onAgreed: (data) => void this.#begin(data),
      onRefused: 'wait',
      farewell: 'last-word',
    });
  }

  /** Runs to its end; gives the exit code, and what was recorded if anything could be. */
  async run(): Promise<{ readonly code: number; readonly totals: RecordingTotals | undefined }> {
    const { signal, clock } = this.#options;
    this.#startedAt = clock.now();
    signal.addEventListener('abort', () => this.#visit.end(EXIT.clean), { once: true });
    const code = await this.#visit.run();
    await this.#visit.leave();
    await this.#writer?.close();
    return { code, totals: this.#totals() };
  }

  #totals(): RecordingTotals | undefined {
    if (this.#writer === undefined) return undefined;
    const { lines, bytes, dropped } = this.#writer;
    return { lines, bytes, dropped, missed: this.#tap.missed };
  }

  #take(payload: Buffer): void {
    const message = this.#tap.take(payload, (this.#options.clock.now() - this.#startedAt) * 1000);
    if (message === undefined) return;
    for (const entry of message.entries) this.#keep(entry);
    if (!message.isLast) return;
    if (this.#visit.state === 'leaving') this.#visit.over();
    else this.#visit.ask(); // another recorder has ended its tap, which was ours too
  }

  #keep(entry: RecordingEntry): void {
    if (this.#writer) this.#writer.add(entry);
    else this.#early.push(entry);
  }

  /** The gateway has agreed: from now on there is a file. */
  async #begin(data: unknown): Promise<void> {
    const { device, clock, open, err } = this.#options;
    const { mode, source } = (data ?? {}) as Readonly<Record<string, unknown>>; // a request is answered with an object
    if (mode !== 'raw') {
      this.#visit.fail('this gateway cannot record: it is older than this ferrule', EXIT.unreachable);
      return;
    }
    const startedAt = new Date(clock.wall()).toISOString();
    const header = { ferrule_recording: 1, device, ...(source as object), started_at: startedAt } as RecordingHeader;
    try {
      const stream = await open();
      const onFailed = (error: Error): void => this.#visit.fail(`cannot write: ${error.message}`, EXIT.leftovers);
      this.#writer = new RecordingWriter({ stream, clock, header, onFailed });
      for (const entry of this.#early.splice(0)) this.#writer.add(entry);
      err(`recording ${device}; Ctrl-C ends`);
    } catch (error) {
      this.#visit.fail(messageOf(error), EXIT.usage);
    }
  }
}
