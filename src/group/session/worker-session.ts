// One session of a session driver, in a Worker of its own, seen from the main thread. The link stays here: its bytes go in, what the
// session writes comes out to `out.write`. Made by the receive thread when a link is up, gone with it.
//
//   push -> [pending] --bytes--> Worker: wire -> driver      loading -> opening -> open -> ending -> closed
//   out <-- write, readings, details ------/                           any but the last two -> crashed | unanswered

import type { Timer } from '../../core/clock.js';
import { channelProblem, type DecoderStats, type EncodedCommand } from '../../device/decoder.js';
import type { DriverCommand, SessionDriver } from '../../device/driver.js';
import type { FlushReason } from '../../device/framer.js';
import type { DecodeHost, DecodeSink, WorkerWait } from '../decode-host.js';
import { type DeviceWorkerOptions, WatchedWorker } from '../worker/watched-worker.js';
import { thrownInWorker, WorkerCrash } from '../worker/worker-crash.js';
import { portable } from '../worker/worker-values.js';
import { WorkerWaits } from '../worker/worker-waits.js';
import { SessionCommands } from './session-commands.js';
import { SessionIntake } from './session-intake.js';
import type { FromSession, SessionSetup, ToSession } from './session-protocol.js';

/** Bytes not read by the session at which the owner should stop pushing: see `whenRoom`. */
const MAX_BACKLOG = 128 * 1024;
/** What runs in the Worker. */
const ENTRY = new URL('./session-worker.js', import.meta.url);
/** Loading a driver and its libraries on a loaded board takes its time. */
const LOAD_MS = 20_000;
/** A device that has not answered by then does not. Drivers have limits of their own, which say more. */
const OPEN_MS = 30_000;
const HANG_MS = 5000;
/** A driver whose wire is full reads on, or is not going to: one that pauses it to think does not take so long. */
const READ_MS = 30_000;
/** Time for a session to let go of its timers, and for the last bytes to leave. */
const CLOSE_MS = 500;
const NO_BYTES = Buffer.alloc(0);

/** What a session is told about beside what it hands out. Called at most once each, but for `onDetails`. */
export interface SessionEvents {
  /** The session takes commands from now on. */
  readonly onReady: () => void;
  /** The device does not answer: weather. Nothing comes of this session any more. */
  readonly onUnanswered: (reason: string) => void;
  /** What the driver knows of the device, as JSON of an object. */
  readonly onDetails: (json: string) => void;
  /** The Worker has ended by itself, hung or thrown: a bug. */
  readonly onCrash: (crash: WorkerCrash) => void;
}

export interface WorkerSessionOptions extends DeviceWorkerOptions, Pick<SessionSetup, 'driver' | 'options'> {
  readonly out: DecodeSink;
  readonly events: SessionEvents;
  /** The driver's list of commands, to check `set/<channel>` against. */
  readonly commands?: SessionDriver['commands'];
  /** ms. Defaults 30,000, 30,000, 5000 and 500. */
  readonly openMs?: number;
  readonly readMs?: number;
  readonly hangMs?: number;
  readonly closeMs?: number;
}

type State = 'loading' | 'opening' | 'open' | 'ending' | 'crashing' | 'crashed' | 'unanswered' | 'closed';

export class WorkerSession implements DecodeHost {
  /** A session has no frames and no timers here. */
  readonly held = 0;
  readonly gapMs = undefined;
  readonly settleMs = undefined;
  readonly hasUnsettled = false;
  readonly endsWithLink = true;
  readonly #options: WorkerSessionOptions;
  readonly #worker: WatchedWorker<ToSession, FromSession>;
  readonly #commands = new SessionCommands();
  readonly #waits = new WorkerWaits(() => !this.#isAlive && this.#state !== 'crashing');
  readonly #junk = new Map<string, number>();
  #state: State = 'loading';
  #crash: WorkerCrash | undefined;
  #timer: Timer | undefined;
  /** While somebody waits for room: the end of the driver's time to read something. */
  #unread: Timer | undefined;
  /** Bytes of the session are on their way out. */
  #isWriting = false;
  readonly #intake = new SessionIntake();
  #readings = 0;

