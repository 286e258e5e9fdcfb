// A TCP peer in a process of its own, so that it can be stopped (SIGSTOP) as a board that has crashed with its sockets open.
//
//   talker    listens, says a line every 20 ms to whoever connects
//   caller    connects to a port, says a line every 20 ms
//   deaf      listens with the shortest backlog and never accepts: further connects get no answer at all

import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import type { ExecutionContext } from 'ava';

const SAY = `const say = (socket) => { let n = 0; const timer = setInterval(() => socket.write('line ' + n++ + '\\n'), 20);
  socket.on('error', () => {}).on('close', () => clearInterval(timer)).resume(); };`;
const KINDS = {
  talker: `${SAY} const server = net.createServer(say);
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`,
  caller: `${SAY} const socket = net.connect(Number(process.argv[1]), '127.0.0.1', () => console.log(socket.localPort));
  say(socket);`,
  deaf: `const server = net.createServer(); server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, server.address().port + '\\n'); process.kill(process.pid, 'SIGSTOP'); });`,
} as const;
/** More connections than a backlog of one holds. */
const FILL_LIMIT = 16;
const NO_ANSWER_MS = 500;

export interface PeerProcess {
  /** The port that it listens on, or called from. */
  readonly port: number;
  /** The process stops in its tracks; its sockets stay, the kernel answers for it. */
  freeze(): void;
  thaw(): void;
  kill(): void;
}

/** Starts a peer; killed with the test. */
export async function peerFor(t: ExecutionContext, kind: 'talker' | 'caller', port = 0): Promise<PeerProcess> {
  return start(t, kind, port);
}

/** A port on loopback at which a connect is never answered, neither accepted nor refused; ends with the test. */
export async function deafPortFor(t: ExecutionContext): Promise<number> {
  const { port } = await start(t, 'deaf');
  for (let filled = 0; filled < FILL_LIMIT; filled += 1) if (!(await isAnswered(t, port))) return port;
  throw new Error('the backlog does not fill');
}

async function start(t: ExecutionContext, kind: keyof typeof KINDS, port = 0): Promise<PeerProcess> {
  const code = `const net = require('node:net'); ${KINDS[kind]}`;
  const child = spawn(process.execPath, ['-e', code, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const ownPort = await firstNumber(child);
  return {
    port: ownPort,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => void child.kill('SIGKILL'),
  };
}

function firstNumber(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the peer ended')));
    child.stdout?.once('data', (text) => resolve(Number(text)));
  });
}

/** Connects and stays, so that the place in the backlog is taken. */
function isAnswered(t: ExecutionContext, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    t.teardown(() => void socket.destroy());
    socket.on('error', () => {});
    // After a look at the sockets: an answer may have come while this process had no processor.
    const timer = setTimeout(() => setImmediate(() => resolve(false)), NO_ANSWER_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
