// A real NATS server with its MQTT side (3.1.1 only, on JetStream), for a test: on free ports of loopback, ended by its
// process id. Its store outlives a restart.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type BrokerServer, runServer, SERVER_PATH } from './broker-server.js';
import { freePort } from './mosquitto.js';

const START_LIMIT_MS = 30_000;

/** Why a test that needs NATS skips, or `undefined` where it must run: with CI=true its absence is a failure. */
export const skipWithoutNats =
  spawnSync('nats-server', ['--version'], { env: { ...process.env, PATH: SERVER_PATH } }).error === undefined ||
  process.env.CI === 'true'
    ? undefined
    : 'skipped: nats-server is not installed';

/** Starts one and waits until it takes MQTT connections; ended, and its store removed, with the test. */
export async function natsFor(t: ExecutionContext): Promise<BrokerServer> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-nats-'));
  mkdirSync(path.join(dir, 'store'));
  const [clientPort, port] = [await freePort(), await freePort()];
  const file = path.join(dir, 'nats.conf');
  const lines = [
    'server_name: ferrule-test',
    `listen: 127.0.0.1:${clientPort}`,
    `jetstream { store_dir: "${path.join(dir, 'store')}", max_mem: 64M, max_file: 256M }`,
    `mqtt { listen: "127.0.0.1:${port}" }`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const server = await runServer({ command: 'nats-server', args: ['-c', file], port, startLimitMs: START_LIMIT_MS });
  t.teardown(async () => {
    await server.end();
    rmSync(dir, { recursive: true, force: true });
  });
  return server;
}
