// A judge who loses nothing itself while its broker is killed. Its session outlives the broker on disk, so that it misses
// nothing between the broker's return and its own. It subscribes with QoS 0: with acknowledgements of its own unread in a
// killed broker the system would answer with a reset, and what the judge had not read yet would be gone, although the gateway
// had its PUBACK.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { brokerFor, subscriberFor } from './e2e-test.js';
import { eventually } from './eventually.js';
import type { Mosquitto } from './mosquitto.js';
import type { Subscriber } from './subscriber.js';

export interface JudgedBroker {
  readonly port: number;
  readonly judge: Subscriber;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again, on the same port, with what it had on disk. */
  start(): Promise<void>;
}

/** Starts a mosquitto and a judge that subscribes to everything; both end with the test. */
export async function judgedBrokerFor(t: ExecutionContext): Promise<JudgedBroker> {
  const memory = mkdtempSync(path.join(tmpdir(), 'ferrule-broker-'));
  t.teardown(() => rmSync(memory, { recursive: true, force: true }));
  let broker = await brokerFor(t, { memory });
  const { port } = broker;
  const judge = await subscriberFor(t, { port, session: 'judge', qos: 0 });
  await remember(broker, memory);
  return {
    port,
    judge,
    kill: () => broker.kill(),
    start: async () => {
      broker = await brokerFor(t, { port, memory });
    },
  };
}

/** Has mosquitto write its sessions to disk now, as a kill gives it no time for that. */
async function remember(broker: Mosquitto, memory: string): Promise<void> {
  process.kill(broker.pid, 'SIGUSR1');
  await eventually(() => existsSync(path.join(memory, 'mosquitto.db')), 'the sessions of mosquitto on disk');
}
