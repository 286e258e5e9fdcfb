// Framer and driver of one device in a Worker of their own, seen from the main thread. Takes what a Decoder takes and hands out the
// same, later and in order. Made anew after each crash, by its owner, with the one before as `previous`.
//
//   push -> [backlog] --batch--> Worker: framer -> driver
//   out <---------- decoded -------/       one batch out; what comes meanwhile gathers: a busy Worker gets bigger batches

import type { FramingConfig } from '../../config/framing-schema.js';
import type { ConnectionFlag } from '../../core/connection-flag.js';
import { messageOf } from '../../core/errors.js';
import type { DecoderStats, EncodedCommand } from '../../device/decoder.js';
import type { DriverCommand } from '../../device/driver.js';
import type { FlushReason, FrameSink } from '../../device/framer.js';
import { makeFramer } from '../../device/make-framer.js';
import type { DecodeHost, DecodeSink, WorkerWait } from '../decode-host.js';
import { type DeviceWorkerOptions, WatchedWorker } from './watched-worker.js';
import { WorkerBacklog } from './worker-backlog.js';
import { type DecodeEntry, packBatch } from './worker-batch.js';
import { WorkerCommands } from './worker-commands.js';
import { thrownInWorker, WorkerCrash } from './worker-crash.js';
import type { DecodedMessage, FromWorker, Result, ToWorker, WorkerSetup } from './worker-protocol.js';
import { portable } from './worker-values.js';
import { WorkerWaits } from './worker-waits.js';

/** Bytes not decoded at which the owner should stop pushing: see `whenRoom`. */
export const WORKER_BACKLOG = 128 * 1024;

/** What runs in the Worker. */
const ENTRY = new URL('./decode-worker.js', import.meta.url);
const HANG_MS = 2000;
/** Loading a driver on a loaded board takes its time. */
const LOAD_MS = 10_000;
const MAX_JUNK_BYTES = 1024;
const MAX_REASON_CHARS = 200;
const NO_BYTES = Buffer.alloc(0);
const NO_STATS: DecoderStats = { bytesIn: 0, frames: 0, readings: 0, junk: new Map() };

export interface WorkerDecoderOptions extends DeviceWorkerOptions, Pick<WorkerSetup, 'driver' | 'options' | 'framing'> {
  readonly out: DecodeSink;
  readonly flag: ConnectionFlag;
  /** Called once if the Worker ends by itself, hangs or crashes, when its last results have been handed out. */
  readonly onCrash: (crash: WorkerCrash) => void;
  /** The one before, that has crashed: what it had not decoded is decoded here first. */
  readonly previous?: WorkerDecoder | undefined;
  /** ms without progress after which the Worker is terminated. Default 2000. */
  readonly hangMs?: number;
}

/** `ending`: crashed, and what it has still sent is being taken in. */
type State = 'idle' | 'starting' | 'ready' | 'ending' | 'crashed' | 'closed';

export class WorkerDecoder implements DecodeHost {
  /** The Worker has its own timers. */
  readonly gapMs = undefined;
  readonly settleMs = undefined;
  readonly hasUnsettled = false;
  readonly #options: Omit<WorkerDecoderOptions, 'previous'>;
  readonly #backlog = new WorkerBacklog();
  readonly #worker: WatchedWorker<ToWorker, FromWorker>;
  readonly #commands = new WorkerCommands();
  readonly #waits = new WorkerWaits(() => this.#state === 'crashed' || this.#state === 'closed');
  #state: State = 'idle';
  #crash: WorkerCrash | undefined;
  #isSendDue = false;
  #lastWall = 0;
  #stats = NO_STATS;
  #lostBytes = 0;
  /** What is decoded ends inside a frame. */
  #isInFrame = false;

