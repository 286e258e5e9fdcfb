// An uplink on a fake clock with a scripted broker: what each attempt to connect meets is set beforehand.

import type { ExecutionContext } from 'ava';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage, ReadingsUp } from '../../src/device/message.js';
import { MemoryStore } from '../../src/spool/memory-store.js';
import type { Store } from '../../src/spool/store.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import type { openSession } from '../../src/uplink/open-session.js';
import { SessionError } from '../../src/uplink/session-error.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { Uplink, type UplinkOptions } from '../../src/uplink/uplink.js';
import { FakeClock } from './fake-clock.js';
import { FakeSession, type FakeSessionOptions } from './fake-session.js';
import { RecordingLog } from './recording-log.js';
import { textBatch } from './text-batch.js';

/** `away`: nobody listens. `hangs`: no answer until the attempt is given up. */
export type Meets = FakeSessionOptions | 'away' | 'hangs' | SessionError;

export interface UplinkRigOptions {
  readonly spool?: Partial<UplinkOptions['spool']>;
  readonly onMessage?: (message: IncomingMessage) => void;
}

export const BASE = 'base';

const SPOOL = {
  mode: 'offline',
  dir: '/nowhere',
  maxBytes: 64 * 1024 ** 2,
  maxAgeMs: 0,
  whenFull: 'drop-oldest',
  sync: false,
  write_interval: 1000,
  replay_rate: 1_000_000,
  replay_order: 'in-order',
} as const;

export class UplinkRig {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly registry = new ThreadRegistry<DownMessage>(this.clock);
  readonly topics = makeTopics(BASE);
  /** Sessions that were opened, oldest first. */
  readonly sessions: FakeSession[] = [];
  /** Fake-clock times of all attempts. */
  readonly attempts: number[] = [];
  readonly received: IncomingMessage[] = [];
  /** What stands for the disk: closing it forgets nothing. */
  readonly store: Store = Object.assign(new MemoryStore(), { close: async () => {} });
  readonly uplink: Uplink;
  /** How often the uplink told of drops. */
  dropNews = 0;
  /** What attempts meet from now on. */
  broker: Meets = {};

  constructor({ spool, onMessage }: UplinkRigOptions = {}) {
    this.uplink = new Uplink({
      clock: this.clock,
      log: this.log,
      registry: this.registry,
      topics: this.topics,
      session: { url: 'mqtt://broker:1883', version: 5, clientId: 'me', keepaliveSeconds: 30 },
      reconnect: { first: 250, max: 30_000 },
      spool: { ...SPOOL, openStore: async () => this.store, hasFolder: async () => false, ...spool },
      onMessage: onMessage ?? ((message) => this.received.push(message)),
      onDrops: () => (this.dropNews += 1),
      open: this.#open,
    });
  }

  /** A started uplink that has had time for its first attempt. Closed with the test. */
  static async start(t: ExecutionContext, broker: Meets = {}, options: UplinkRigOptions = {}): Promise<UplinkRig> {
    const rig = new UplinkRig(options);
    rig.broker = broker;
    rig.uplink.addDevice('scale');
    rig.uplink.start();
    await rig.clock.settle();
    t.teardown(() => rig.uplink.group.cleanup());
    return rig;
  }

  /** The newest session. */
  get session(): FakeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error('no session was opened');
    return session;
  }

  /** Offers one batch; `full` if the uplink has no room. */
  read(device: string, ...texts: string[]): 'taken' | 'full' {
    return this.uplink.relay.offer(readings(device, texts));
  }

  /** Numbered readings of 1 KiB, one to a batch, until `count` are taken or the uplink is full; gives how many were taken. */
  async feed(device: string, from: number, count: number): Promise<number> {
    for (let n = 0; n < count; n += 1) {
      const text = `${from + n}`.padEnd(1024);
      if (this.read(device, text) === 'taken') continue;
      await this.clock.settle(); // the send thread may only have had no turn yet
      if (this.read(device, text) === 'full') return n;
    }
    await this.clock.settle();
    return count;
  }

  /** Lets the newest session go, and those after it meet `next`. */
  async lose(next: Meets = 'away'): Promise<void> {
    this.broker = next;
    this.session.lose();
    await this.clock.settle();
  }

  /** The broker is there again: moves time until the next session. */
  async comeBack(broker: FakeSessionOptions = {}): Promise<FakeSession> {
    const before = this.sessions.length;
    this.broker = broker;
    for (let turn = 0; this.sessions.length === before; turn += 1) {
      if (turn > 10_000) throw new Error('no attempt was made');
      await this.clock.advance(this.clock.nextIn ?? 0);
    }
    await this.clock.settle();
    return this.session;
  }

  readonly #open: typeof openSession = async (_options, hooks, signal) => {
    this.attempts.push(this.clock.now());
    const { broker } = this;
    if (broker === 'hangs') await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    if (signal.aborted) throw new SessionError('aborted', 'connecting was given up');
    if (broker === 'away' || broker === 'hangs')
      throw new SessionError('refused', 'broker broker:1883: connection refused');
    if (broker instanceof SessionError) throw broker;
    const session = new FakeSession(hooks, broker, this.clock);
    this.sessions.push(session);
    return session;
  };
}

function readings(device: string, texts: readonly string[]): ReadingsUp {
  return { kind: 'readings', device, batch: textBatch(texts), qos: 1, retain: false, at: 0 };
}
