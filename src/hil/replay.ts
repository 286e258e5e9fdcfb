// Plays a recording as a virtual device: what came from the device comes again, with its timing at any speed, on any
// VirtualLine; what the gateway writes may be compared with the recording.
//
//   recording --entries--> due at start + t / speed --> what is due together, in one --> line.send
//   line.onData --> OutCheck <-- "out" entries
//
// Times are kept by due times, so that a late timer does not make the device slower. Where the recording says that the link
// was lost the plug is pulled; where it came back, the schedule waits until the gateway is there again.

import { type Clock, sleep } from '../core/clock.js';
import type { OutCheck } from './out-check.js';
import type { RecordingEntry } from './recording.js';
import type { Recording } from './recording-reader.js';
import type { VirtualLine } from './virtual-line.js';

/** How often it is asked whether the gateway has come, ms. */
const LOOK_MS = 10;
/**
 * Who opens a serial port may throw away what came before its settings: left alone for so long, ms. So is what was just sent,
 * before the plug is pulled.
 */
const SETTLE_MS = 100;
/** Bytes sent in one go. */
const BATCH_BYTES = 64 * 1024;
/** Without due times, others get their turn after so many entries. */
const TURN_ENTRIES = 256;

export interface ReplayOptions {
  readonly recording: Recording;
  readonly line: VirtualLine;
  readonly clock: Clock;
  /** Times as fast as recorded; `Infinity` = as fast as the line takes it. */
  readonly speed: number;
  /** Gets what should have been written and what was. */
  readonly check?: OutCheck;
  readonly signal: AbortSignal;
}

/** What was played. */
export interface ReplayReport {
  readonly ended: 'done' | 'aborted';
  /** Bytes sent to the gateway. */
  readonly bytes: number;
  readonly chunks: number;
  /** Bytes that the recording itself is missing. */
  readonly dropped: number;
  /** It ended while the link was lost, and left the plug out: to be put in before it is played again. */
  readonly isUnplugged: boolean;
}

/** Waits for the gateway, then plays the recording once. Rejects with RecordingError where it is wrong. */
export function replay(options: ReplayOptions): Promise<ReplayReport> {
  return new Player(options).run();
}

class Player {
  readonly #options: ReplayOptions;
  /** Clock time of t = 0. */
  #zero = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isLost = false;
  #bytes = 0;
  #chunks = 0;
  #dropped = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async run(): Promise<ReplayReport> {
    const { recording, line, check, signal } = this.#options;
    line.onData((chunk) => check?.take(chunk));
    let entries = 0;
    let hasBegun = false;
    for await (const entry of recording.entries()) {
      if (!hasBegun && 'note' in entry) continue; // nothing has come yet: the gateway is waited for anyway
      if (!hasBegun) await this.#begin(entry.t);
      hasBegun = true;
      await this.#waitFor(entry.t);
      if (signal.aborted) break;
      await this.#play(entry);
      entries += 1;
      if (entries % TURN_ENTRIES === 0) await sleep(this.#options.clock, 0, signal);
    }
    await this.#send();
    const ended = signal.aborted ? 'aborted' : 'done';
    return {
      ended,
      bytes: this.#bytes,
      chunks: this.#chunks,
      dropped: this.#dropped,
      isUnplugged: this.#isLost,
    };
  }

  async #play(entry: RecordingEntry): Promise<void> {
    if ('bytes' in entry && entry.d === 'out') {
      this.#options.check?.expect(entry.bytes);
    } else if ('bytes' in entry) {
      if (this.#waitingBytes > 0 && this.#waitingBytes + entry.bytes.length > BATCH_BYTES) await this.#send();
      this.#waiting.push(entry.bytes);
      this.#waitingBytes += entry.bytes.length;
      this.#chunks += 1;
    } else {
      this.#dropped += entry.dropped ?? 0;
      if (entry.note === 'lost') await this.#lose();
      if (entry.note === 'online' && this.#isLost) await this.#comeBack(entry.t);
    }
  }

  /** What waits is sent before any wait, so all that is due together goes in one. */
  async #waitFor(t: number): Promise<void> {
    const { clock, signal } = this.#options;
    const waitMs = this.#zero + this.#at(t) - clock.now();
    if (!(waitMs > 0)) return;
    await this.#send();
    const restMs = this.#zero + this.#at(t) - clock.now(); // sending may have taken its time
    if (restMs > 0) await sleep(clock, restMs, signal);
  }

  async #send(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const { line, signal } = this.#options;
    const bytes = Buffer.concat(this.#waiting.splice(0));
    this.#waitingBytes = 0;
    if (signal.aborted) return;
    this.#bytes += bytes.length;
    line.send(bytes);
    await line.flushed?.();
  }

  async #begin(t: number): Promise<void> {
    await this.#untilOpen();
    this.#zero = this.#options.clock.now() - this.#at(t);
  }

  async #lose(): Promise<void> {
    const { line, clock, signal } = this.#options;
    await this.#send();
    await sleep(clock, SETTLE_MS, signal); // what is on its way would go with the plug
    this.#isLost = true;
    await line.unplug();
  }

  async #comeBack(t: number): Promise<void> {
    this.#isLost = false;
    await this.#options.line.plug();
    await this.#begin(t);
  }

  async #untilOpen(): Promise<void> {
    const { line, clock, signal } = this.#options;
    while (line.isOpen === false && !signal.aborted) await sleep(clock, LOOK_MS, signal);
    await sleep(clock, SETTLE_MS, signal);
  }

  /** ms after the start; 0 at full speed. */
  #at(t: number): number {
    return t / 1000 / this.#options.speed;
  }
}
