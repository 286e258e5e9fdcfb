// A thread is a supervised loop: a label, a group, inboxes, a heartbeat, and two ways to be asked to stop. It runs on the
// event loop. `finish` means: take nothing new, work off what is there, return. `abort` means: return now.
//
//   created -> running -> finishing -> aborting -> ended (returned | crashed)

import type { Clock } from './clock.js';

/** A reason of our own: without one, every `abort` makes a DOMException with a stack, some 50 us each. */
const STOPPED = 'stopped';

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
}

/** Work of a thread: returns when it has really stopped. */
export type ThreadBody = (thread: Thread) => Promise<void>;

export interface ThreadView {
  readonly label: string;
  readonly state: ThreadState;
  /** What it is busy with, or `` when it waits for its inbox. */
  readonly doing: string;
  /** ms since it last made progress; 0 while it waits for its inbox. */
  readonly busyMs: number;
  readonly queued: number;
  readonly queuedWeight: number;
  readonly dropped: number;
}

export class Thread {
  readonly label: string;
  readonly groupId: string;
  readonly inboxes: readonly Inbox[];
  /** Resolves with how the thread ended; never rejects. */
  readonly done: Promise<ThreadExit>;
  #state: ThreadState = 'created';
  #doing = '';
  #beatAt: number;
  #finish: AbortController | undefined;
  #abort: AbortController | undefined;
  #failure: { readonly error: unknown } | undefined;
  #settle: (exit: ThreadExit) => void = () => {};
  readonly #clock: Clock;
  readonly #onFinish: (() => void) | undefined;

  /**
   * `onFinish` replaces the closing of the inboxes, for a thread that has something to take in before they close. If it
   * throws, the inboxes are closed after all and the thread ends as crashed.
   */
  constructor(options: {
    label: string;
    groupId: string;
    clock: Clock;
    inboxes?: readonly Inbox[];
    onFinish?: () => void;
  }) {
    this.label = options.label;
    this.groupId = options.groupId;
    this.inboxes = options.inboxes ?? [];
    this.#clock = options.clock;
    this.#onFinish = options.onFinish;
    this.#beatAt = options.clock.now();
    this.done = new Promise((resolve) => {
      this.#settle = resolve;
    });
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

  /** Runs `body`. Does nothing the second time, and for a thread that was asked to stop before. */
  start(body: ThreadBody): void {
    if (this.#state !== 'created') return;
    this.#state = 'running';
    this.#beatAt = this.#clock.now();
    // The body begins in a microtask, so that `start` cannot throw and threads of a group start in order.
    void Promise.resolve()
      .then(() => body(this))
      .then(
        () => this.#end({ how: 'returned' }),
        (error: unknown) => this.#end({ how: 'crashed', error }),
      );
  }

  /** Notes progress, and what the thread is about to do: a thread that says so and is not heard of again is stuck. */
  busy(doing: string): void {
    this.#doing = doing;
    this.#beatAt = this.#clock.now();
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
    if (this.#onFinish === undefined) this.closeInboxes();
    else this.#tellFinish(this.#onFinish);
    this.#finish?.abort(STOPPED);
  }

  /** Asks to stop at once. What is in the inboxes stays there, for the report. Idempotent. */
  abort(): void {
    this.finish();
    if (this.#state !== 'finishing') return;
    this.#state = 'aborting';
    this.closeInboxes();
    this.#abort?.abort(STOPPED);
  }

  /** For the group: nobody will take from these inboxes any more, so nobody may wait for room in them. */
  closeInboxes(): void {
    for (const inbox of this.inboxes) inbox.close();
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
    const busyMs = this.#doing === '' || this.#state === 'ended' ? 0 : this.#clock.now() - this.#beatAt;
    return { label: this.label, state: this.#state, doing: this.#doing, busyMs, queued, queuedWeight, dropped };
  }

  #tellFinish(onFinish: () => void): void {
    try {
      onFinish();
    } catch (error) {
      this.#failure = { error };
      this.closeInboxes();
    }
  }

  #end(exit: ThreadExit): void {
    this.#state = 'ended';
    this.#doing = '';
    this.#finish?.abort(STOPPED);
    this.#abort?.abort(STOPPED);
    this.#settle(exit.how === 'returned' && this.#failure ? { how: 'crashed', ...this.#failure } : exit);
  }
}

function abortedIf(isAborted: boolean): AbortController {
  const controller = new AbortController();
  if (isAborted) controller.abort(STOPPED);
  return controller;
}
