// A thread is a supervised loop: a label, a group, inboxes, a heartbeat, and two ways to be asked to stop. It runs on the
// event loop. `finish` means: take nothing new, work off what is there, return. `abort` means: return now.
//
//   created -> running -> finishing -> aborting -> ended (returned | crashed)

import type { Clock } from './clock.js';
import type { QueueReader } from './queue.js';

/** A reason of our own: without one, every `abort` makes a DOMException with a stack, some 50 us each. */
const STOPPED = 'stopped';

/** Threads are woken in its callbacks: a microtask for less than `queueMicrotask` takes, which makes an AsyncResource each. */
const NOW = Promise.resolve();

export type ThreadState = 'created' | 'running' | 'finishing' | 'aborting' | 'ended';

/** How a thread ended. A crash is a bug: the body threw. */
export type ThreadExit = { readonly how: 'returned' } | { readonly how: 'crashed'; readonly error: unknown };

/** What a thread needs to know of its inboxes; every MessageQueue fits. */
export interface Inbox {
  readonly length: number;
  readonly weight: number;
  readonly dropped: number;
  close(): void;
  drain(): unknown[];
  /** Absent where news are no concern of the thread: it waits for them itself. */
  readBy?(reader: QueueReader): void;
}

/** Work of a thread as one function: returns when it has really stopped. For threads of which there are few. */
export type ThreadBody = (thread: Thread) => Promise<void>;

/**
 * Work of a thread step by step. A thread that waits for its inboxes then holds no promise and no suspended function, some
 * 3 KiB for the three threads of a connection, and a message on its way through it costs no promise either.
 */
export interface ThreadSteps {
  /**
   * Does what there is to do. `idle`: again when an inbox has news, or the thread is to stop; `ended`: it has really stopped. A
   * promise: again when that resolves, and not before. Comes also without a cause. What it throws, or rejects with, is a crash.
   */
  step(thread: Thread): 'idle' | 'ended' | Promise<unknown>;
  /** Called once after the last step, also after a crash: lets go of what it holds. The thread has ended when it resolves. */
  leave?(thread: Thread, exit: ThreadExit): Promise<void> | undefined;
}

/** What a thread needs of whoever has made it. */
export interface ThreadHost {
  readonly id: string;
  readonly clock: Clock;
  /** Told when the thread has ended. Must not throw. */
  ended?(thread: Thread, exit: ThreadExit): void;
}

/** What a thread is. Kept as it is: a thread adds what changes. */
export interface ThreadParts {
  readonly label: string;
  readonly inboxes?: readonly Inbox[];
  /**
   * Replaces the closing of the inboxes, for a thread that has something to take in before they close. If it throws, the
   * inboxes are closed after all and the thread ends as crashed.
   */
  onFinish?(): void;
}

export interface ThreadView {
  readonly label: string;
  readonly state: ThreadState;
  /** See Thread. */
  readonly doing: string;
  readonly busyMs: number;
  readonly queued: number;
  readonly queuedWeight: number;
  readonly dropped: number;
}

export class Thread {
  readonly parts: ThreadParts;
  readonly #host: ThreadHost;
  #state: ThreadState = 'created';
  /** What is to be done next is a step, or it is under way. `waiting`: for a promise that a step has answered. */
  #turn: 'asleep' | 'due' | 'stepping' | 'waiting' = 'asleep';
  /** Woken during a step: it may have looked already. */
  #hasNews = false;
  #work: ThreadSteps | undefined;
  #doing = '';
  #beatAt = 0;
  #finish: AbortController | undefined;
  #abort: AbortController | undefined;
  #failure: { readonly error: unknown } | undefined;
  #exit: ThreadExit | undefined;
  #done: Promise<ThreadExit> | undefined;
  #settle: ((exit: ThreadExit) => void) | undefined;

  constructor(parts: ThreadParts, host: ThreadHost) {
    this.parts = parts;
    this.#host = host;
  }

  get label(): string {
    return this.parts.label;
  }

  get groupId(): string {
    return this.#host.id;
  }

  get inboxes(): readonly Inbox[] {
    return this.parts.inboxes ?? [];
  }

