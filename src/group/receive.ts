// The receive thread of a device: bytes in, readings out.
//
//   link.onChunk -> intake() -> [received] -> step(): decoder -> readings -> [up] -> send thread
//
// It owns the timer that framing needs (a gap that ends a frame, quiet that settles a reading) and the flow control: a link
// that can pause is paused while the way up is full; a line that cannot loses the oldest readings, counted.

import type { Lease } from '../core/lease.js';
import type { Loan } from '../core/loan.js';
import type { Inbox, Thread, ThreadExit, ThreadParts, ThreadSteps } from '../core/thread.js';
import type { FlushReason } from '../device/framer.js';
import type { Link } from '../device/link.js';
import { countOf, type ReadingBatch } from '../device/message.js';
import type { BoundedOutcome } from './bounded-write.js';
import { DeadLetters } from './dead-letters.js';
import type { DecodeHost, DecodeSink } from './decode-host.js';
import type { DeviceContext, ReceiveItem, UpItem } from './device-context.js';
import { type FrameDrought, lookForFrames } from './frame-drought.js';
import { dropIntake, type IntakeHole } from './intake-hole.js';
import { countJunk, junkKindOf } from './junk-kind.js';
import { LastCrashes, type LastCrashesParts } from './last-crashes.js';
import { LinkPause } from './link-pause.js';
import { type LoopWatch, watchLoop } from './loop-watch.js';
import { QuietTimer } from './quiet-timer.js';
import { NO_SESSION } from './session/no-session.js';
import { writeForSession } from './session/session-line.js';
import { WayUp } from './way-up.js';
import { WORKER_BACKLOG } from './worker/worker-decoder.js';

/** Bytes waiting for the receive thread at which a link that can pause is paused. */
const PAUSE_AT = 128 * 1024;
/** Bytes waiting beyond which those of a line that cannot pause are dropped. */
const INTAKE_LIMIT = 1024 * 1024;
/** Longest that the receive queue of the system is read at a shutdown, ms. */
const FINISH_INTAKE_MS = 300;

const HOLDER = 'receive';

/** What the receive thread needs of its group. */
export interface ReceiveParts extends LastCrashesParts {
  /** The driver is made with each link, by `opened`, and not on first use. */
  readonly hasSession: boolean;
  /** A fresh framer and a fresh driver. Driver's code: may throw. */
  makeDecoder(sink: DecodeSink): DecodeHost;
}

export class ReceiveThread implements DecodeSink, ThreadParts, ThreadSteps {
  readonly #ctx: DeviceContext;
  readonly #parts: ReceiveParts;
  readonly #wayUp: WayUp;
  #deadLetters: DeadLetters | undefined;
  readonly #pause: LinkPause;
  readonly #quiet: QuietTimer;
  #lastCrashes: LastCrashes | undefined;
  #hole: IntakeHole | undefined;
  #canPause = true;
  /** When the last chunk that was decoded had arrived, by the wall clock. */
  #chunkWall = 0;
  #framesBefore = 0;
  #loopWatch: LoopWatch | undefined;
  #drought: FrameDrought | 'over' | undefined;
  /** The link of the session: its bytes are written to no other. */
  #sessionOn: Lease<Link> | undefined;
  /** A Worker that has crashed and whose successor has still to be made: that takes over what it had not decoded. */
  #left: DecodeHost | undefined;
  /** Behind which link the decoder was made for that, as the flag counts them: the next link may have it, it is as fresh as another. */
  #succeededAt: number | undefined;
  /** A decoder has crashed that held the beginning of a frame: its successor is told of the hole. */
  #isInFrame = false;
  /** The inbox is closed and worked off, and the decoder has been told. */
  #isOver = false;

  constructor(ctx: DeviceContext, parts: ReceiveParts) {
    this.#ctx = ctx;
    this.#parts = parts;
    this.#wayUp = new WayUp(ctx);
    this.#pause = new LinkPause(ctx);
    this.#quiet = new QuietTimer(ctx);
  }

  get label(): string {
    return HOLDER;
  }

