// A listening socket as a device: the listener is a parent group with one thread, the ServerManager; every accepted
// connection is a child CommsThreadGroup named `<listener>/<peer>`, which ends with its socket.
//
//   listen -> accept -> child group (receive, send, manager) -> lost -> child closed, forgotten
//                    -> over max_connections: closed at once, counted

import net from 'node:net';
import { FIRST_FRAME, type TcpListenLinkConfig } from '../config/link-schema.js';
import { type Clock, sleep, type Timer } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { backoffDelay } from '../core/restart-policy.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import { IdleWatch } from '../device/links/idle-watch.js';
import { socketLink } from '../device/links/tcp-socket.js';
import type { DownMessage, Relay } from '../device/message.js';
import { AcceptedLink } from './accepted-link.js';
import { answer } from './answer.js';
import { CallerNames } from './caller-names.js';
import { CommsThreadGroup, DEVICE_RANK, type DeviceKind } from './comms-thread-group.js';
import { CrashTally } from './crash-tally.js';
import { addCounters, newCounters } from './device-context.js';
import { listenFailure } from './listen-failure.js';
import { peerNamer } from './peer-name.js';
import { isPowerOfTwo } from './power-of-two.js';

/**
 * Longest that a connection's group may take to work off what it has read, once its socket is gone, ms. Long enough for a
 * broker that is away for a moment; meanwhile it counts against max_connections, so that their number stays bounded.
 */
const CHILD_CLOSE_MS = 60_000;
const RESTART_MS = 1000;
const LISTEN_BACKOFF = { firstMs: 250, maxMs: 30_000 };

export interface ServerManagerOptions extends Omit<DeviceKind, 'reopens' | 'crashes' | 'address' | 'onEnded'> {
  readonly id: string;
  readonly listen: TcpListenLinkConfig;
}

/** What has happened at the door. */
interface DoorCounters {
  accepted: number;
  refused: number;
  /** Connections without a name: see `peer: first-frame`. */
  unnamed: number;
  /** Connections that the system could not hand over, for want of descriptors. */
  failed: number;
}

export class ServerManager {
  readonly group: ThreadGroup;
  /** What its connections counted that have ended. */
  readonly ended = newCounters();
  readonly #options: ServerManagerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #relay: Relay;
  readonly #registry: ThreadRegistry<DownMessage>;
  readonly #connections = new Map<string, CommsThreadGroup>();
  readonly #idleWatch: IdleWatch;
  /** What every connection is made of. */
  readonly #kind: DeviceKind;
  readonly #counters: DoorCounters = { accepted: 0, refused: 0, unnamed: 0, failed: 0 };
  readonly #nameOf: (socket: net.Socket, isTaken: (name: string) => boolean) => string;
  readonly #isShared: boolean;
  /** With `peer: first-frame`. */
  readonly #callers: CallerNames | undefined;
  #port = 0;
  /** What was announced last. */
  #isOnline = false;
  /** Set while a thread that has crashed waits for its restart. */
  #restarting: Timer | undefined;

