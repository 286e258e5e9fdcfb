// A listening socket as a device: the listener is a parent group with one thread, the ServerManager; every accepted
// connection is a child CommsThreadGroup named `<listener>/<peer>`, which ends with its socket.
//
//   listen -> accept -> child group (receive, send, manager) -> lost -> child closed, forgotten
//                    -> over max_connections: closed at once, counted

import net from 'node:net';
import { type Clock, sleep } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { backoffDelay } from '../core/restart-policy.js';
import type { Thread } from '../core/thread.js';
import { ThreadGroup } from '../core/thread-group.js';
import type { RouteResult, ThreadRegistry } from '../core/thread-registry.js';
import type { TcpListenLinkConfig } from '../config/link-schema.js';
import { socketLink } from '../device/links/tcp-socket.js';
import type { LinkOpener } from '../device/link.js';
import type { DownMessage, Relay } from '../device/message.js';
import { CommsThreadGroup, type CommsThreadGroupOptions, DEVICE_RANK } from './comms-thread-group.js';
import { peerNamer } from './peer-name.js';
import { answer } from './send.js';

/** Longest that a connection's group may take to work off what it has read, once its socket is gone, ms. */
const CHILD_CLOSE_MS = 5000;

export interface ServerManagerOptions
  extends Pick<CommsThreadGroupOptions, 'id' | 'clock' | 'log' | 'registry' | 'relay' | 'plan' | 'settings' | 'intensity'> {
  readonly listen: TcpListenLinkConfig;
}

/** What has happened at the door. */
interface DoorCounters {
  accepted: number;
  refused: number;
}

export class ServerManager {
  readonly group: ThreadGroup;
  readonly #options: ServerManagerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #relay: Relay;
  readonly #registry: ThreadRegistry<DownMessage>;
  readonly #connections = new Map<string, CommsThreadGroup>();
  readonly #counters: DoorCounters = { accepted: 0, refused: 0 };
  readonly #nameOf: (socket: net.Socket, isTaken: (name: string) => boolean) => string;
  readonly #isShared: boolean;
  #port = 0;