  /** Starts the Worker at once: a session may have to speak first. */
  constructor(options: WorkerSessionOptions) {
    this.#options = options;
    const { hangMs = HANG_MS } = options;
    this.#worker = new WatchedWorker(options, {
      kind: 'session',
      entry: ENTRY,
      setup: (pulse) => this.#setup(pulse),
      loadMs: LOAD_MS,
      hangMs,
      owes: () => true, // it owes a heartbeat
      onMessage: (message) => this.#onMessage(message),
      onFailure: (crash) => this.#fail(crash),
    });
    this.#worker.start();
  }

  get state(): State {
    return this.#state;
  }

  get stats(): DecoderStats {
    return { bytesIn: this.#intake.total, frames: 0, readings: this.#readings, junk: this.#junk };
  }

  get crash(): WorkerCrash | undefined {
    return this.#crash;
  }

  /** Bytes pushed and not read by the session. */
  get backlog(): number {
    return this.#intake.backlog;
  }

  push(bytes: Buffer): void {
    if (!this.#isAlive) return;
    this.#intake.add(bytes);
    this.#sendBytes();
  }

  /** `end`: the link is lost or the gateway ends. The session gets a short time to close. */
  flush(reason: FlushReason): void {
    if (reason !== 'end' || !this.#isAlive || this.#state === 'ending') return;
    const { clock, closeMs = CLOSE_MS } = this.#options;
    const wasOpen = this.#state === 'open';
    this.#state = 'ending';
    this.#commands.refuseAll(wasOpen ? CUT : LOST);
    this.#timer?.cancel();
    if (!wasOpen) {
      void this.close();
      return;
    }
    this.#sendBytes();
    this.#post({ kind: 'end' }, []);
    this.#timer = clock.after(closeMs, () => void this.close());
  }

  settle(): void {}

  /** The command waits until the session is open. `answer` is always given: at the latest when the session ends. */
  encodeCommand(command: DriverCommand): EncodedCommand {
    const problem = channelProblem(command, this.#options.commands);
    if (problem !== undefined) return { ok: false, reason: problem };
    if (!this.#isAlive || this.#state === 'ending') return { ok: false, reason: LOST };
    const { message, answer } = this.#commands.add(command);
    if (this.#state === 'open') this.#post(message, []);
    return { ok: true, payloads: [], answer };
  }

  cancelAnswer(): void {
    this.#commands.refuseAll('given up');
  }

  /** Resolves when the session has read enough that more may come. */
  whenRoom(signal?: AbortSignal): Promise<WorkerWait> {
    this.#boundReading();
    return this.#waits.until(() => this.backlog < MAX_BACKLOG, signal);
  }

  /** Resolves when the session has ended after `flush('end')`. */
  whenIdle(signal?: AbortSignal): Promise<WorkerWait> {
    return this.#waits.until(() => false, signal);
  }

  /** Ends the Worker at once, whatever it does. Idempotent. */
  async close(): Promise<void> {
    this.#commands.refuseAll(this.#state === 'open' ? CUT : LOST);
    if (this.#isAlive) this.#enter('closed');
    this.#waits.wake();
    await this.#end();
  }

  get #isAlive(): boolean {
    const { state } = this;
    return state === 'loading' || state === 'opening' || state === 'open' || state === 'ending';
  }

  #setup(pulse: SharedArrayBuffer): SessionSetup {
    const { driver, options } = this.#options;
    return { driver, options: portable(options), pulse };
  }

  #onMessage(message: FromSession): void {
    if (!this.#isAlive && this.#state !== 'crashing') return;
    switch (message.kind) {
      case 'loaded':
        this.#onLoaded();
        break;
      case 'open':
        this.#onOpen();
        break;
      case 'unanswered':
        this.#onUnanswered(message.reason);
        break;
      case 'closed':
        void this.close();
        break;
      case 'crashed':
        this.#fail(thrownInWorker(message));
        break;
      default:
        this.#handOut(message);
    }
  }

  #handOut(
    message: Extract<FromSession, { kind: 'taken' | 'write' | 'readings' | 'log' | 'details' | 'answer' }>,
  ): void {
    switch (message.kind) {
      case 'taken':
        this.#onTaken();
        break;
      case 'write':
        void this.#write(Buffer.from(message.bytes));
        break;
      case 'readings':
        this.#onReadings(message);
        break;
      case 'log':
        this.#tellLog(message);
        break;
      case 'details':
        this.#options.events.onDetails(message.json);
        break;
      case 'answer':
        this.#commands.answer(message.id, message.answer);
        break;
    }
  }

  #onLoaded(): void {
    if (this.#state !== 'loading') return;
    const { clock, openMs = OPEN_MS } = this.#options;
    this.#state = 'opening';
    this.#worker.loaded();
    this.#worker.watch();
    this.#timer = clock.after(openMs, () => this.#onUnanswered(`the device did not answer within ${openMs / 1000} s`));
  }

  #onOpen(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#timer?.cancel();
    for (const message of this.#commands.messages) this.#post(message, []);
    this.#options.events.onReady();
  }

  #onUnanswered(reason: string): void {
    if (!this.#isAlive || this.#state === 'ending') return;
    this.#commands.refuseAll(`${this.#state === 'open' ? CUT : 'not sent'}: ${reason}`);
    this.#enter('unanswered');
    this.#options.events.onUnanswered(reason);
    this.#waits.wake();
    void this.#end();
  }

  #onTaken(): void {
    this.#intake.taken();
    this.#boundReading();
    this.#sendBytes();
    this.#waits.wake();
  }

  /** A driver that never reads on would hold up its device for ever. Time while it opens, or its line takes no bytes, is not its own. */
  #boundReading(): void {
    this.#unread?.cancel();
    this.#unread = undefined;
    if (!this.#isAlive || this.backlog < MAX_BACKLOG) return;
    const { clock, readMs = READ_MS } = this.#options;
    this.#unread = clock.after(readMs, () => {
      this.#unread = undefined;
      if (this.#isWriting) return; // and again when the write has ended
      if (this.#state === 'open') this.#fail(unreadFor(readMs, this.backlog));
      else this.#boundReading();
    });
  }

  #sendBytes(): void {
    const bytes = this.#intake.batch();
    if (bytes !== undefined) this.#post({ kind: 'bytes', bytes }, [bytes]);
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#isWriting = true;
    const outcome = await this.#options.out.write?.(bytes, () => !this.#isAlive);
    this.#isWriting = false;
    if (this.#unread === undefined) this.#boundReading();
    if (this.#isAlive) this.#post({ kind: outcome === 'written' ? 'written' : 'cut' }, []);
  }

  #onReadings({ bytes, bounds, faults }: Extract<FromSession, { kind: 'readings' }>): void {
    const { out, clock } = this.#options;
    this.#readings += bounds.length >>> 1;
    if (bounds.length > 0) out.readings({ bytes: Buffer.from(bytes), bounds: Array.from(bounds) }, clock.wall());
    for (const fault of faults) {
      this.#junk.set('bad-reading', (this.#junk.get('bad-reading') ?? 0) + 1);
      out.junk(`bad-reading: ${fault}`, NO_BYTES, 0);
    }
    if (this.#isAlive) this.#post({ kind: 'heard' }, []);
  }

  #tellLog({ level, text, withheld }: Extract<FromSession, { kind: 'log' }>): void {
    this.#options.log[level]({ thread: 'session', ...(withheld > 0 && { withheld }) }, text);
  }

  /** The first one counts: what follows it are its consequences, up to the thread's exit. */
  #fail(crash: WorkerCrash): void {
    if (!this.#isAlive) return;
    // Of a session that is being ended it does not matter how it ends.
    if (this.#state === 'ending') {
      void this.close();
      return;
    }
    this.#crash = crash;
    this.#enter('crashing');
    void this.#end().then(() => {
      this.#enter('crashed');
      this.#commands.refuseAll(`the driver crashed on this command, or while it waited: ${crash.message}`);
      this.#waits.wake();
      this.#options.events.onCrash(crash);
    });
  }

  #enter(state: 'closed' | 'crashing' | 'crashed' | 'unanswered'): void {
    this.#state = state;
    this.#intake.clear();
  }

  async #end(): Promise<void> {
    this.#timer?.cancel();
    this.#unread?.cancel();
    await this.#worker.end();
  }

  #post(message: ToSession, transfer: readonly ArrayBuffer[]): void {
    this.#worker.post(message, transfer);
  }
}

const LOST = 'not sent: the link to the device has ended';
/** An open session has them: whoever reads "not sent" sends again, and the device would act twice. */
const CUT = 'sent, but its session ended before the device answered';

function unreadFor(ms: number, bytes: number): WorkerCrash {
  return new WorkerCrash(`the driver does not read its wire: ${bytes} bytes wait, none was taken for ${ms / 1000} s`);
}
