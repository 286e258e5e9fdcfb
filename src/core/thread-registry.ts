// The registry knows every group of the process: it allocates their queues, routes messages by group id, answers state
// queries, tells watchers what happens, and runs the coordinated shutdown. One per process, made in the composition root
// and passed down; tests make their own.

import type { Clock } from './clock.js';
import type { GroupState } from './lifecycle.js';
import { MessageQueue, type QueueOptions } from './queue.js';
import type { Transition } from './state-machine.js';
import type { CloseReport, GroupView, Leftover, StuckThread, ThreadGroup } from './thread-group.js';

/** What became of a routed message. */
export type RouteResult = 'queued' | 'full' | 'closed' | 'no-such-group';

/** How a group takes messages that are routed to it. */
export type Deliver<Message> = (message: Message) => Exclude<RouteResult, 'no-such-group'>;

export type RegistryEvent =
  /** `changed`: what its view shows has news that no transition tells. */
  | { readonly kind: 'added' | 'removed' | 'changed'; readonly group: string }
  | { readonly kind: 'transition'; readonly group: string; readonly transition: Transition<GroupState> }
  | { readonly kind: 'crash'; readonly group: string; readonly thread: string; readonly error: unknown };

export interface ShutdownReport {
  /** True when every thread ended by itself within the deadline. */
  readonly clean: boolean;
  readonly stuck: readonly StuckThread[];
  readonly left: readonly Leftover[];
  readonly tookMs: number;
}

interface Entry<Message> {
  readonly group: ThreadGroup;
  readonly deliver: Deliver<Message>;
  readonly rank: number;
}

export class ThreadRegistry<Message> {
  readonly #entries = new Map<string, Entry<Message>>();
  readonly #watchers = new Set<(event: RegistryEvent) => void>();
  readonly #clock: Clock;
  #shutdown: Promise<ShutdownReport> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isShuttingDown(): boolean {
    return this.#shutdown !== undefined;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Makes a queue. All queues between threads come from here, so that nobody makes one without a bound. */
  allocate<T>(options: QueueOptions<T>): MessageQueue<T> {
    return new MessageQueue(options);
  }

  /**
   * Registers a group. `rank` orders the shutdown: higher ranks close first, equal ranks together (devices before the
   * uplink they feed). False if the id is taken or the registry is shutting down: the group must not be started then.
   */
  add(group: ThreadGroup, deliver: Deliver<Message>, rank: number): boolean {
    if (this.#entries.has(group.id) || this.isShuttingDown) return false;
    this.#entries.set(group.id, { group, deliver, rank });
    this.emit({ kind: 'added', group: group.id });
    return true;
  }

  remove(group: ThreadGroup): void {
    if (this.#entries.get(group.id)?.group !== group) return;
    this.#entries.delete(group.id);
    this.emit({ kind: 'removed', group: group.id });
  }

  get(id: string): ThreadGroup | undefined {
    return this.#entries.get(id)?.group;
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** Hands a message to the group of that id. Never waits. */
  route(id: string, message: Message): RouteResult {
    const entry = this.#entries.get(id);
    return entry === undefined ? 'no-such-group' : entry.deliver(message);
  }

  /** The groups that are not within another. */
  groups(): ThreadGroup[] {
    return this.#roots().map(({ group }) => group);
  }

  /** State of all groups: the roots, with their children within them. */
  snapshot(): GroupView[] {
    return this.#roots().map(({ group }) => group.view());
  }

  /** Tells `watcher` everything that happens from now on; answers how to stop it. A watcher must not throw. */
  watch(watcher: (event: RegistryEvent) => void): () => void {
    const own = (event: RegistryEvent): void => watcher(event); // the same function may watch twice
    this.#watchers.add(own);
    return () => void this.#watchers.delete(own);
  }

  /** For the owners of groups: tells the watchers. */
  emit(event: RegistryEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  /**
   * Closes every group under one deadline, rank by rank, and says who did not stop. A rank that overruns leaves each of
   * the next ones a fifth of the whole deadline (an equal share, if there are more than five ranks), so that one stuck
   * device cannot keep the uplink from sending what it has. Idempotent: later calls get the same report.
   */
  shutdown(deadlineMs: number, reason: string): Promise<ShutdownReport> {
    // Begins in a microtask, so that a watcher who calls this in turn finds the shutdown under way.
    this.#shutdown ??= Promise.resolve().then(() => this.#closeAll(deadlineMs, reason));
    return this.#shutdown;
  }

  async #closeAll(deadlineMs: number, reason: string): Promise<ShutdownReport> {
    const startedAt = this.#clock.now();
    const ranks = [...new Set(this.#roots().map((entry) => entry.rank))].sort((a, b) => b - a);
    const shareMs = deadlineMs / Math.max(5, ranks.length);
    const reports: CloseReport[] = [];
    for (const [index, rank] of ranks.entries()) {
      const reserveMs = shareMs * (ranks.length - 1 - index);
      const leftMs = Math.max(0, deadlineMs - reserveMs - (this.#clock.now() - startedAt));
      reports.push(...(await this.#closeRank(rank, leftMs, reason)));
    }
    return {
      clean: reports.every((report) => report.ended),
      stuck: reports.flatMap((report) => report.stuck),
      left: reports.flatMap((report) => report.left),
      tookMs: this.#clock.now() - startedAt,
    };
  }

  async #closeRank(rank: number, timeoutMs: number, reason: string): Promise<CloseReport[]> {
    const groups = this.#roots().filter((entry) => entry.rank === rank);
    for (const { group } of groups) group.close(reason);
    return Promise.all(groups.map(({ group }) => this.#end(group, timeoutMs)));
  }

  async #end(group: ThreadGroup, timeoutMs: number): Promise<CloseReport> {
    const report = await group.wait(timeoutMs);
    try {
      group.cleanup();
    } catch (error) {
      this.emit({ kind: 'crash', group: group.id, thread: 'cleanup', error }); // the others must be closed all the same
    }
    return report;
  }

  /** The groups that are not within another: a child may be registered too, so that messages can be routed to it. */
  #roots(): Entry<Message>[] {
    const isRegistered = (group: ThreadGroup): boolean => this.#entries.get(group.id)?.group === group;
    const roots: Entry<Message>[] = [];
    for (const entry of this.#entries.values()) {
      const { parent } = entry.group;
      if (parent === undefined || !isRegistered(parent)) roots.push(entry);
    }
    return roots;
  }
}
