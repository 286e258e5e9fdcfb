// Messages of a raw tap (group/raw-tap.ts) -> entries of a recording, with times from 0 on. A tap may end and begin anew while
// a recording runs (the gateway restarts, another recorder ends), and messages may get lost on the way: both are noted.

import { type NoteEntry, parseEntry, type RecordingEntry } from '../hil/recording.js';

/** What came out of one message. */
export interface TapMessageEntries {
  readonly entries: readonly RecordingEntry[];
  /** The tap has said its last. */
  readonly isLast: boolean;
}

interface TapMessage {
  readonly tap: number;
  readonly seq: number;
  readonly entries: readonly unknown[];
  readonly end?: boolean;
}

export class TapEntries {
  /** Messages that did not arrive. */
  missed = 0;
  #tap: number | undefined;
  #seq = 0;
  /** Microseconds that are added to the tap's own. */
  #offset = 0;
  #last = 0;

  /**
   * Takes one message; undefined if it is none.
   * @param elapsedUs time since the recording began, by our own clock: where a new run of the tap goes on
   */
  take(payload: Buffer, elapsedUs: number): TapMessageEntries | undefined {
    const message = messageIn(payload);
    if (message === undefined) return undefined;
    const entries: RecordingEntry[] = [];
    if (message.tap !== this.#tap) this.#begin(message, elapsedUs, entries);
    this.#noteMissed(message.seq - this.#seq, entries);
    this.#seq = message.seq + 1;
    for (const raw of message.entries) {
      const parsed = parseEntry(JSON.stringify(raw));
      if (parsed.ok) entries.push({ ...parsed.value, t: this.#time(parsed.value.t) });
    }
    return { entries, isLast: message.end === true };
  }

  #begin({ tap, seq, entries }: TapMessage, elapsedUs: number, into: RecordingEntry[]): void {
    const first = firstTime(entries);
    const isFirst = this.#tap === undefined;
    this.#tap = tap;
    this.#seq = isFirst ? seq : 0; // another recorder's tap may have run for long: what it has said before is not missing here
    const start = isFirst ? 0 : Math.max(this.#last, Math.round(elapsedUs));
    this.#offset = start - first;
    if (!isFirst)
      into.push(this.#note('restarted', start, 'the tap ended and was asked for again: bytes may be missing'));
  }

  #noteMissed(count: number, into: RecordingEntry[]): void {
    if (count <= 0) return;
    this.missed += count;
    into.push(this.#note('missed', this.#last, `${count} messages of the tap were lost on the way: bytes are missing`));
  }

  #note(note: string, t: number, reason: string): NoteEntry {
    this.#last = Math.max(this.#last, t);
    return { t: this.#last, note, reason };
  }

  #time(t: number): number {
    this.#last = Math.max(this.#last, t + this.#offset);
    return this.#last;
  }
}

function firstTime(entries: readonly unknown[]): number {
  const t = (entries[0] as { t?: unknown } | undefined)?.t; // looked at with care: it came over the network
  return typeof t === 'number' ? t : 0;
}

function messageIn(payload: Buffer): TapMessage | undefined {
  try {
    const value: Partial<TapMessage> | null = JSON.parse(payload.toString('utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { tap, seq, entries, end } = value;
    if (typeof tap !== 'number' || !Number.isSafeInteger(seq) || !Array.isArray(entries)) return undefined;
    return { tap, seq: Number(seq), entries, end: end === true };
  } catch {
    return undefined;
  }
}
