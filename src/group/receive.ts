// The receive thread of a device: bytes in, readings out.
//
//   link.onChunk -> intake() -> [received] -> run(): decoder -> readings -> [up] -> send thread
//
// It owns the two timers that framing needs (a gap that ends a frame, quiet that settles a reading) and the flow control:
// a link that can pause is paused while the device's queue is full; a line that cannot loses the oldest readings, counted.

import type { Timer } from '../core/clock.js';
import type { Thread } from '../core/thread.js';
import type { Decoder, DecoderSink } from '../device/decoder.js';
import type { Link } from '../device/link.js';
import { countOf, type ReadingBatch } from '../device/message.js';
import { DeadLetters } from './dead-letters.js';
import type { DeviceContext, ReceiveItem, UpItem } from './device-context.js';

/** Bytes waiting for the receive thread at which a link that can pause is paused. */
const PAUSE_AT = 128 * 1024;
/** Bytes waiting beyond which those of a line that cannot pause are dropped. */
const INTAKE_LIMIT = 1024 * 1024;
/** Longest that the receive queue of the system is read at a shutdown, ms. */
const FINISH_INTAKE_MS = 300;

const HOLDER = 'receive';

export class ReceiveThread implements DecoderSink {
  readonly #ctx: DeviceContext;
  readonly #makeDecoder: (sink: DecoderSink) => Decoder;
  readonly #deadLetters: DeadLetters;
  #overflow: UpItem[] = [];
  #isPaused = false;
  #lastChunkAt = 0;
  #chunkWall = 0;
  #gapTimer: Timer | undefined;

  constructor(ctx: DeviceContext, makeDecoder: (sink: DecoderSink) => Decoder) {
    this.#ctx = ctx;
    this.#makeDecoder = makeDecoder;
    this.#deadLetters = new DeadLetters(ctx.address, ctx.clock);
  }

  /** Called by the link with every chunk. Synchronous: no promise between the wire and the queue. */
  intake(link: Link, chunk: Buffer): void {
    const { received, counters, clock, managing } = this.#ctx;
    counters.bytesIn += chunk.length;
    counters.lastHeardAt = clock.wall();
    if (this.#ctx.isSilent) {
      this.#ctx.isSilent = false;
      managing.put({ kind: 'heard' });
    }
    if (!link.canPause && received.weight + chunk.length > INTAKE_LIMIT) {
      counters.droppedBytes += chunk.length;
      return;
    }
    if (received.put(chunk) === 'closed') counters.droppedBytes += chunk.length;
    if (link.canPause && !this.#isPaused && received.weight >= PAUSE_AT) {
      this.#isPaused = true;
      link.pause();
    }
  }

