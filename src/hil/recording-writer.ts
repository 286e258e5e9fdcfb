// Writes a recording as it goes: what was recorded is in the file within a second, so that a power cut costs no more than that.

import { createWriteStream, type WriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import type { Clock, Timer } from '../core/clock.js';
import { formatEntry, formatHeader, type RecordingEntry, type RecordingHeader } from './recording.js';

/** How long lines are gathered before they are written, ms ... */
const FLUSH_MS = 1000;
/** ... or as soon as there are so many characters. */
const FLUSH_CHARS = 64 * 1024;
/** A disk, or a reader of stdout, that is further behind than this costs entries, which are told. */
const MAX_BEHIND = 16 * 1024 * 1024;

export interface RecordingWriterOptions {
  /** Where it goes; ended by `close` unless it is stdout. */
  readonly stream: Writable;
  readonly clock: Clock;
  readonly header: RecordingHeader;
  /** The stream has failed: disk full, nobody reads any more. */
  readonly onFailed: (error: Error) => void;
}

/** Opens a new file, or with `force` an existing one from its beginning. Rejects with the system's error (`EEXIST`, ...). */
export function openRecordingFile(path: string, { force }: { readonly force: boolean }): Promise<WriteStream> {
  return new Promise((resolve, reject) => {
    const stream = createWriteStream(path, { flags: force ? 'w' : 'wx' });
    stream.once('error', reject);
    stream.once('open', () => {
      stream.off('error', reject);
      resolve(stream);
    });
  });
}

export class RecordingWriter {
  /** Lines written, the header included. */
  lines = 1;
  /** Bytes of the chunks. */
  bytes = 0;
  /** Bytes that are missing: told by the tap, or because the disk was behind. */
  dropped = 0;
  readonly #stream: Writable;
  readonly #clock: Clock;
  readonly #onFailed: (error: Error) => void;
  #text: string;
  #timer: Timer | undefined;
  /** Bytes left out since the last line, because the stream was behind. */
  #leftOut = 0;

  constructor({ stream, clock, header, onFailed }: RecordingWriterOptions) {
    this.#stream = stream;
    this.#clock = clock;
    this.#onFailed = onFailed;
    this.#text = formatHeader(header);
    stream.on('error', onFailed);
    this.flush();
  }

  /** Adds an entry. Never waits: where the stream is far behind, entries are left out, and a note says so. */
  add(entry: RecordingEntry): void {
    const size = 'bytes' in entry ? entry.bytes.length : 0;
    if (this.#stream.writableLength > MAX_BEHIND) {
      this.#leftOut += size;
      return;
    }
    if (this.#leftOut > 0) this.#add({ t: entry.t, note: 'dropped', dropped: this.#leftOut, reason: 'disk too slow' });
    this.#leftOut = 0;
    this.#add(entry);
    this.bytes += size;
    if (this.#text.length >= FLUSH_CHARS) this.flush();
    else this.#timer ??= this.#clock.after(FLUSH_MS, () => this.flush());
  }

  /** Hands what was gathered to the system. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#text !== '') this.#stream.write(this.#text);
    this.#text = '';
  }

  /** Resolves when all is written and the file is closed, or the stream has failed. */
  close(): Promise<void> {
    this.flush();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off('error', done);
        resolve();
      };
      this.#stream.on('error', done).off('error', this.#onFailed);
      if (this.#stream === process.stdout) this.#stream.write('', done);
      else this.#stream.end(done);
    });
  }

  #add(entry: RecordingEntry): void {
    this.#text += formatEntry(entry);
    this.lines += 1;
    if ('note' in entry) this.dropped += entry.dropped ?? 0;
  }
}
