// Judges a gateway that runs somewhere unusual: in a chroot, under emulation. A broker and a TCP device stand outside, on
// loopback; the gateway has its config from the environment alone. It passes when a reading of the device is on the broker, the
// health check (if given) says 0, and SIGTERM ends it with 0.
//
//   node first-reading.mjs [--limit SECONDS] [--root] [--health JSON_COMMAND] -- COMMAND...
//
// --root  allow the gateway to run as root; else it must not
// Prints figures as one line of JSON; exit 1 with the reason and the gateway's last lines.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values: options, positionals: command } = parseArgs({
  options: { limit: { type: 'string', default: '60' }, health: { type: 'string' }, root: { type: 'boolean' } },
  allowPositionals: true,
});
const LIMIT_MS = Number(options.limit) * 1000;
const READING = '42.5 kg';
const folder = mkdtempSync(path.join(tmpdir(), 'ferrule-smoke-'));
const children = [];
let output = '';

function start(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

function within(promise, what, limitMs = LIMIT_MS) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

async function listen(onSocket) {
  const server = net.createServer(onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A scale that says its weight five times a second to whoever connects. */
function startDevice() {
  return listen((socket) => {
    const timer = setInterval(() => socket.write(`${READING}\n`), 200);
    socket.on('close', () => clearInterval(timer)).on('error', () => {});
  });
}

async function startBroker() {
  const holder = await listen(() => {});
  const { port } = holder.address();
  await new Promise((resolve) => holder.close(resolve));
  const file = path.join(folder, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  start('mosquitto', ['-c', file]);
  for (let tries = 0; tries < 600; tries += 1) {
    const socket = net.connect(port, '127.0.0.1');
    const answer = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    );
    socket.destroy();
    if (answer) return port;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('mosquitto did not start');
}

function configFor(brokerPort, devicePort) {
  return JSON.stringify({
    gateway: { id: 'smoke' },
    mqtt: { url: `mqtt://127.0.0.1:${brokerPort}` },
    devices: { scale: { driver: 'lines', link: `tcp://127.0.0.1:${devicePort}` } },
  });
}

function startGateway(env) {
  const gateway = start(command[0], command.slice(1), { ...process.env, ...env });
  for (const pipe of [gateway.stdout, gateway.stderr]) pipe.on('data', (text) => (output = (output + text).slice(-4000)));
  gateway.ended = once(gateway, 'exit');
  return gateway;
}

/** The first reading on the broker, or the end of the gateway. */
async function firstReading(port, gateway) {
  const subscriber = start('mosquitto_sub', ['-h', '127.0.0.1', '-p', String(port), '-t', 'ferrule/smoke/scale', '-C', '1']);
  const died = gateway.ended.then(([code, signal]) => {
    throw new Error(`the gateway ended with ${code ?? signal}`);
  });
  died.catch(() => {});
  const [text] = await within(Promise.race([once(subscriber.stdout, 'data'), died]), 'the first reading');
  if (text.toString().trim() !== READING) throw new Error(`wrong reading: ${text}`);
}

function statusOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const uid = field('Uid').split(/\s/)[0];
  const rssMb = Math.round(Number.parseInt(field('VmRSS'), 10) / 1024);
  return { uid, groups: field('Groups').trim(), no_new_privs: field('NoNewPrivs'), dev: devOf(pid), rss_mb: rssMb };
}

/** The kind of file system that the process sees as /dev: the last one that was mounted there. */
function devOf(pid) {
  const mounts = readFileSync(`/proc/${pid}/mounts`, 'utf8').split('\n').map((line) => line.split(' '));
  return mounts.filter(([, at]) => at === '/dev').at(-1)?.[2] ?? 'none';
}

async function checkHealth() {
  const [program, ...args] = JSON.parse(options.health);
  const health = start(program, args);
  let said = '';
  for (const pipe of [health.stdout, health.stderr]) pipe.on('data', (text) => (said += text));
  const [code] = await within(once(health, 'exit'), 'the health check');
  if (code !== 0) throw new Error(`the health check ended with ${code}: ${said}`);
}

async function judge() {
  const device = await startDevice();
  try {
    const port = await startBroker();
    const startedAt = performance.now();
    const gateway = startGateway({ FERRULE_CONFIG: configFor(port, device.address().port) });
    await firstReading(port, gateway);
    const firstReadingMs = Math.round(performance.now() - startedAt);
    const status = statusOf(gateway.pid);
    if (status.uid === '0' && options.root !== true) throw new Error('the gateway runs as root');
    if (options.health !== undefined) await checkHealth();
    const stoppedAt = performance.now();
    gateway.kill('SIGTERM');
    const [code, signal] = await within(gateway.ended, 'the end after SIGTERM', 15_000);
    if (code !== 0) throw new Error(`SIGTERM ended it with ${code ?? signal}, not 0`);
    const stopMs = Math.round(performance.now() - stoppedAt);
    return { first_reading_ms: firstReadingMs, stop_ms: stopMs, ...status, health: options.health === undefined ? 'not asked' : 'ok' };
  } finally {
    device.close();
  }
}

try {
  process.stdout.write(`${JSON.stringify(await judge())}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n${output}\n`);
  process.exitCode = 1;
} finally {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
