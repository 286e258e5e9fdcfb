// A group of threads that live and die together: the threads of one device, or of the uplink. Groups nest. Ending one has
// three steps, and any thread may take the first:
//
//   close(reason)    asks and returns at once: children first, then the threads in reverse order of their start, each
//                    given the time to finish before the next is asked
//   wait(timeoutMs)  answers who stopped and who is stuck; never rejects
//   cleanup()        aborts whoever is left and releases what the group holds, in reverse order; legal after any wait
//
// The callbacks in the options are told what happened; they must not throw.

import type { Clock } from './clock.js';
import { FerruleError, messageOf } from './errors.js';
import { GROUP_TRANSITIONS, type GroupState } from './lifecycle.js';
import { StateMachine, type Transition } from './state-machine.js';
import {
  Thread,
  type ThreadBody,
  type ThreadExit,
  type ThreadHost,
  type ThreadParts,
  type ThreadSteps,
  type ThreadView,
} from './thread.js';

/**
 * How to make a thread, and to make it again after a crash: what it is, and its work, as a body or step by step. The inboxes
 * outlive a crash, and what is in them too. With `onFinish` the work must end all the same.
 */
export type ThreadSpec = ThreadParts & ({ readonly body: ThreadBody } | ThreadSteps);

export interface StuckThread {
  readonly group: string;
  readonly thread: string;
  readonly doing: string;
  readonly busyMs: number;
}

export interface Leftover {
  readonly group: string;
  readonly thread: string;
  readonly items: number;
}

/** What `wait` found. `stuck` and `left` cover the children too. */
export interface CloseReport {
  readonly group: string;
  readonly ended: boolean;
  readonly stuck: readonly StuckThread[];
  readonly left: readonly Leftover[];
}

export interface GroupView {
  readonly id: string;
  readonly state: GroupState;
  /** Wall-clock ms since when. */
  readonly since: number;
  readonly reason: string;
  readonly threads: readonly ThreadView[];
  readonly children: readonly GroupView[];
  readonly history: readonly Transition<GroupState>[];
  /** Whatever the owner of the group counts. */
  readonly counters: Readonly<Record<string, unknown>>;
}

/** Kept as it is, and its functions are called as its methods: an owner of thousands of groups can be one itself. */
export interface ThreadGroupOptions {
  readonly id: string;
  readonly clock: Clock;
  onTransition?(transition: Transition<GroupState>): void;
  /** A thread's body threw. The group goes on with the others until its owner decides. */
  onCrash?(thread: Thread, error: unknown): void;
  /** Called once, after cleanup. */
  onClosed?(): void;
  /** Whatever the owner counts, for the view of the group. */
  figures?(): Record<string, unknown>;
}

/** Thrown by `cleanup` when something registered for release threw. Everything else has been released. */
export class CleanupFailed extends FerruleError {
  constructor(group: string, errors: readonly unknown[]) {
    const cause = new AggregateError(errors);
    super('cleanup-failed', `group ${group}: not released cleanly: ${errors.map(messageOf).join('; ')}`, { cause });
  }
}

export class ThreadGroup implements ThreadHost {
  readonly id: string;
  readonly state: StateMachine<GroupState>;
  /** Replaced, not changed. With `concat` each time: a spread or a push makes room for sixteen more. */
  #threads: readonly Thread[] = [];
  /** Those that are being taken out, so that nothing may be put in their place. */
  #leaving: Set<Thread> | undefined;
  #children: Map<string, ThreadGroup> | undefined;
  #releases: (() => void)[] | undefined;
  readonly #options: ThreadGroupOptions;
  #isStarted = false;
  #isClosing = false;
  #isCleaning = false;
  /** The end of all threads; set by `close`. Never rejects. */
  #closing: Promise<void> | undefined;
  #parent: ThreadGroup | undefined;