  /** The thread's body. Ends when its inbox is closed and worked off, or on abort. */
  async run(thread: Thread): Promise<void> {
    const { received } = this.#ctx;
    try {
      while ((await this.#next(thread)) === 'ready') {
        thread.busy('decoding');
        while (received.length > 0 && thread.state !== 'aborting') {
          const taken = received.poll();
          if (taken?.ok) this.#handle(taken.item);
          if (this.#overflow.length > 0) await this.#waitForRoom(thread);
        }
        this.#unpause();
      }
      this.#endOfInput();
      if (this.#overflow.length > 0) await this.#waitForRoom(thread);
    } finally {
      this.#gapTimer?.cancel();
      this.#gapTimer = undefined;
      this.#ctx.lease?.leave(HOLDER);
    }
  }

  /** Shutdown: takes what the system has already received, then closes the inbox behind it. */
  finish(): void {
    const lease = this.#ctx.lease;
    const close = (): void => this.#ctx.received.close();
    if (lease === undefined || !this.#ctx.flag.isUp) close();
    else void lease.resource.finishIntake(FINISH_INTAKE_MS).then(close, close);
  }

  /** Framer and driver of the device, made on first use. The send thread encodes with the same one. */
  decoder(): Decoder {
    this.#ctx.decoder ??= this.#makeDecoder(this);
    return this.#ctx.decoder;
  }

  /** From the decoder: readings that came together. */
  readings(batch: ReadingBatch): void {
    const { address, settings, counters } = this.#ctx;
    const count = countOf(batch);
    counters.readings += count;
    this.#queue({ kind: 'readings', device: address, batch, qos: settings.qos, retain: settings.retain, at: this.#chunkWall });
  }

  /** From the decoder: bytes that are no reading. */
  junk(reason: string, bytes: Buffer, droppedBytes: number): void {
    this.#ctx.counters.junk += 1;
    const letter = this.#deadLetters.take(reason, bytes, droppedBytes);
    if (letter === undefined) return;
    this.#ctx.log.warn({ thread: HOLDER, reason, bytes: bytes.length + droppedBytes, suppressed: letter.suppressed }, describeJunk(letter.reason));
    // A dead letter never holds up readings: without room for it, it stays a counter and a log line.
    this.#ctx.up.put(letter);
  }

  async #next(thread: Thread): Promise<'ready' | 'closed' | 'aborted'> {
    thread.idle();
    return this.#ctx.received.ready();
  }

  #handle(item: ReceiveItem): void {
    if (Buffer.isBuffer(item)) {
      this.#decode(item);
    } else if (item.kind === 'ended') {
      this.#endOfInput();
      item.lease.leave(HOLDER);
    }
  }

  #decode(chunk: Buffer): void {
    const decoder = this.decoder();
    const now = this.#ctx.clock.now();
    const gapMs = decoder.gapMs;
    // The timer may be late; a gap that has passed ends the frame before the new bytes are looked at.
    if (gapMs !== undefined && decoder.held > 0 && now - this.#lastChunkAt >= gapMs) decoder.flush('gap');
    this.#lastChunkAt = now;
    this.#chunkWall = this.#ctx.clock.wall();
    decoder.push(chunk);
    this.#armTimer(decoder);
  }

  #endOfInput(): void {
    const decoder = this.#ctx.decoder;
    if (decoder === undefined) return;
    this.#chunkWall = this.#ctx.clock.wall();
    decoder.flush('end');
    decoder.settle();
  }

  /** One timer serves both waits, and is not moved with every chunk: it looks at the last chunk's time when it fires. */
  #armTimer(decoder: Decoder): void {
    if (this.#gapTimer !== undefined) return;
    const waitMs = dueAfter(decoder);
    if (waitMs === undefined) return;
    this.#gapTimer = this.#ctx.clock.after(waitMs, () => this.#onQuiet(decoder));
  }

  #onQuiet(decoder: Decoder): void {
    this.#gapTimer = undefined;
    const quietMs = this.#ctx.clock.now() - this.#lastChunkAt;
    const waitMs = dueAfter(decoder);
    if (waitMs === undefined || this.#ctx.decoder !== decoder) return;
    if (quietMs < waitMs) {
      this.#gapTimer = this.#ctx.clock.after(waitMs - quietMs, () => this.#onQuiet(decoder));
      return;
    }
    this.#chunkWall = this.#ctx.clock.wall();
    try {
      if (decoder.held > 0 && decoder.gapMs !== undefined) decoder.flush('gap');
      if (decoder.hasUnsettled) decoder.settle();
    } catch (error) {
      // A timer has no thread to crash: hand the crash to the manager in the thread's name.
      this.#ctx.managing.put({ kind: 'crash', thread: HOLDER, error });
    }
    this.#armTimer(decoder);
  }

  #queue(item: UpItem): void {
    const { up, lease } = this.#ctx;
    if (this.#overflow.length > 0) {
      this.#overflow.push(item);
      return;
    }
    if (lease?.resource.canPause === false) this.#makeRoom();
    if (up.put(item) === 'rejected') this.#overflow.push(item);
  }

  /** For a line that cannot wait: the oldest readings make room for the newest. */
  #makeRoom(): void {
    const { up, counters, log, settings } = this.#ctx;
    while (!up.hasRoom) {
      const oldest = up.poll();
      if (!oldest?.ok) return;
      const lost = oldest.item.kind === 'readings' ? countOf(oldest.item.batch) : 0;
      if (counters.droppedReadings === 0 && lost > 0) {
        log.warn(
          { thread: HOLDER, queue_size: settings.queue_size },
          'readings come in faster than they leave and a serial line cannot wait: the oldest are dropped and counted (see dropped in bridge/devices)',
        );
      }
      counters.droppedReadings += lost;
    }
  }

  async #waitForRoom(thread: Thread): Promise<void> {
    const waiting = this.#overflow;
    this.#overflow = [];
    for (const [index, item] of waiting.entries()) {
      while (this.#ctx.up.put(item) === 'rejected') {
        thread.idle();
        const outcome = await this.#ctx.up.room(thread.abortSignal);
        if (outcome !== 'room') {
          this.#countLost(waiting.slice(index));
          return;
        }
      }
    }
    thread.busy('decoding');
  }

  #countLost(items: readonly UpItem[]): void {
    for (const item of items) if (item.kind === 'readings') this.#ctx.counters.droppedReadings += countOf(item.batch);
  }

  #unpause(): void {
    if (!this.#isPaused || this.#ctx.received.closed) return;
    this.#isPaused = false;
    this.#ctx.lease?.resource.resume();
  }
}

function dueAfter(decoder: Decoder): number | undefined {
  const gap = decoder.held > 0 ? decoder.gapMs : undefined;
  const settle = decoder.hasUnsettled ? decoder.settleMs : undefined;
  if (gap === undefined) return settle;
  return settle === undefined ? gap : Math.min(gap, settle);
}

function describeJunk(reason: string): string {
  return `bytes that are no reading (${reason}); see dead_letter`;
}
