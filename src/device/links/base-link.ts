// What every link shares, so that each kind holds only its own system calls: chunks in order, loss told exactly once and
// nothing after it, writes that always settle, the idle watch, and the end of intake at a shutdown.
//
//   attach -> deliver(chunk)* -> lose(trouble) -> [pending writes: 'lost'] -> onLost -> release() frees the descriptor

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, sleep } from '../../core/clock.js';
import type { Loan } from '../../core/loan.js';
import type { Link, LinkHandlers, LinkLoss, LinkTrouble, WriteOutcome } from '../link.js';
import { IdleWatch, type Quiet } from './idle-watch.js';

/** Intake is over once nothing came for this long: longer than the kernel needs to hand over what it already has. */
const QUIET_MS = 20;
/** `close()` answers after this long even where the system still holds on to the descriptor (a driver that waits). */
const RELEASE_MS = 1000;

export interface BaseLinkOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Nothing received for this long (ms): the link is lost as `idle`. 0 = never. */
  readonly idleTimeoutMs: number;
  /** Who notices that, for many links of the same timeout. Default: one of its own. */
  readonly idleWatch?: IdleWatch | undefined;
}

type Settle = (outcome: WriteOutcome) => void;

export abstract class BaseLink implements Link, Quiet {
  readonly name: string;
  abstract readonly canPause: boolean;
  abstract readonly isSerial: boolean;
  protected readonly clock: Clock;
  readonly #idle: IdleWatch | undefined;
  #handlers: LinkHandlers | undefined;
  #loss: LinkLoss | undefined;
  #released: Promise<void> | undefined;
  #unsettled: Set<Settle> | undefined;
  #chunks = 0;
  #lastChunkAt = 0;
  #isPaused = false;
  #isIntakeOver = false;

  constructor(options: BaseLinkOptions) {
    this.name = options.name;
    this.clock = options.clock;
    if (options.idleTimeoutMs > 0)
      this.#idle = options.idleWatch ?? new IdleWatch(options.clock, options.idleTimeoutMs);
  }

  /** Lets bytes flow to `deliver`; called again after `stopReading`. */
  protected abstract startReading(): void;
  protected abstract stopReading(): void;
  /** Hands `bytes` to the system; `done` once they are out. Not called on a lost link. */
  protected abstract send(bytes: Uint8Array, done: Settle): void;
  /** Frees the descriptor. Called once, right after the loss was noted; must not deliver any more. */
  protected abstract release(trouble: LinkTrouble): Promise<void>;

  protected get isLost(): boolean {
    return this.#loss !== undefined;
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    if (this.#loss) {
      const loss = this.#loss;
      queueMicrotask(() => handlers.onLost(loss));
      return;
    }
    this.#lastChunkAt = this.clock.now();
    this.#idle?.add(this);
    this.startReading();
  }

  write(bytes: Uint8Array): Promise<WriteOutcome> {
    if (this.#loss) return Promise.resolve('lost');
    this.#unsettled ??= new Set();
    const unsettled = this.#unsettled;
    return new Promise((resolve) => {
      unsettled.add(resolve);
      this.send(bytes, (outcome) => {
        unsettled.delete(resolve);
        resolve(outcome);
      });
    });
  }

  pause(): void {
    if (!this.canPause || this.#isIntakeOver || this.#loss) return;
    this.#isPaused = true;
    this.stopReading();
  }

  resume(): void {
    if (!this.canPause || this.#isIntakeOver || this.#loss) return;
    this.#isPaused = false;
    this.#lastChunkAt = this.clock.now(); // while we did not listen, the peer was not silent
    this.startReading();
  }

  async finishIntake(maxMs: number): Promise<void> {
    if (this.#isIntakeOver) return;
    this.resume();
    await this.settleIntake(this.clock.now() + maxMs);
    this.#isIntakeOver = true;
    this.#idle?.remove(this);
    if (!this.#loss) this.stopReading();
  }

  async close(): Promise<void> {
    this.lose('closed', `${this.name} closed`);
    if (!this.#released) return;
    const released = this.#released;
    // Ends on its own timer where the system is slow to let go; that timer must not outlive the wait.
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(RELEASE_MS, resolve);
      void released.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** For the idle watch; while we do not listen, the peer is not silent. */
  get quietSince(): number | undefined {
    return this.#isPaused ? undefined : this.#lastChunkAt;
  }

  onIdle(): void {
    const seconds = (this.#idle?.timeoutMs ?? 0) / 1000;
    this.lose('idle', `${this.name}: nothing received for ${seconds} s (idle_timeout)`);
  }

  /** Hands bytes on, which may be on loan. To be called by the implementation for each read, never after `lose`. */
  protected deliver(chunk: Buffer, loan?: Loan): void {
    if (this.#loss || this.#isIntakeOver) return;
    this.#chunks++;
    if (this.#idle !== undefined) this.#lastChunkAt = this.clock.now();
    this.#handlers?.onChunk(chunk, loan);
  }

  /** Notes the loss, once: settles writes, tells the owner, frees the descriptor. */
  protected lose(trouble: LinkTrouble, detail: string): void {
    if (this.#loss) return;
    this.#loss = { trouble, detail };
    this.#idle?.remove(this);
    this.#released = this.release(trouble);
    for (const settle of this.#unsettled ?? []) settle('lost');
    this.#unsettled = undefined;
    this.#handlers?.onLost(this.#loss);
  }

  /** Resolves once a quiet spell passed with a full turn of the event loop in it: a busy loop is no quiet line, nor is a pause of ours. */
  protected async settleIntake(deadline: number): Promise<void> {
    let seen: number;
    do {
      seen = this.#chunks;
      await sleep(this.clock, Math.max(0, Math.min(QUIET_MS, deadline - this.clock.now())));
      await nextTurn();
    } while (!this.#loss && (this.#isPaused || this.#chunks !== seen) && this.clock.now() < deadline);
  }
}