  /** The one before is asked for its backlog here and not kept: each of them would keep all that were before it. */
  constructor({ previous, ...options }: WorkerDecoderOptions) {
    this.#options = options;
    const { hangMs = HANG_MS } = options;
    this.#worker = new WatchedWorker(options, {
      kind: 'decode',
      entry: ENTRY,
      setup: (pulse) => this.#setup(pulse),
      loadMs: LOAD_MS,
      hangMs,
      owes: () => this.#backlog.isOut || this.#commands.size > 0,
      onMessage: (message) => this.#onMessage(message),
      onFailure: (crash) => this.#fail(crash),
    });
    if (previous?.state === 'crashed') this.#takeOver(previous);
  }

  get state(): State {
    return this.#state;
  }

  /** Nothing, but for one that has crashed inside a frame and left no bytes: the next one is to be told of that by its owner. */
  get held(): number {
    return this.#state === 'crashed' && this.#isInFrame ? 1 : 0;
  }

  get stats(): DecoderStats {
    return this.#stats;
  }

  /** Bytes pushed and neither decoded nor lost. The owner keeps it near WORKER_BACKLOG by waiting for `whenRoom`. */
  get backlog(): number {
    return this.#backlog.bytes;
  }

  get crash(): WorkerCrash | undefined {
    return this.#crash;
  }

  /** Bytes that the Worker was at when it crashed, or that waited when it was closed. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Never throws: bytes for a Worker that has crashed wait for the next one. */
  push(bytes: Buffer, at: number, wall: number): void {
    this.#add({ act: 'push', bytes, at, wall });
  }

  flush(reason: FlushReason): void {
    this.#act(reason);
  }

  settle(): void {
    this.#act('settle');
  }

  /** Rejects with a WorkerCrash if the Worker crashes before it has answered. */
  encodeCommand(command: DriverCommand): Promise<EncodedCommand> {
    if (this.#state === 'closed') return Promise.resolve(NOT_SENT);
    if (this.#crash) return Promise.reject(this.#crash);
    const { message, encoded } = this.#commands.add(command);
    this.#start();
    if (this.#state === 'ready') this.#post(message, []);
    return encoded;
  }

  /** The Worker answers for the command, as one that nobody waits for. */
  cancelAnswer(): void {
    if (this.#state === 'ready') this.#post({ kind: 'cancel' }, []);
  }

  /** The same for one that would come too late. */
  takeAnswerAsReading(): void {
    if (this.#state === 'ready') this.#post({ kind: 'late' }, []);
  }

  /** Resolves when the backlog is below WORKER_BACKLOG. */
  whenRoom(signal?: AbortSignal): Promise<WorkerWait> {
    return this.#waits.until(() => this.#backlog.bytes < WORKER_BACKLOG, signal);
  }

  /** Resolves when all that was pushed before this call is decoded and handed out. */
  whenIdle(signal?: AbortSignal): Promise<WorkerWait> {
    const { added } = this.#backlog;
    return this.#waits.until(() => this.#backlog.gone >= added, signal);
  }

  /**
   * Ends the Worker, at once, whatever it does. Idempotent. Resolves when its thread has ended, or after 1 s. One that has crashed
   * need not be closed; if it is, it leaves nothing to a next one.
   */
  async close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#lostBytes += this.#backlog.bytes;
      this.#backlog.drain();
      this.#commands.closeAll(NOT_SENT);
      this.#waits.wake();
    }
    await this.#worker.end();
  }

  #takeOver(previous: WorkerDecoder): void {
    const hasBytes = previous.backlog > 0;
    const left = previous.#backlog.drain();
    if (!hasBytes) return;
    if (previous.#isInFrame) this.flush('hole'); // the beginning of that frame is gone with it
    for (const entry of left) this.#add(entry);
  }

  #act(act: FlushReason | 'settle'): void {
    if (this.#state === 'idle' && this.#backlog.isEmpty && act !== 'hole') return; // nothing to end
    const { clock } = this.#options;
    this.#add({ act, bytes: NO_BYTES, at: clock.now(), wall: clock.wall() });
  }

  #add(entry: DecodeEntry): void {
    if (this.#state === 'closed') {
      this.#lostBytes += entry.bytes.length;
      return;
    }
    this.#backlog.add(entry);
    if (entry.act === 'push') this.#worker.pulse.countPush();
    this.#start();
    this.#sendSoon();
  }

  /** Chunks that come in the same turn travel together. */
  #sendSoon(): void {
    if (this.#state !== 'ready' || this.#isSendDue || this.#backlog.isOut) return;
    this.#isSendDue = true;
    queueMicrotask(() => {
      this.#isSendDue = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#state !== 'ready') return;
    const entries = this.#backlog.sendable();
    if (entries === undefined) return;
    const batch = packBatch(entries, this.#options.clock.now());
    this.#post(batch, [batch.bytes]);
  }

  #post(message: ToWorker, transfer: readonly ArrayBuffer[]): void {
    this.#worker.post(message, transfer);
    this.#worker.watch();
  }

  #start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'starting';
    this.#worker.start();
  }

  #setup(pulse: SharedArrayBuffer): WorkerSetup {
    const { driver, options, framing, flag } = this.#options;
    return { driver, options: portable(options), framing: portable(framing), pulse, flag: flag.buffer };
  }

  #onMessage(message: FromWorker): void {
    if (this.#state === 'closed' || this.#state === 'crashed') return;
    switch (message.kind) {
      case 'ready':
        this.#onReady();
        break;
      case 'decoded':
        this.#onDecoded(message);
        break;
      case 'encoded':
      case 'answered':
        this.#commands.take(message);
        break;
      case 'crashed':
        this.#fail(thrownInWorker(message));
        break;
    }
  }

  #onReady(): void {
    this.#worker.loaded();
    if (this.#state !== 'starting') return;
    this.#state = 'ready';
    for (const message of this.#commands.messages) this.#post(message, []);
    this.#send();
  }

  #onDecoded({ upTo, bytes, results, stats, isInFrame }: DecodedMessage): void {
    const lines = Buffer.from(bytes);
    this.#stats = stats;
    this.#isInFrame = isInFrame;
    try {
      for (const result of results) this.#handOut(result, lines);
    } catch (error) {
      // A bug of ours rather than the driver's; in a message handler nobody else would catch it.
      this.#fail(new WorkerCrash(`readings could not be handed out: ${messageOf(error)}`, { cause: error }));
    }
    if (upTo > 0) {
      this.#lastWall = this.#backlog.entry(upTo - 1)?.wall ?? this.#lastWall;
      this.#backlog.through(upTo);
    }
    this.#send();
    this.#waits.wake();
  }

  #handOut(result: Result, bytes: Buffer): void {
    const { out } = this.#options;
    if (result.kind === 'readings') {
      const wall = this.#backlog.entry(result.entry)?.wall ?? this.#lastWall;
      out.readings({ bytes, bounds: Array.from(result.bounds) }, wall);
    } else out.junk(result.reason, bytes.subarray(result.start, result.end), result.droppedBytes);
  }

  /** The first one counts: what follows it are its consequences, up to the thread's exit. */
  #fail(crash: WorkerCrash): void {
    if (this.#state !== 'starting' && this.#state !== 'ready') return;
    this.#state = 'ending';
    this.#crash = crash;
    void this.#worker.end().then(() => this.#tellCrash(crash));
  }

  #tellCrash(crash: WorkerCrash): void {
    if (this.#state === 'ending') {
      this.#state = 'crashed';
      this.#reportLost(crash);
    }
    if (this.#backlog.bytes === 0) this.#isInFrame = this.#backlog.endsInFrame(this.#isInFrame);
    this.#commands.rejectAll(crash);
    this.#waits.wake();
    if (this.#state === 'crashed') this.#options.onCrash(crash);
  }

  /** The chunk that the Worker was at is not tried again: it may be what the driver crashes on. */
  #reportLost(crash: WorkerCrash): void {
    const { at } = this.#worker.pulse;
    const lost = this.#backlog.lose(at);
    if (lost === undefined || lost.bytes.length === 0) return;
    this.#backlog.replace(at, this.#standIn(lost));
    this.#lostBytes += lost.bytes.length;
    const head = Buffer.from(lost.bytes.subarray(0, MAX_JUNK_BYTES));
    this.#options.out.junk(
      `crashed: ${crash.message}`.slice(0, MAX_REASON_CHARS),
      head,
      lost.bytes.length - head.length,
    );
  }

  /** In the place of a lost chunk: a frame that began before it is not joined to what comes behind it, nor is a tail taken for one. */
  #standIn({ bytes, ...entry }: DecodeEntry): DecodeEntry {
    return { ...entry, act: endsFrame(this.#options.framing, bytes) ? 'end' : 'hole', bytes: NO_BYTES };
  }
}

/** Whether these bytes end with the end of a frame, as far as they tell without those before them. */
function endsFrame(framing: FramingConfig, bytes: Buffer): boolean {
  if (framing.type === 'regex') return false; // may be the pattern that the Worker was stuck in
  const framer = makeFramer(framing);
  framer.flush('hole', NOBODY);
  framer.push(bytes, NOBODY);
  return framer.held === 0;
}

const NOBODY: FrameSink = { frame: () => {}, junk: () => {} };
const NOT_SENT: EncodedCommand = { ok: false, reason: 'not sent: the device is being closed' };
