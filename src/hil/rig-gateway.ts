// The gateway of a rig: the real daemon, `ferrule run`, as a process of its own. Its JSON log is read line by line. It cannot
// outlive the test: `stop` ends it, and should the test process die first, leash.ts does.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../core/clock.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const LEASH = new URL('./leash.js', import.meta.url).href;
const MAX_LINES = 2000;
const MAX_STDERR = 20_000;

/** One line of the gateway's log. */
export interface RigLogLine {
  /** `debug`, `info`, `warn`, `error`; `text` for what is no log line. */
  readonly level: string;
  readonly msg: string;
  /** The device, or the part of the gateway. */
  readonly group?: string;
  readonly thread?: string;
  readonly [field: string]: unknown;
}

/** How the gateway ended. */
export interface RigEnd {
  /** Exit code; null if a signal killed it. 0 = everything delivered, 1 = something left or stuck. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RigGatewayOptions {
  readonly configFile: string;
  readonly cwd: string;
  readonly clock: Clock;
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: RigLogLine) => void;
}

export class RigGateway {
  /** Resolves when the process is gone and its log is read; `undefined` if it could not be started. Never rejects. */
  readonly ended: Promise<RigEnd | undefined>;
  /** The last lines of the log. */
  readonly log: RigLogLine[] = [];
  stderr = '';
  /** How it ended, if it has. */
  end: RigEnd | undefined;
  readonly #child: ChildProcess;
  readonly #clock: Clock;

  constructor({ configFile, cwd, clock, env, onLine }: RigGatewayOptions) {
    this.#clock = clock;
    this.#child = spawn(process.execPath, ['--import', LEASH, MAIN, 'run', '-c', configFile], {
      cwd,
      env: { ...ownEnvironment(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on('error', () => {}); // the process has ended
    stderr?.on('data', (text) => (this.stderr = (this.stderr + text).slice(-MAX_STDERR)));
    if (stdout) createInterface({ input: stdout }).on('line', (text) => this.#take(parseLine(text), onLine));
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.stderr += error.message;
        if (this.#child.pid === undefined) resolve(undefined);
      });
      this.#child.once('close', (code, signal) => {
        this.end = { code, signal };
        resolve(this.end);
      });
    });
  }

  /** 0 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL if that does not help within `deadlineMs`. Idempotent. */
  async stop(deadlineMs: number): Promise<RigEnd | undefined> {
    this.#child.kill('SIGTERM');
    const kill = this.#clock.after(deadlineMs, () => this.#child.kill('SIGKILL'));
    const end = await this.ended;
    kill.cancel();
    return end;
  }

  /** The end of the log for people, with what it wrote to stderr. */
  tail(lines: number): string[] {
    const shown = this.log.slice(-lines).map(({ level, msg, group }) => `${level}  ${group ? `${group}: ` : ''}${msg}`);
    return [...shown, ...this.stderr.split('\n').filter((line) => line !== '')].map((line) => `  ${line}`);
  }

  #take(line: RigLogLine, onLine: (line: RigLogLine) => void): void {
    if (this.log.push(line) > MAX_LINES) this.log.shift();
    onLine(line);
  }
}

/** FERRULE_... are overrides of the config of a gateway, not of this one; and it is not measured for coverage. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('FERRULE_'));
  return { ...Object.fromEntries(kept), NODE_V8_COVERAGE: '' };
}

function parseLine(text: string): RigLogLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null && 'msg' in line && 'level' in line) {
      return { ...line, level: String(line.level), msg: String(line.msg) };
    }
  } catch {
    // Not of the logger.
  }
  return { level: 'text', msg: text };
}

/** For people: `code 78`, `SIGKILL`. */
export function describeEnd(end: RigEnd | undefined): string {
  return end?.signal ?? `code ${end?.code}`;
}
