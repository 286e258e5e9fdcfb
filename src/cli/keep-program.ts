// The last step of a build, and of an image for another machine: runs a small gateway for a moment, and keeps what the engine has
// compiled of the program meanwhile. See `program.ts`.
//
//   node dist/src/cli/keep-program.js        prints what it has kept; exit code 1 and the reason where it could not

import './small-heap.js'; // code is kept for these flags of the engine
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { codeFileOf, compile, keepCode, type Program, programFile } from './program.js';

/** How long the device may take to be opened, ms: an emulated board needs many seconds. */
const OPEN_LIMIT_MS = 120_000;
const LINE = 'what is compiled now need not be compiled at the next start\n';
const LINES_EVERY_MS = 20;
const WORK_MS = 600;

let dir: string | undefined;
try {
  dir = mkdtempSync(path.join(tmpdir(), 'ferrule-build-'));
  await keepProgram(dir);
} catch (error) {
  process.stderr.write(`no compiled code is kept, every start will take longer: ${error}\n`);
  process.exitCode = 1;
} finally {
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
}
process.exit();

async function keepProgram(folder: string): Promise<void> {
  const device = await listen();
  const { port } = device.server.address() as AddressInfo;
  const config = path.join(folder, 'ferrule.yaml');
  writeFileSync(config, configOf(folder, port));
  forgetEnvironment();
  process.argv = [process.execPath, programFile, 'run', '--config', config];
  const program = compile<Program>(programFile);
  const ended = program.run().runCommandLine();
  const exitCode = await Promise.race([ended, work(device.opened).then(() => ended)]);
  if (exitCode !== 0) throw new Error(`a gateway with one device ended with exit code ${exitCode}`);
  const code = program.code();
  keepCode(programFile, code);
  forgetOthers();
  process.stdout.write(`kept ${code.length} bytes of compiled code in ${codeFileOf(programFile)}\n`);
}

/** Lets the gateway work for as long as it took to start, and until HTTP is there; ends it. */
async function work(opened: Promise<unknown>): Promise<void> {
  const limit = pass(OPEN_LIMIT_MS, 'late', { ref: false });
  if ((await Promise.race([opened, limit])) === 'late')
    throw new Error('the gateway did not open a device on 127.0.0.1');
  await pass(Math.max(WORK_MS, performance.now()));
  process.kill(process.pid, 'SIGTERM');
}

/** A device that talks to whoever connects. */
async function listen() {
  const server = net.createServer(talk);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  server.unref();
  return { server, opened: once(server, 'connection') };
}

function talk(socket: Socket): void {
  socket.on('error', () => {}); // the gateway may end first
  socket.resume();
  const timer = setInterval(() => socket.write(LINE), LINES_EVERY_MS);
  socket.on('close', () => clearInterval(timer));
}

/** What the machine that has built the program has kept for itself, where this is another. */
function forgetOthers(): void {
  const folder = path.dirname(programFile);
  const own = path.basename(codeFileOf(programFile));
  for (const name of readdirSync(folder)) {
    if (name.includes('.code') && name !== own) rmSync(path.join(folder, name));
  }
}

/** Overrides are for the gateway that will run here, and so are the sockets of its service manager. */
function forgetEnvironment(): void {
  const names = Object.keys(process.env).filter((name) => name.startsWith('FERRULE_') || name === 'NOTIFY_SOCKET');
  for (const name of names) delete process.env[name];
}

/** A socket and a serial port (which is none, and has no speed to set), HTTP and a broker: what most gateways have. */
function configOf(folder: string, port: number): string {
  return JSON.stringify({
    gateway: { id: 'build', data_dir: path.join(folder, 'data') },
    log: { level: 'error' },
    http: { listen: '127.0.0.1:0' },
    mqtt: { url: 'embedded', embedded: { port: 0 } },
    devices: {
      socket: { driver: 'lines', link: `tcp://127.0.0.1:${port}` },
      serial: { driver: 'lines', link: 'serial:/dev/ptmx?baud_rate=9600' },
    },
  });
}