  constructor(options: ThreadGroupOptions) {
    this.id = options.id;
    this.#options = options;
    this.state = new StateMachine({
      owner: `group ${options.id}`,
      table: GROUP_TRANSITIONS,
      initial: 'idle',
      clock: options.clock,
      onChange: (transition) => options.onTransition?.(transition),
    });
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get children(): readonly ThreadGroup[] {
    return this.#children === undefined ? [] : [...this.#children.values()];
  }

  get childCount(): number {
    return this.#children?.size ?? 0;
  }

  /**
   * Adds a thread; it starts with the group, or at once if the group runs. Refused (`undefined`) while closing, and while
   * another thread has that label: one that ends by itself keeps its label until `remove`.
   */
  add(spec: ThreadSpec): Thread | undefined {
    if (this.#isClosing || this.thread(spec.label) !== undefined) return undefined;
    const thread = new Thread(spec, this);
    this.#threads = this.#threads.concat(thread);
    if (this.#isStarted) this.#run(thread);
    return thread;
  }

  /** Takes a thread out that was added to the running group: asks it to finish; resolves when it has ended. */
  async remove(label: string): Promise<void> {
    const thread = this.thread(label);
    if (thread === undefined) return;
    this.#leaving ??= new Set();
    this.#leaving.add(thread);
    thread.finish();
    await thread.done;
    thread.closeInboxes(); // also those of one that had crashed before
    this.#threads = this.#threads.filter((other) => other !== thread);
    this.#leaving.delete(thread);
  }

  /** Puts a new thread in the place of one that has crashed, on the same inboxes. Does nothing while closing. */
  restart(label: string): void {
    const before = this.thread(label);
    if (before === undefined || this.#leaving?.has(before) || this.#isClosing || before.state !== 'ended') return;
    const thread = new Thread(before.parts, this);
    this.#threads = this.#threads.map((other) => (other === before ? thread : other));
    this.#run(thread);
  }

  thread(label: string): Thread | undefined {
    return this.#threads.find((thread) => thread.label === label);
  }

  /** Adopts a child: closed before this group's own threads. False while either closes, or if its id is taken. */
  adopt(child: ThreadGroup): boolean {
    if (this.#isClosing || child.#isClosing || this.#children?.has(child.id)) return false;
    this.#children ??= new Map();
    child.#parent = this;
    this.#children.set(child.id, child);
    return true;
  }

  /**
   * Something to be released by `cleanup`, once the threads have ended or been told to abort; last registered, first
   * released. Released at once if the cleanup is over: what was opened too late is not forgotten.
   */
  onCleanup(release: () => void): void {
    this.#releases ??= [];
    if (this.state.state === 'closed') release();
    else this.#releases.push(release);
  }

  /** Starts the threads in the order in which they were added. */
  start(): void {
    if (this.#isStarted || this.#isClosing) return;
    this.#isStarted = true;
    for (const thread of this.#threads) this.#run(thread);
  }

  /** Asks everything in the group to finish. Returns at once; idempotent. */
  close(reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true; // before the transition is told: who hears of it may call close again
    try {
      this.state.go('closing', reason);
    } finally {
      this.#closing = this.#finishAll(reason);
    }
  }

  /** Waits for the end of all threads, at most `timeoutMs`, and tells how it went. Never rejects. */
  async wait(timeoutMs: number): Promise<CloseReport> {
    await this.#within(this.#closing ?? this.#allEnded(), timeoutMs);
    const stuck = this.#stuck();
    return { group: this.id, ended: stuck.length === 0, stuck, left: this.#left() };
  }

  /**
   * Aborts what still runs, releases what the group holds. Idempotent, also without a `close` before. A release must not
   * throw; if one does, the cleanup is completed all the same and the error thrown at its end.
   */
  cleanup(): void {
    if (this.#isCleaning) return;
    this.#isCleaning = true;
    this.close('cleanup');
    const errors: unknown[] = [];
    for (const child of this.children) attempt(() => child.cleanup(), errors);
    for (const thread of [...this.#threads].reverse()) thread.abort();
    for (let release = this.#releases?.pop(); release !== undefined; release = this.#releases?.pop())
      attempt(release, errors);
    this.state.go('closed', this.state.reason);
    this.#parent?.disown(this);
    this.#options.onClosed?.();
    if (errors.length > 0) throw new CleanupFailed(this.id, errors);
  }

  view(): GroupView {
    return {
      id: this.id,
      state: this.state.state,
      since: this.state.since,
      reason: this.state.reason,
      threads: this.#threads.map((thread) => thread.view()),
      children: this.children.map((child) => child.view()),
      history: this.state.history,
      counters: this.figures(),
    };
  }

  /** For its threads. */
  get clock(): Clock {
    return this.#options.clock;
  }

  /** The same: one of them has ended. */
  ended(thread: Thread, exit: ThreadExit): void {
    if (this.#isClosing) thread.closeInboxes(); // nobody will be put in its place: free those who wait for room
    if (exit.how === 'crashed') this.#options.onCrash?.(thread, exit.error);
  }

  /** The group that this one is a child of. */
  get parent(): ThreadGroup | undefined {
    return this.#parent;
  }

  /** What the owner counts. */
  figures(): Readonly<Record<string, unknown>> {
    return this.#options.figures?.() ?? {};
  }

  /** Threads that have been busy with one thing for longer than this, ms; those of children too. Costs little for thousands. */
  overdue(limitMs: number, found: StuckThread[] = []): StuckThread[] {
    for (const { label, doing, busyMs } of this.#threads) {
      if (busyMs > limitMs) found.push({ group: this.id, thread: label, doing, busyMs });
    }
    if (this.#children !== undefined) for (const child of this.#children.values()) child.overdue(limitMs, found);
    return found;
  }

  /** Forgets a child that has closed. */
  disown(child: ThreadGroup): void {
    if (this.#children?.get(child.id) !== child) return;
    this.#children.delete(child.id);
    child.#parent = undefined;
  }

  #run(thread: Thread): void {
    const spec = thread.parts as ThreadSpec; // `add` has given it one
    thread.start('body' in spec ? spec.body : spec);
  }

  async #finishAll(reason: string): Promise<void> {
    for (const child of this.children) child.close(reason);
    await Promise.all(this.children.map((child) => child.#closing));
    // A thread that has crashed before has no successor now: free those who wait for room in its inboxes.
    for (const thread of this.#threads) if (thread.state === 'ended') thread.closeInboxes();
    // New ones cannot come in any more: `add` and `restart` refuse from now on.
    for (const thread of [...this.#threads].reverse()) {
      thread.finish();
      await thread.done;
    }
  }

  async #allEnded(): Promise<void> {
    const children = this.children.map((child) => child.#closing ?? child.#allEnded());
    await Promise.all([...children, ...this.#threads.map((thread) => thread.done)]);
  }

  #within(work: Promise<void>, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(timeoutMs, resolve);
      const end = (): void => {
        timer.cancel();
        resolve();
      };
      void work.then(end, end);
    });
  }

  #stuck(): StuckThread[] {
    const own = this.#threads
      .filter((thread) => thread.state !== 'ended')
      .map(({ label, state, doing, busyMs }) => {
        const waiting =
          this.#isClosing && state === 'running' ? 'its turn to finish has not come' : 'waiting for its inbox';
        return { group: this.id, thread: label, doing: doing || waiting, busyMs };
      });
    return [...this.children.flatMap((child) => child.#stuck()), ...own];
  }

  #left(): Leftover[] {
    const own = this.#threads
      .map((thread) => ({ group: this.id, thread: thread.label, items: thread.view().queued }))
      .filter((leftover) => leftover.items > 0);
    return [...this.children.flatMap((child) => child.#left()), ...own];
  }
}

function attempt(act: () => void, errors: unknown[]): void {
  try {
    act();
  } catch (error) {
    errors.push(error);
  }
}