  constructor(options: ServerManagerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log.child({ group: options.id });
    this.#relay = options.relay;
    this.#registry = options.registry;
    this.#isShared = options.listen.peer === 'shared';
    this.#kind = this.#makeKind();
    this.#idleWatch = new IdleWatch(options.clock, options.listen.idle_timeout);
    this.#nameOf = peerNamer(this.#isShared ? '{ip}-{port}' : options.listen.peer);
    this.#callers = options.listen.peer === FIRST_FRAME ? this.#makeCallers() : undefined;
    this.group = new ThreadGroup({
      id: options.id,
      clock: options.clock,
      onTransition: (transition) => this.#registry.emit({ kind: 'transition', group: options.id, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => this.#onClosed(),
      figures: () => ({ ...this.#counters, connections: this.#connections.size, port: this.#port }),
    });
    this.group.add({ label: 'manager', body: (thread) => this.#run(thread) });
  }

  /** Registers and starts the listener; false if its id is taken or the gateway is shutting down. */
  start(): boolean {
    if (!this.#registry.add(this.group, (message) => this.deliver(message), DEVICE_RANK)) return false;
    this.group.start();
    return true;
  }

  /** The port that is listened on, once online (the config may say 0: any). */
  get port(): number {
    return this.#port;
  }

  /** The group of a connection, by its id `<listener>/<peer>`. */
  connection(id: string): CommsThreadGroup | undefined {
    return this.#connections.get(id);
  }

  /** The connections there are. */
  get connections(): Iterable<CommsThreadGroup> {
    return this.#connections.values();
  }

  /** What has happened at the door. */
  get counters(): Readonly<DoorCounters> {
    return this.#counters;
  }

  /** Ids of the connections. */
  get connectionIds(): string[] {
    return [...this.#connections.keys()];
  }

  /** Ends every connection: their peers come back, to fresh drivers. */
  restart(reason: string): void {
    for (const connection of this.#connections.values()) connection.restart(reason);
  }

  /** A command for the listener itself: with shared topics it goes to every connection, and each answers. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    const { id } = this.#options;
    const connected = [...this.#connections.values()].filter((connection) => connection.isUp);
    if (this.#isShared && connected.length > 0) {
      for (const connection of connected) connection.deliver(message);
      return 'queued';
    }
    const why = this.#isShared
      ? 'nobody is connected'
      : `name the connection: ${id}/<peer>; ${connected.length} are connected`;
    answer({ address: id, relay: this.#relay, log: this.#log }, message, 'error', why);
    return 'queued';
  }

  async #run(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    for (let attempt = 0; !stop.aborted && !this.group.isClosing; attempt += 1) {
      this.#go('connecting', attempt === 0 ? 'start' : 'time to try again');
      const server = this.#makeServer();
      thread.busy('listening');
      const failure = await this.#listen(server, stop);
      thread.idle();
      if (failure === undefined) {
        await this.#serve(server, stop);
        return;
      }
      server.close();
      const delayMs = backoffDelay(LISTEN_BACKOFF, attempt, this.#clock.random());
      const fields = { thread: 'manager', retry_in_ms: Math.round(delayMs) };
      if (attempt === 0) this.#log.warn(fields, `${failure}; trying again until it works`);
      else this.#log.debug(fields, failure);
      this.#go('backing-off', failure);
      await sleep(this.#clock, delayMs, stop);
    }
  }

  #makeServer(): net.Server {
    const server = net.createServer({ pauseOnConnect: true });
    server.on('connection', (socket) => this.#accept(socket));
    return server;
  }

  /** Answers why it cannot listen, or undefined. Given up on `stop`: looking up a host name may take long. */
  #listen(server: net.Server, stop: AbortSignal): Promise<string | undefined> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve) => {
      const onStop = (): void => settle('shutting down');
      const settle = (failure: string | undefined): void => {
        stop.removeEventListener('abort', onStop);
        resolve(failure);
      };
      stop.addEventListener('abort', onStop, { once: true });
      // Accepting can fail for a moment (no descriptors left); the listener itself stays.
      server.on('error', (error) => {
        if (server.listening) this.#onAcceptFailed(error);
        else settle(listenFailure(error, host, port));
      });
      server.once('listening', () => settle(undefined));
      server.listen({ host, port, backlog: 511 });
    });
  }

  async #serve(server: net.Server, stop: AbortSignal): Promise<void> {
    const address = server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
    const name = `${this.#options.listen.host}:${this.#port}`;
    this.#log.info({ thread: 'manager', listen: name }, `listening on ${name}`);
    this.#go('online', `listening on ${name}`);
    this.#offerAvailability('online');
    await aborted(stop);
    // Not awaited: `close` calls back when the last connection is gone, and those are closed by their own groups.
    server.close();
    this.#callers?.close();
    this.#offerAvailability('offline');
  }

  /** Each once: a listener that is given up says `offline` with that, and nothing behind it. */
  #offerAvailability(state: 'online' | 'offline'): void {
    if (this.#isOnline === (state === 'online')) return;
    this.#isOnline = state === 'online';
    this.#relay.offer({ kind: 'availability', device: this.#options.id, state });
  }

  #makeCallers(): CallerNames {
    const { clock, listen, plan, id } = this.#options;
    return new CallerNames({
      clock,
      log: this.#log,
      framing: plan.framing,
      pattern: new RegExp(listen.peer_pattern),
      timeoutMs: listen.peer_timeout,
      holder: (name) => {
        const connection = this.#connections.get(`${id}/${name}`);
        return connection && { end: (reason) => connection.restart(reason) };
      },
      admit: (socket, name) => this.#admit(socket, name),
    });
  }

  #accept(socket: net.Socket): void {
    const { listen, id } = this.#options;
    if (this.group.isClosing) {
      socket.destroy();
      return;
    }
    if (this.#connections.size + (this.#callers?.waiting ?? 0) >= listen.max_connections) {
      this.#refuse(socket);
      return;
    }
    if (this.#callers !== undefined) void this.#admitNamed(socket, this.#callers);
    else
      this.#admit(
        socket,
        this.#nameOf(socket, (name) => this.#registry.get(`${id}/${name}`) !== undefined),
      );
  }

  async #admitNamed(socket: net.Socket, callers: CallerNames): Promise<void> {
    const from = socket.remoteAddress;
    const outcome = await callers.take(socket);
    if (outcome === 'admitted') return;
    socket.destroy();
    if (this.group.isClosing) return;
    this.#counters.unnamed += 1;
    if (!isPowerOfTwo(this.#counters.unnamed)) return;
    const fields = { thread: 'manager', unnamed: this.#counters.unnamed, peer: from };
    this.#log.warn(fields, `connection from ${from} closed, it has no name: ${outcome.why}`);
  }

  #admit(socket: net.Socket, peer: string): void {
    const { id } = this.#options;
    const idleWatch = this.#idleWatch;
    const name = `tcp ${peer}`;
    const link = socketLink(socket, { name, clock: this.#clock, idleTimeoutMs: idleWatch.timeoutMs, idleWatch });
    const connection = new CommsThreadGroup(this.#kind, { id: `${id}/${peer}`, opener: new AcceptedLink(link) });
    this.#connections.set(connection.group.id, connection);
    if (this.group.adopt(connection.group) && connection.start()) {
      this.#counters.accepted += 1;
      return;
    }
    this.#connections.delete(connection.group.id);
    connection.group.cleanup();
    void link.close();
  }

  #makeKind(): DeviceKind {
    const { id, listen: _listen, ...kind } = this.#options;
    return {
      ...kind,
      reopens: false,
      crashes: new CrashTally(kind.clock, kind.intensity),
      ...(this.#isShared && { address: id }),
      onEnded: (connection) => void this.#bury(connection),
    };
  }

  /** The connection's link is gone: its group works off what was read, and is forgotten. */
  async #bury({ group, counters }: CommsThreadGroup): Promise<void> {
    if (!group.isClosing) {
      group.close('the connection has ended');
      const { ended, stuck, left } = await group.wait(CHILD_CLOSE_MS);
      if (!ended) this.#log.error({ stuck, left }, `${group.id}: not worked off, although its connection has ended`);
      group.cleanup();
    }
    if (this.#connections.delete(group.id)) addCounters(this.ended, counters);
    this.#callers?.left(group.id.slice(this.#options.id.length + 1));
  }

  #refuse(socket: net.Socket): void {
    const { max_connections } = this.#options.listen;
    this.#counters.refused += 1;
    const count = this.#counters.refused;
    const peer = socket.remoteAddress;
    socket.destroy();
    if (!isPowerOfTwo(count)) return;
    this.#log.warn(
      { thread: 'manager', refused: count, peer },
      `connection refused, ${this.#connections.size} are open: raise max_connections (${max_connections}) or set idle_timeout`,
    );
  }

  #onAcceptFailed(error: Error): void {
    this.#counters.failed += 1;
    if (!isPowerOfTwo(this.#counters.failed)) return;
    const fields = { thread: 'manager', err: error, failed: this.#counters.failed };
    this.#log.error(fields, `accepting a connection failed: ${error.message}`);
  }

  #onCrash(label: string, error: unknown): void {
    this.#registry.emit({ kind: 'crash', group: this.#options.id, thread: label, error });
    this.#log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}; restarting it`);
    this.#restarting = this.#clock.after(RESTART_MS, () => this.group.restart(label));
  }

  #onClosed(): void {
    this.#offerAvailability('offline');
    this.#restarting?.cancel();
    this.#registry.remove(this.group);
  }

  #go(to: 'connecting' | 'online' | 'backing-off', reason: string): void {
    if (this.group.state.can(to)) this.group.state.go(to, reason);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
