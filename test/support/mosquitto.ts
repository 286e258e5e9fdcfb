// A real mosquitto for a test: started on a free port of loopback, ended by its process id.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Mosquitto {
  readonly port: number;
  readonly pid: number;
  /** SIGKILL, as a crash would. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when the process is gone. Idempotent. */
  stop(): Promise<void>;
}

export interface MosquittoOptions {
  /** Lines added to `listener <port> 127.0.0.1`, `allow_anonymous true`. May use files: see `files`. */
  readonly config?: string;
  /** Files written beside the config before the start; `{dir}` in `config` is their folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** The port of one that was there before. Default: a free one. */
  readonly port?: number;
}

// Debian puts it into /usr/sbin, which is not in everybody's PATH.
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;
const START_LIMIT_MS = 30_000;

/** Whether there is a mosquitto to start. With CI=true its absence is a failure, not a reason to skip. */
export const hasMosquitto = spawnSync('mosquitto', ['-h'], { env: { ...process.env, PATH } }).error === undefined;

/** Why a test that needs mosquitto skips, or `undefined` where it must run. */
export const skipWithoutMosquitto =
  hasMosquitto || process.env.CI === 'true' ? undefined : 'skipped: mosquitto is not installed';

/** Starts one and waits until it accepts connections. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const port = options.port ?? (await freePort());
  const dir = await mkdtemp(path.join(tmpdir(), 'ferrule-mosquitto-'));
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(path.join(dir, name), text);
  const file = path.join(dir, 'mosquitto.conf');
  const rest = (options.config ?? 'allow_anonymous true').replaceAll('{dir}', dir);
  await writeFile(file, `user root\nlistener ${port} 127.0.0.1\n${rest}\n`);
  const child = spawn('mosquitto', ['-c', file], { env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (text) => (output = (output + text).slice(-4000)));
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit); // a test that timed out tears nothing down
  const gone = new Promise<void>((resolve) => {
    const onGone = (): void => {
      process.off('exit', killAtExit);
      resolve();
    };
    child.once('exit', onGone).once('error', onGone);
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await gone;
    await rm(dir, { recursive: true, force: true });
  };
  if (!(await answers(port, child))) {
    await end('SIGKILL');
    throw new Error(`mosquitto did not start: ${output || 'no output'}`);
  }
  return { port, pid: child.pid ?? 0, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

// Below the ports that the system itself gives to outgoing connections and to `listen(0)`: so nobody else is given one between
// its being found free and its being used, or while the broker on it is down. Each test process has a stretch of its own.
const FIRST_PORT = 20_000;
const STRETCH = 128;
const STRETCHES = 90;
let asked = process.pid; // also where two processes share a stretch they begin at different places

/** A port that nobody listens on right now, and that the system gives to nobody. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < STRETCH; tried += 1) {
    const port = FIRST_PORT + (process.pid % STRETCHES) * STRETCH + (asked++ % STRETCH);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port of the ${STRETCH} from ${FIRST_PORT + (process.pid % STRETCHES) * STRETCH}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  const limit = Date.now() + START_LIMIT_MS;
  while (Date.now() < limit && child.exitCode === null && child.pid !== undefined) {
    if (await accepts(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** Whether somebody listens on a port of loopback. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
