// The brokers that the gateway is tried against, each with what it is known not to do.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type BrokerServer, runServer } from './broker-server.js';
import { freePort, skipWithoutMosquitto } from './mosquitto.js';
import { natsFor, skipWithoutNats } from './nats.js';
import { rabbitMqFor, skipWithoutRabbitMq } from './rabbitmq.js';

export interface BrokerKind {
  readonly name: string;
  readonly version: 4 | 5;
  /** Why it cannot be tried here. */
  readonly skip: string | undefined;
  /** Readings that it may lose in a restart although it has acknowledged them. */
  readonly mayLose: number;
  /** Takes so long to restart that short runs cut its network instead. */
  readonly isSlow: boolean;
  /** Starts one with a store that outlives `stop`; ended with the test. */
  start(t: ExecutionContext): Promise<BrokerServer>;
}

const PROMPT = { mayLose: 0, isSlow: false };

/** mosquitto with both versions of MQTT, and two brokers that bring MQTT as a side of something else. */
export const BROKER_KINDS: readonly BrokerKind[] = [
  { name: 'mosquitto with MQTT 5', version: 5, skip: skipWithoutMosquitto, ...PROMPT, start: mosquittoFor },
  { name: 'mosquitto with MQTT 3.1.1', version: 4, skip: skipWithoutMosquitto, ...PROMPT, start: mosquittoFor },
  // 2.9 acknowledges before it stores: with plain mqtt.js, too, 4 to 6 acknowledged messages of 390 were gone after a SIGTERM.
  { name: 'NATS', version: 4, skip: skipWithoutNats, mayLose: 100, isSlow: false, start: natsFor },
  { name: 'RabbitMQ', version: 4, skip: skipWithoutRabbitMq, mayLose: 0, isSlow: true, start: rabbitMqFor },
];

async function mosquittoFor(t: ExecutionContext): Promise<BrokerServer> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-mosquitto-'));
  const port = await freePort();
  const file = path.join(dir, 'mosquitto.conf');
  const lines = [
    'user root',
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
    'persistence true',
    `persistence_location ${dir}/`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const server = await runServer({ command: 'mosquitto', args: ['-c', file], port, startLimitMs: 30_000 });
  t.teardown(async () => {
    await server.end();
    rmSync(dir, { recursive: true, force: true });
  });
  return server;
}