  constructor(options: ServerManagerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log.child({ group: options.id });
    this.#relay = options.relay;
    this.#registry = options.registry;
    this.#isShared = options.listen.peer === 'shared';
    this.#nameOf = peerNamer(this.#isShared ? '{ip}-{port}' : options.listen.peer);
    this.group = new ThreadGroup({
      id: options.id,
      clock: options.clock,
      onTransition: (transition) => this.#registry.emit({ kind: 'transition', group: options.id, transition }),
      onCrash: (thread, error) => this.#onCrash(thread.label, error),
      onClosed: () => this.#registry.remove(this.group),
      counters: () => ({ ...this.#counters, connections: this.#connections.size, port: this.#port }),
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

  /** A command for the listener itself: with shared topics it goes to every connection. */
  deliver(message: DownMessage): Exclude<RouteResult, 'no-such-group'> {
    const { id } = this.#options;
    if (this.#isShared && this.#connections.size > 0) {
      for (const connection of this.#connections.values()) connection.deliver(message);
      return 'queued';
    }
    const why = this.#isShared
      ? 'nobody is connected'
      : `name the connection: ${id}/<peer>; ${this.#connections.size} are connected`;
    answer({ address: id, relay: this.#relay, log: this.#log }, message, 'error', why);
    return 'queued';
  }

  async #run(thread: Thread): Promise<void> {
    const stop = thread.finishSignal;
    for (let attempt = 0; !stop.aborted; attempt += 1) {
      this.#go('connecting', attempt === 0 ? 'start' : 'time to try again');
      const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, pauseOnConnect: true });
      const failure = await this.#listen(server);
      if (failure === undefined) {
        attempt = 0;
        await this.#serve(server, stop);
        return;
      }
      const delayMs = backoffDelay({ firstMs: 250, maxMs: 30_000 }, attempt, this.#clock.random());
      const fields = { thread: 'manager', retry_in_ms: Math.round(delayMs) };
      if (attempt === 0) this.#log.warn(fields, `${failure}; trying again until it works`);
      else this.#log.debug(fields, failure);
      this.#go('backing-off', failure);
      await sleep(this.#clock, delayMs, stop);
    }
  }

  #listen(server: net.Server): Promise<string | undefined> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve) => {
      server.once('error', (error) => resolve(explain(error, host, port)));
      server.once('listening', () => resolve(undefined));
      server.on('connection', (socket) => this.#accept(socket));
      server.listen({ host, port, backlog: 511 });
    });
  }

  async #serve(server: net.Server, stop: AbortSignal): Promise<void> {
    const address = server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
    const name = `${this.#options.listen.host}:${this.#port}`;
    this.#log.info({ thread: 'manager', listen: name }, `listening on ${name}`);
    this.#go('online', `listening on ${name}`);
    this.#relay.offer({ kind: 'availability', device: this.#options.id, state: 'online' });
    // Accepting can fail for a moment (no descriptors left); the listener itself stays.
    server.on('error', (error) => this.#log.error({ thread: 'manager', err: error }, `accepting a connection failed: ${error.message}`));
    await aborted(stop);
    // Not awaited: `close` calls back when the last connection is gone, and those are closed by their own groups.
    server.close();
    this.#relay.offer({ kind: 'availability', device: this.#options.id, state: 'offline' });
  }

  #accept(socket: net.Socket): void {
    const { listen, id } = this.#options;
    if (this.#connections.size >= listen.max_connections || this.group.isClosing) {
      this.#refuse(socket);
      return;
    }
    const peer = this.#nameOf(socket, (name) => this.#connections.has(`${id}/${name}`));
    const link = socketLink(socket, {
      name: `tcp ${peer}`,
      clock: this.#clock,
      idleTimeoutMs: listen.idle_timeout,
    });
    const opener: LinkOpener = { name: link.name, open: () => Promise.resolve(link) };
    const connection = this.#makeConnection(`${id}/${peer}`, opener);
    if (!this.group.adopt(connection.group) || !connection.start()) {
      socket.destroy();
      return;
    }
    this.#counters.accepted += 1;
    this.#connections.set(connection.group.id, connection);
  }

  #makeConnection(id: string, opener: LinkOpener): CommsThreadGroup {
    const { clock, log, registry, relay, plan, settings, intensity } = this.#options;
    const connection: CommsThreadGroup = new CommsThreadGroup({
      id,
      clock,
      log,
      registry,
      relay,
      plan,
      settings,
      opener,
      reopens: false,
      ...(intensity && { intensity }),
      ...(this.#isShared && { address: this.#options.id }),
      onEnded: () => void this.#bury(connection),
    });
    return connection;
  }

  /** The connection's link is gone: its group works off what was read, and is forgotten. */
  async #bury(connection: CommsThreadGroup): Promise<void> {
    const { group } = connection;
    if (!group.isClosing) {
      group.close('the connection has ended');
      const report = await group.wait(CHILD_CLOSE_MS);
      if (!report.ended) this.#log.error({ stuck: report.stuck }, `${group.id}: threads did not end after the connection had`);
      group.cleanup();
    }
    this.#connections.delete(group.id);
  }

  #refuse(socket: net.Socket): void {
    const { max_connections } = this.#options.listen;
    this.#counters.refused += 1;
    const count = this.#counters.refused;
    socket.destroy();
    // Powers of two: a peer that knocks for ever does not fill the log.
    if ((count & (count - 1)) === 0) {
      this.#log.warn(
        { thread: 'manager', refused: count, peer: socket.remoteAddress },
        `connection refused, ${this.#connections.size} are open: raise max_connections (${max_connections}) or set idle_timeout`,
      );
    }
  }

  #onCrash(label: string, error: unknown): void {
    this.#registry.emit({ kind: 'crash', group: this.#options.id, thread: label, error });
    this.#log.error({ thread: label, err: error }, `${label} thread crashed: ${messageOf(error)}; restarting it in a second`);
    this.#clock.after(1000, () => this.group.restart(label));
  }

  #go(to: 'connecting' | 'online' | 'backing-off', reason: string): void {
    if (this.group.state.can(to)) this.group.state.go(to, reason);
  }
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `cannot listen on ${where}: another process does already (ss -ltnp shows which); choose another port or stop it`;
    case 'EACCES':
      return `cannot listen on ${where}: ports below 1024 need the capability CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine has no such address; 0.0.0.0 listens on all`;
    default:
      return `cannot listen on ${where}: ${error.message}`;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