  /** Resolves with how the thread ended; never rejects. */
  get done(): Promise<ThreadExit> {
    this.#done ??=
      this.#exit === undefined
        ? new Promise((resolve) => {
            this.#settle = resolve;
          })
        : Promise.resolve(this.#exit);
    return this.#done;
  }

  get state(): ThreadState {
    return this.#state;
  }

  get isStopping(): boolean {
    return this.#state !== 'created' && this.#state !== 'running';
  }

  /** Aborts when the thread is asked to finish, or has ended. Made on first use: most threads see their inbox close instead. */
  get finishSignal(): AbortSignal {
    this.#finish ??= abortedIf(this.isStopping);
    return this.#finish.signal;
  }

  /** Aborts when the thread must return at once, or has ended: what it began on the side ends with it. */
  get abortSignal(): AbortSignal {
    this.#abort ??= abortedIf(this.#state === 'aborting' || this.#state === 'ended');
    return this.#abort.signal;
  }

  /** Begins to work. Does nothing the second time, and for a thread that was asked to stop before. */
  start(work: ThreadBody | ThreadSteps): void {
    if (this.#state !== 'created') return;
    this.#state = 'running';
    this.#work = typeof work === 'function' ? new OneStep(work) : work;
    for (const inbox of this.inboxes) inbox.readBy?.(this);
    this.wake();
  }

  /** There may be something to do. The step is taken in a microtask: whoever wakes a thread goes on as if nothing had been. */
  wake(): void {
    if (this.#turn === 'stepping') this.#hasNews = true;
    if (this.#turn !== 'asleep' || this.#work === undefined) return;
    this.#turn = 'due';
    void NOW.then(() => this.#step());
  }

  /** Notes progress, and what the thread is about to do: a thread that says so and is not heard of again is stuck. */
  busy(doing: string): void {
    if (this.#state === 'ended') return; // said by what it had begun on the side
    this.#doing = doing;
    this.#beatAt = this.#host.clock.now();
  }

  /** What it is busy with is up to somebody else now, and bounded by itself: however long it takes, it is no sign of trouble. */
  waiting(): void {
    this.#beatAt = Number.POSITIVE_INFINITY;
  }

  /** Notes that the thread waits for work; that may take for ever and is no sign of trouble. */
  idle(): void {
    this.#doing = '';
  }

  /** Asks to stop after the work at hand: closes the inboxes, fires `finishSignal`. Idempotent. */
  finish(): void {
    if (this.#state === 'created') {
      this.closeInboxes();
      this.#end({ how: 'returned' });
      return;
    }
    if (this.#state !== 'running') return;
    this.#state = 'finishing';
    if (this.parts.onFinish === undefined) this.closeInboxes();
    else this.#tellFinish();
    this.#finish?.abort(STOPPED);
    this.wake();
  }

  /** Asks to stop at once. What is in the inboxes stays there, for the report. Idempotent. */
  abort(): void {
    this.finish();
    if (this.#state !== 'finishing') return;
    this.#state = 'aborting';
    this.closeInboxes();
    this.#abort?.abort(STOPPED);
    this.wake();
  }

  /** For the group: nobody will take from these inboxes any more, so nobody may wait for room in them. */
  closeInboxes(): void {
    for (const inbox of this.inboxes) inbox.close();
  }

  /** What it is busy with, or `` when it waits for its inbox. */
  get doing(): string {
    return this.#doing;
  }

  /** ms since it last made progress; 0 while it waits, and when it has ended. */
  get busyMs(): number {
    return this.#doing === '' ? 0 : Math.max(0, this.#host.clock.now() - this.#beatAt);
  }

  view(): ThreadView {
    let queued = 0;
    let queuedWeight = 0;
    let dropped = 0;
    for (const inbox of this.inboxes) {
      queued += inbox.length;
      queuedWeight += inbox.weight;
      dropped += inbox.dropped;
    }
    const { label, state, doing, busyMs } = this;
    return { label, state, doing, busyMs, queued, queuedWeight, dropped };
  }

  #tellFinish(): void {
    try {
      this.parts.onFinish?.();
    } catch (error) {
      this.#failure = { error };
      this.closeInboxes();
    }
  }

  #step(): void {
    this.#turn = 'stepping';
    this.#hasNews = false;
    try {
      const outcome = this.#work?.step(this) ?? 'ended';
      if (outcome === 'ended') void this.#leave({ how: 'returned' });
      else if (outcome === 'idle') this.#sleep();
      else this.#await(outcome);
    } catch (error) {
      void this.#leave({ how: 'crashed', error });
    }
  }

  #sleep(): void {
    this.#turn = 'asleep';
    if (this.#hasNews) this.wake();
  }

  #await(work: Promise<unknown>): void {
    this.#turn = 'waiting';
    work.then(
      () => this.#step(),
      (error: unknown) => void this.#leave({ how: 'crashed', error }),
    );
  }

  async #leave(exit: ThreadExit): Promise<void> {
    this.#turn = 'waiting';
    try {
      await this.#work?.leave?.(this, exit);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#end(exit);
  }

  #end(exit: ThreadExit): void {
    this.#state = 'ended';
    this.#work = undefined;
    this.#doing = '';
    this.#finish?.abort(STOPPED);
    this.#abort?.abort(STOPPED);
    this.#exit = exit.how === 'returned' && this.#failure ? { how: 'crashed', ...this.#failure } : exit;
    this.#settle?.(this.#exit);
    this.#host.ended?.(this, this.#exit);
  }
}

/** A body is one long step. */
class OneStep implements ThreadSteps {
  #body: ThreadBody | undefined;

  constructor(body: ThreadBody) {
    this.#body = body;
  }

  step(thread: Thread): 'ended' | Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    return body?.(thread) ?? 'ended';
  }
}

function abortedIf(isAborted: boolean): AbortController {
  const controller = new AbortController();
  if (isAborted) controller.abort(STOPPED);
  return controller;
}
