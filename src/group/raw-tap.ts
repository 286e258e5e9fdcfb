// The tap of a device that is being recorded (`ferrule record`): a thread that is added to the running group, beside the tap
// for people (tap.ts) if there is one. What went over the line goes up exactly as it came: chunk by chunk, both directions in
// order, with microseconds, and the loss and return of the link in their place among the chunks.
//
//   receive.intake --copy--.
//   send.write ----copy----+--> [inbox, bounded] --> every 100 ms --> relay (`raw-tap`)
//   the group's state -----'
//
// It never holds up the device: what does not fit is left out, and an entry in its place says how many bytes that were.

import { type Clock, sleep, type Timer } from '../core/clock.js';
import type { MessageQueue } from '../core/queue.js';
import type { Thread } from '../core/thread.js';
import type { ThreadRegistry } from '../core/thread-registry.js';
import type { DownMessage, RawTapEntry, Relay } from '../device/message.js';
import type { Direction, Tap } from './device-context.js';

/** How long entries are gathered before they are said, ms. */
const GATHER_MS = 100;
/** Bytes that may wait for the tap, the objects around them included: some 90 s of 115200 baud. */
const INBOX_BYTES = 1024 * 1024;
const ITEM_BYTES = 64;
/** A message is full with so many bytes of chunks; one chunk is never cut. */
const MESSAGE_BYTES = 16 * 1024;
/** Once it is to end: how long it still waits for room on the way up, ms. Its device ends behind it, fail-safe bytes and all. */
const LAST_MS = 500;

export interface RawTapOptions {
  /** The group whose line it is. */
  readonly id: string;
  readonly clock: Clock;
  readonly relay: Relay;
  readonly registry: Pick<ThreadRegistry<DownMessage>, 'allocate'>;
  /** Its time is over: whoever has added the thread takes it out. */
  readonly onOver: () => void;
}

interface RawTapItem {
  readonly entry: RawTapEntry;
  /** Bytes left out before it. */
  readonly dropped: number;
}

export class RawTapThread implements Tap {
  readonly inbox: MessageQueue<RawTapItem>;
  readonly #options: RawTapOptions;
  /** Names this run. */
  readonly #startedAt: number;
  #seq = 0;
  /** Bytes left out since the last item in the inbox. */
  #dropped = 0;
  #timer: Timer | undefined;

  constructor(options: RawTapOptions) {
    this.#options = options;
    this.#startedAt = options.clock.wall();
    this.inbox = options.registry.allocate<RawTapItem>({
      capacity: INBOX_BYTES,
      whenFull: 'reject',
      weigh: ({ entry }) => bytesOf(entry) + ITEM_BYTES,
    });
  }

  take(direction: Direction, bytes: Buffer): void {
    // A driver may scribble on its frames, which are views of the chunk: hence a copy.
    if (bytes.length > 0) this.#put({ t: this.#now(), direction, bytes: Buffer.from(bytes) });
  }

  /** The link is there from now on, or gone. */
  note(note: 'online' | 'lost', reason: string): void {
    this.#put({ t: this.#now(), note, reason });
  }

  /** From now on it has this long, ms. */
  extend(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, this.#options.onOver);
  }

  /** The thread's body. Ends when its inbox is closed and said, or on abort. */
  async run(thread: Thread): Promise<void> {
    const late = this.#lateSignal(thread);
    try {
      while ((await this.inbox.ready()) === 'ready') {
        await sleep(this.#options.clock, GATHER_MS, thread.finishSignal);
        while (this.inbox.length > 0) {
          if (thread.state === 'aborting' || late.aborted) return;
          await this.#say(this.#gather(), false, late);
        }
      }
      await this.#say(this.#dropped > 0 ? [this.#hole(this.#now(), this.#dropped)] : [], true, late);
    } finally {
      this.#timer?.cancel();
    }
  }

  #put(entry: RawTapEntry): void {
    if (this.inbox.put({ entry, dropped: this.#dropped }) === 'queued') this.#dropped = 0;
    else this.#dropped += bytesOf(entry);
  }

  /** What goes into one message. */
  #gather(): RawTapEntry[] {
    const entries: RawTapEntry[] = [];
    for (let bytes = 0; bytes < MESSAGE_BYTES; ) {
      const taken = this.inbox.poll();
      if (!taken?.ok) break;
      const { entry, dropped } = taken.item;
      if (dropped > 0) entries.push(this.#hole(entry.t, dropped));
      entries.push(entry);
      bytes += bytesOf(entry) + ITEM_BYTES;
    }
    return entries;
  }

  #hole(t: number, dropped: number): RawTapEntry {
    return { t, note: 'dropped', dropped };
  }

  /** Aborts when nothing is waited for any more: a while after the thread is asked to finish, or at once with an `abort`. */
  #lateSignal({ finishSignal, abortSignal }: Thread): AbortSignal {
    const late = new AbortController();
    const onFinish = (): void => {
      void sleep(this.#options.clock, LAST_MS, abortSignal).then(() => late.abort());
    };
    if (finishSignal.aborted) onFinish();
    else finishSignal.addEventListener('abort', onFinish, { once: true });
    return late.signal;
  }

  /** Waits for room on the way up: only the inbox fills meanwhile. */
  async #say(entries: readonly RawTapEntry[], isLast: boolean, late: AbortSignal): Promise<void> {
    const { id, relay } = this.#options;
    const message = {
      kind: 'raw-tap',
      device: id,
      tap: this.#startedAt,
      seq: this.#seq,
      entries,
      isLast,
    } as const;
    while (relay.offer(message) === 'full') {
      await relay.room(late);
      if (late.aborted) return;
    }
    this.#seq += 1;
  }

  #now(): number {
    return Math.round(this.#options.clock.now() * 1000);
  }
}

function bytesOf(entry: RawTapEntry): number {
  return 'bytes' in entry ? entry.bytes.length : 0;
}
