// A system under test as a process group of its own: what it starts ends with it. Its output goes into a file, as a service
// manager would have it, and its end is kept for when it fails.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandLine } from './system.js';

const SHOWN_BYTES = 1500;

export interface SutEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SutProcess {
  readonly pid: number;
  readonly ended: Promise<SutEnd>;
  readonly isRunning: boolean;
  /** To all of its processes, as a terminal or a service manager sends it. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it, in order if it does so in time. Idempotent. */
  stop(withinMs: number): Promise<void>;
  /** What it has written. */
  output(): string;
  /** The end of that. */
  tail(): string;
}

/** Starts it in `dir`. */
export function startSut({ command, args }: CommandLine, dir: string): SutProcess {
  const log = path.join(dir, 'output.log');
  const fd = openSync(log, 'a');
  const child = spawn(command, args, { cwd: dir, detached: true, stdio: ['ignore', fd, fd], env: plainEnvironment() });
  closeSync(fd);
  const killAtExit = (): void => signalGroup(child, 'SIGKILL');
  process.once('exit', killAtExit); // a bench that is interrupted leaves nothing behind
  const ended = new Promise<SutEnd>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const sut: SutProcess = {
    pid: child.pid ?? 0,
    ended,
    get isRunning() {
      return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
    },
    signal: (signal) => signalGroup(child, signal),
    async stop(withinMs) {
      if (sut.isRunning) signalGroup(child, 'SIGTERM');
      const timer = setTimeout(killAtExit, withinMs);
      await ended;
      clearTimeout(timer);
      killAtExit(); // members of a pipeline that have outlived their shell
      process.off('exit', killAtExit);
    },
    output: () => readFileSync(log, 'utf8'),
    tail: () => readFileSync(log, 'utf8').slice(-SHOWN_BYTES),
  };
  return sut;
}

/** A gateway would take variables that begin with FERRULE_ for its config. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('FERRULE_'));
  return { ...Object.fromEntries(kept), NODE_V8_COVERAGE: '' };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Gone already.
  }
}
