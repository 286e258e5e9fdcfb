// `ferrule healthcheck --live` beside servers that are made up: what may end a container is only what is sure.

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { runLiveCheck } from '../../src/cli/live-check.js';
import { folderFor } from '../support/ferrule-command.js';
import { freePort } from '../support/mosquitto.js';

const BAD_DEVICE = 'devices: { scale: { drivr: lines } }\n';
const NO_YAML = 'devices: [\n';

async function serverFor(t: ExecutionContext, status: number): Promise<number> {
  const server = http.createServer((_, answer) => answer.writeHead(status).end('stuck')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // of a TCP server
}

async function checkWith(t: ExecutionContext, yaml: string, env: Record<string, string> = {}) {
  const lines: string[] = [];
  const cwd = folderFor(t, { 'ferrule.yaml': yaml });
  const code = await runLiveCheck({ cwd, env, wait: '5s', out: (line) => lines.push(line) });
  return { code, said: lines.join('\n') };
}

test('a gateway whose config file has a mistake meanwhile is asked where the file says, and is live', async (t) => {
  const port = await serverFor(t, 200);
  const { code, said } = await checkWith(t, `http: { listen: "127.0.0.1:${port}" }\n${BAD_DEVICE}`);
  t.is(said, `live (http://127.0.0.1:${port}/health/live; the config cannot be read, see ferrule check)`);
  t.is(code, 0);
});

test('where nobody listens at the address of a config with mistakes, nothing is known, and nothing is to be ended', async (t) => {
  const port = await freePort();
  const { code, said } = await checkWith(t, `http: { listen: "127.0.0.1:${port}" }\n${BAD_DEVICE}`);
  t.regex(said, /^not known: connect ECONNREFUSED .*; the config cannot be read, see ferrule check\)$/);
  t.is(code, 0);
});

test('the address of the environment counts where the file is no YAML', async (t) => {
  const listen = `127.0.0.1:${await serverFor(t, 200)}`;
  t.is((await checkWith(t, NO_YAML, { FERRULE_HTTP__LISTEN: listen })).code, 0);
  const stuck = await checkWith(t, NO_YAML, { FERRULE_HTTP__LISTEN: `127.0.0.1:${await serverFor(t, 503)}` });
  t.regex(stuck.said, /^not live: status 503 stuck/);
  t.is(stuck.code, 1);
  const away = await checkWith(t, NO_YAML, { FERRULE_HTTP__LISTEN: `127.0.0.1:${await freePort()}` });
  t.regex(away.said, /^not known: /);
  t.is(away.code, 0);
});

test('with a good config, an address where nobody listens is a gateway that is not live', async (t) => {
  const { code, said } = await checkWith(t, `http: { listen: "127.0.0.1:${await freePort()}" }\ndevices: {}\n`);
  t.regex(said, /^not live: connect ECONNREFUSED /);
  t.is(code, 1);
});

test('port 0 cannot be asked, and nobody else is asked in its place', async (t) => {
  const { code, said } = await checkWith(t, 'http: { listen: "127.0.0.1:0" }\ndevices: {}\n');
  t.is(said, 'not known: the port in http.listen is 0, which lets the system choose one; --live needs a fixed port');
  t.is(code, 1);
  t.is((await checkWith(t, `http: { listen: "127.0.0.1:0" }\n${BAD_DEVICE}`)).code, 0);
});
