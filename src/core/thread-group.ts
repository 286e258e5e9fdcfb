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
import { type Inbox, Thread, type ThreadBody, type ThreadView } from './thread.js';

/** How to make a thread, and to make it again after a crash. The inboxes outlive a crash, and what is in them too. */
export interface ThreadSpec {
  readonly label: string;
  readonly inboxes?: readonly Inbox[];
  readonly body: ThreadBody;
  /** See Thread: what `finish` does instead of closing the inboxes. The body must end all the same. */
  readonly onFinish?: () => void;
}

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

export interface ThreadGroupOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly onTransition?: (transition: Transition<GroupState>) => void;
  /** A thread's body threw. The group goes on with the others until its owner decides. */
  readonly onCrash?: (thread: Thread, error: unknown) => void;
  /** Called once, after cleanup. */
  readonly onClosed?: () => void;
  readonly counters?: () => Record<string, unknown>;
}

/** Thrown by `cleanup` when something registered for release threw. Everything else has been released. */
export class CleanupFailed extends FerruleError {
  constructor(group: string, errors: readonly unknown[]) {
    const cause = new AggregateError(errors);
    super('cleanup-failed', `group ${group}: not released cleanly: ${errors.map(messageOf).join('; ')}`, { cause });
  }
}

interface Slot {
  readonly spec: ThreadSpec;
  thread: Thread;
  /** It is being taken out, so nothing may be put in its place. */
  isLeaving: boolean;
}

export class ThreadGroup {
  readonly id: string;
  readonly state: StateMachine<GroupState>;
  readonly #slots: Slot[] = [];
  readonly #children = new Map<string, ThreadGroup>();
  readonly #releases: (() => void)[] = [];
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
      ...(options.onTransition && { onChange: options.onTransition }),
    });
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get children(): readonly ThreadGroup[] {
    return [...this.#children.values()];
  }

  get childCount(): number {
    return this.#children.size;
  }

  /**
   * Adds a thread; it starts with the group, or at once if the group runs. Refused (`undefined`) while closing, and while
   * another thread has that label: one that ends by itself keeps its label until `remove`.
   */
  add(spec: ThreadSpec): Thread | undefined {
    if (this.#isClosing || this.#slot(spec.label) !== undefined) return undefined;
    const slot: Slot = { spec, thread: this.#make(spec), isLeaving: false };
    this.#slots.push(slot);
    if (this.#isStarted) this.#run(slot);
    return slot.thread;
  }

  /** Takes a thread out that was added to the running group: asks it to finish; resolves when it has ended. */
  async remove(label: string): Promise<void> {
    const slot = this.#slot(label);
    if (slot === undefined) return;
    slot.isLeaving = true;
    slot.thread.finish();
    await slot.thread.done;
    slot.thread.closeInboxes(); // also those of one that had crashed before
    const at = this.#slots.indexOf(slot);
    if (at >= 0) this.#slots.splice(at, 1);
  }

  /** Puts a new thread in the place of one that has crashed, on the same inboxes. Does nothing while closing. */
  restart(label: string): void {
    const slot = this.#slot(label);
    if (slot === undefined || slot.isLeaving || this.#isClosing || slot.thread.state !== 'ended') return;
    slot.thread = this.#make(slot.spec);
    this.#run(slot);
  }

  thread(label: string): Thread | undefined {
    return this.#slot(label)?.thread;
  }

  /** Adopts a child: closed before this group's own threads. False while either closes, or if its id is taken. */
  adopt(child: ThreadGroup): boolean {
    if (this.#isClosing || child.#isClosing || this.#children.has(child.id)) return false;
    child.#parent = this;
    this.#children.set(child.id, child);
    return true;
  }

  /**
   * Something to be released by `cleanup`, once the threads have ended or been told to abort; last registered, first
   * released. Released at once if the cleanup is over: what was opened too late is not forgotten.
   */
  onCleanup(release: () => void): void {
    if (this.state.state === 'closed') release();
    else this.#releases.push(release);
  }

  /** Starts the threads in the order in which they were added. */
  start(): void {
    if (this.#isStarted || this.#isClosing) return;
    this.#isStarted = true;
    for (const slot of this.#slots) this.#run(slot);
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
    for (const slot of [...this.#slots].reverse()) slot.thread.abort();
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop())
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
      threads: this.#slots.map((slot) => slot.thread.view()),
      children: this.children.map((child) => child.view()),
      history: this.state.history,
      counters: this.#options.counters?.() ?? {},
    };
  }

  /** Forgets a child that has closed. */
  disown(child: ThreadGroup): void {
    if (this.#children.get(child.id) === child) this.#children.delete(child.id);
  }

  #slot(label: string): Slot | undefined {
    return this.#slots.find((slot) => slot.spec.label === label);
  }

  #make(spec: ThreadSpec): Thread {
    const { label, inboxes, onFinish } = spec;
    return new Thread({
      label,
      groupId: this.id,
      clock: this.#options.clock,
      ...(inboxes && { inboxes }),
      ...(onFinish && { onFinish }),
    });
  }

  #run(slot: Slot): void {
    const { thread, spec } = slot;
    thread.start(spec.body);
    void thread.done.then((exit) => {
      if (this.#isClosing) thread.closeInboxes(); // nobody will be put in its place: free those who wait for room
      if (exit.how === 'crashed') this.#options.onCrash?.(thread, exit.error);
    });
  }

  async #finishAll(reason: string): Promise<void> {
    for (const child of this.children) child.close(reason);
    await Promise.all(this.children.map((child) => child.#closing));
    // A thread that has crashed before has no successor now: free those who wait for room in its inboxes.
    for (const { thread } of this.#slots) if (thread.state === 'ended') thread.closeInboxes();
    // New slots cannot come in any more: `add` and `restart` refuse from now on.
    for (const slot of [...this.#slots].reverse()) {
      slot.thread.finish();
      await slot.thread.done;
    }
  }

  async #allEnded(): Promise<void> {
    const children = this.children.map((child) => child.#closing ?? child.#allEnded());
    await Promise.all([...children, ...this.#slots.map((slot) => slot.thread.done)]);
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
    const own = this.#slots
      .filter((slot) => slot.thread.state !== 'ended')
      .map((slot) => {
        const { label, state, doing, busyMs } = slot.thread.view();
        const waiting =
          this.#isClosing && state === 'running' ? 'its turn to finish has not come' : 'waiting for its inbox';
        return { group: this.id, thread: label, doing: doing || waiting, busyMs };
      });
    return [...this.children.flatMap((child) => child.#stuck()), ...own];
  }

  #left(): Leftover[] {
    const own = this.#slots
      .map((slot) => ({ group: this.id, thread: slot.spec.label, items: slot.thread.view().queued }))
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