  get inboxes(): readonly Inbox[] {
    return [this.#ctx.received];
  }

  /** Called by the link with every chunk. Synchronous: no promise between the wire and the queue. */
  intake(link: Link, bytes: Buffer, loan?: Loan): void {
    const { received, counters, clock, managing, lease } = this.#ctx;
    if (lease?.resource !== link) {
      counters.droppedBytes += bytes.length; // let go of, though not closed yet: its end has been told to the decoder
      return;
    }
    const at = clock.now();
    const wall = clock.wall();
    counters.bytesIn += bytes.length;
    counters.lastHeardAt = wall;
    this.#ctx.heardAt = at;
    this.#ctx.tap?.take('in', bytes, wall);
    if (this.#ctx.isSilent) {
      this.#ctx.isSilent = false;
      managing.put({ kind: 'heard' });
    }
    this.#canPause = link.canPause;
    const isTooMuch = !link.canPause && received.weight + bytes.length > INTAKE_LIMIT;
    if (isTooMuch) this.#hole = dropIntake(this.#hole, this.#ctx, !this.#parts.hasSession, bytes.length);
    else if (received.put({ kind: 'chunk', bytes, loan, at, wall }) !== 'queued') counters.droppedBytes += bytes.length;
    else this.#hole?.end();
    if (link.canPause && received.weight >= PAUSE_AT) this.#pause.begin(link);
  }

  /** The thread's work. Over when its inbox is closed and worked off, or on abort. */
  step(thread: Thread): 'idle' | 'ended' | Promise<unknown> {
    const { received } = this.#ctx;
    if (this.#left !== undefined) this.#succeed();
    while (received.length > 0 || this.#wayUp.isBlocked) {
      if (thread.state === 'aborting') return 'ended';
      if (this.#wayUp.isBlocked) return this.#wayUp.unblock(thread);
      const wait = this.#handleNext(thread);
      if (wait === undefined) continue;
      thread.busy('decoding'); // said anew with each wait: a Worker that is always behind has made progress all the same
      if (this.#parts.hasSession) thread.waiting(); // for its driver, which is bounded there, or for a line that takes no bytes
      return wait;
    }
    thread.idle();
    this.#pause.end();
    if (!received.closed) return 'idle';
    if (this.#isOver) return 'ended';
    this.#isOver = true;
    return this.#endOfInput(thread, true) ?? 'ended';
  }

  /** What was read before a fault is not lost with it. */
  async leave(thread: Thread, { how }: ThreadExit): Promise<void> {
    if (how === 'crashed') this.#leaveDecoder();
    this.#quiet.cancel();
    await this.#wayUp.unblock(thread);
    this.#ctx.lease?.leave(HOLDER);
  }

  /** Shutdown: takes what the system has already received, then closes the inbox behind it. */
  onFinish(): void {
    const { lease, flag, received } = this.#ctx;
    const close = (): void => received.close();
    if (lease !== undefined && flag.isUp) {
      this.#pause.forget(); // the end of intake makes a paused link flow again; should too much come, it is paused again
      void lease.resource.finishIntake(FINISH_INTAKE_MS).then(close, close);
    } else close();
  }

  /** Told by the manager that a link is up. A session may have to speak first, so it begins now. */
  opened(lease: Lease<Link>): void {
    if (this.#parts.hasSession) this.#ctx.received.put({ kind: 'opened', lease });
  }

  /** Told by the manager that the link has ended. What was read is still decoded, then the partial frame reported. */
  letGo(lease: Lease<Link>, isFresh: boolean): void {
    this.#pause.forget();
    this.#ctx.received.put({ kind: 'ended', isFresh });
    lease.leave(HOLDER);
  }

  /** Framer and driver of the device, made on first use. The send thread encodes with the same one. */
  decoder(): DecodeHost {
    if (this.#ctx.decoder === undefined) {
      if (this.#parts.hasSession) return NO_SESSION;
      this.#ctx.decoder = this.#parts.makeDecoder(this);
      this.#framesBefore = 0;
      if (this.#isInFrame) this.#ctx.decoder.flush('hole');
      this.#isInFrame = false;
    }
    return this.#ctx.decoder;
  }

  /** Bytes that a Worker has left behind when it crashed, and nobody has taken over, or that it has not decoded yet. */
  get leftBytes(): number {
    return (this.#left?.backlog ?? 0) + (this.#ctx.decoder?.backlog ?? 0);
  }

  /** The group is given up: what has found no room on the way up. */
  giveUp(): readonly UpItem[] {
    return this.#wayUp.giveUp();
  }

  /** From the decoder: readings that came together. */
  readings(batch: ReadingBatch, wall = this.#chunkWall): void {
    const { address, settings, counters } = this.#ctx;
    counters.readings += countOf(batch);
    const { qos, retain } = settings;
    this.#queue({ kind: 'readings', device: address, batch, qos, retain, at: wall });
  }

  /** From a session: bytes for the device. */
  write(bytes: Buffer, isOver: () => boolean): Promise<BoundedOutcome> {
    return writeForSession(this.#ctx, this.#sessionOn, bytes, isOver);
  }

  /** From the decoder: bytes that are no reading. */
  junk(reason: string, bytes: Buffer, droppedBytes: number): void {
    const { counters, log, up } = this.#ctx;
    counters.junk += 1;
    countJunk(counters.junkByReason, junkKindOf(reason));
    this.#deadLetters ??= new DeadLetters(this.#ctx.address, this.#ctx.clock);
    const letter = this.#deadLetters.take(reason, bytes, droppedBytes);
    if (letter === undefined) return;
    const fields = { thread: HOLDER, reason, bytes: bytes.length + droppedBytes, suppressed: letter.suppressed };
    log.warn(fields, `bytes that are no reading (${reason}); see dead_letter`);
    // A dead letter never holds up readings: without room for it, it stays a counter and a log line.
    if (up.fits(letter)) up.put(letter);
  }

  /** Answers a promise only where there is something to wait for: with a Worker. */
  #handleNext(thread: Thread): Promise<unknown> | undefined {
    const taken = this.#ctx.received.poll();
    if (!taken?.ok) return undefined;
    try {
      return this.#handle(taken.item, thread);
    } catch (error) {
      this.#outlive(error, thread);
      return undefined;
    }
  }

  #handle(item: ReceiveItem, thread: Thread): Promise<unknown> | undefined {
    switch (item.kind) {
      case 'chunk':
        return this.#decode(item, thread);
      case 'opened':
        this.#beginSession(item.lease);
        return undefined;
      case 'quiet':
        this.#onQuiet(item.at);
        return undefined;
      case 'ended':
        return this.#endOfInput(thread, item.isFresh && this.#succeededAt !== this.#ctx.flag.generation);
      case 'hole':
        this.#endPartial(this.decoder(), 'hole');
        return undefined;
      case 'crashed':
        if (item.host === this.#ctx.decoder) throw item.error;
        return undefined;
      case 'wake':
        return undefined;
    }
  }

  #beginSession(lease: Lease<Link>): void {
    if (this.#ctx.lease !== lease) return; // gone again
    this.#sessionOn = lease;
    this.#ctx.decoder ??= this.#parts.makeDecoder(this);
  }

  #decode(
    { bytes, loan, at, wall }: Extract<ReceiveItem, { kind: 'chunk' }>,
    thread: Thread,
  ): Promise<unknown> | undefined {
    const decoder = this.decoder();
    this.#quiet.chunk(decoder, at);
    this.#chunkWall = wall;
    const startedAt = this.#ctx.clock.now();
    try {
      decoder.push(bytes, at, wall, loan);
    } finally {
      this.#loopWatch = watchLoop(this.#loopWatch, this.#ctx, startedAt);
      this.#countFrames(decoder);
    }
    this.#quiet.arm(decoder);
    if (this.#drought !== 'over') this.#drought = lookForFrames(this.#drought, this.#ctx, bytes, at);
    const isBehind = decoder.backlog !== undefined && decoder.backlog >= WORKER_BACKLOG;
    return isBehind ? decoder.whenRoom?.(thread.abortSignal) : undefined;
  }

  /** No more bytes for now. `isLast`: nor ever for this decoder; a Worker is given the time to work off what it has. */
  #endOfInput(thread: Thread, isLast: boolean): Promise<void> | undefined {
    const { decoder } = this.#ctx;
    this.#quiet.cancel();
    this.#isInFrame = false;
    if (decoder === undefined) return undefined;
    this.#endPartial(decoder, 'end');
    return isLast || decoder.endsWithLink ? this.#retire(decoder, thread) : undefined;
  }

  #endPartial(decoder: DecodeHost, reason: FlushReason): void {
    decoder.flush(reason);
    this.#countFrames(decoder);
  }

  /** Lets go of a decoder. One that crashes over that is not closed: its successor takes over what it had not decoded. */
  #retire(decoder: DecodeHost, thread: Thread): Promise<void> | undefined {
    if (decoder.whenIdle === undefined) {
      this.#ctx.decoder = undefined;
      return undefined;
    }
    return decoder.whenIdle(thread.abortSignal).then((how) => {
      this.#countFrames(decoder);
      if (how === 'gone' && decoder.crash !== undefined) {
        this.#outlive(decoder.crash, thread);
        return this.#endOfInput(thread, true);
      }
      this.#ctx.decoder = undefined;
      return how === 'gone' ? undefined : decoder.close?.();
    });
  }

  /** The driver has crashed: throws that, if it is to end the thread. */
  #outlive(crash: unknown, thread: Thread): void {
    this.#lastCrashes ??= new LastCrashes(this.#ctx.clock, this.#parts);
    this.#lastCrashes.outlive(crash, thread);
    this.#leaveDecoder();
    this.#succeed();
  }

  #leaveDecoder(): void {
    const { decoder } = this.#ctx;
    if (decoder?.backlog) this.#left = decoder;
    else this.#isInFrame = decoder !== undefined && decoder.held > 0;
    this.#ctx.decoder = undefined;
  }

  /** What a Worker has left is decoded now, and not only when more comes: that may be from another link, or never. */
  #succeed(): void {
    if (this.#left === undefined) return;
    this.decoder();
    this.#left = undefined;
    this.#succeededAt = this.#ctx.flag.generation;
  }

  #onQuiet(at: number): void {
    const { decoder } = this.#ctx;
    if (decoder === undefined) return;
    this.#quiet.pass(decoder, at);
    this.#quiet.arm(decoder);
  }

  #countFrames(decoder: DecodeHost): void {
    const { frames } = decoder.stats;
    this.#ctx.counters.frames += frames - this.#framesBefore;
    this.#framesBefore = frames;
  }

  #queue(item: UpItem): void {
    // A session speaks when it likes, whether its line is paused or not.
    const outcome = this.#wayUp.put(item, this.#canPause && !this.#parts.hasSession);
    // What a Worker hands out may find this thread waiting for bytes.
    if (outcome === 'waits' && this.#ctx.decoder?.whenIdle !== undefined) this.#ctx.received.put({ kind: 'wake' });
  }
}
