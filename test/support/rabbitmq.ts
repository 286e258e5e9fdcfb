// A real RabbitMQ with its MQTT plugin for a test: a node of its own with its own port mapper (epmd), files and ports, so
// that it meets no RabbitMQ of this machine. It takes ten seconds and more to start.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type BrokerServer, runServer, SERVER_PATH } from './broker-server.js';
import { eventually } from './eventually.js';
import { accepts, freePort } from './mosquitto.js';

/** The server without Debian's wrapper, which insists on its own user. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_LIMIT_MS = 90_000;

/** Why a test that needs RabbitMQ skips, or `undefined` where it must run: with CI=true its absence is a failure. */
export const skipWithoutRabbitMq =
  existsSync(SERVER) || process.env.CI === 'true' ? undefined : 'skipped: rabbitmq-server is not installed';

/** Starts one and waits until it takes MQTT connections; ended, and its store removed, with the test. */
export async function rabbitMqFor(t: ExecutionContext): Promise<BrokerServer> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-rabbitmq-'));
  for (const folder of ['home', 'mnesia', 'log']) mkdirSync(path.join(dir, folder));
  const [port, nodePort, mapperPort] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(path.join(dir, 'enabled_plugins'), '[rabbitmq_mqtt].\n');
  const config = ['listeners.tcp = none', `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`, 'mqtt.allow_anonymous = true'];
  writeFileSync(path.join(dir, 'rabbitmq.conf'), `${config.join('\n')}\n`);
  const mapper = await startPortMapper(mapperPort);
  t.teardown(() => {
    mapper.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });
  const server = await runServer({
    command: SERVER,
    args: [],
    port,
    startLimitMs: START_LIMIT_MS,
    env: {
      HOME: path.join(dir, 'home'),
      ERL_EPMD_PORT: String(mapperPort),
      RABBITMQ_NODENAME: `ferrule-${process.pid}-${port}@localhost`,
      RABBITMQ_DIST_PORT: String(nodePort),
      RABBITMQ_MNESIA_BASE: path.join(dir, 'mnesia'),
      RABBITMQ_LOG_BASE: path.join(dir, 'log'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_ENABLED_PLUGINS_FILE: path.join(dir, 'enabled_plugins'),
      RABBITMQ_CONFIG_FILE: path.join(dir, 'rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
    },
  });
  t.teardown(() => server.end()); // teardowns run last first: before the port mapper
  return server;
}

/** Without one of our own, Erlang would leave a daemon behind. */
async function startPortMapper(port: number): Promise<ChildProcess> {
  const mapper = spawn('epmd', ['-port', String(port), '-address', '127.0.0.1'], {
    env: { ...process.env, PATH: SERVER_PATH },
    stdio: 'ignore',
  });
  process.once('exit', () => mapper.kill('SIGKILL'));
  await eventually(() => accepts(port), 'the port mapper of Erlang');
  return mapper;
}
