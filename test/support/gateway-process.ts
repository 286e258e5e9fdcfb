// The real, built gateway as a process of its own: `node dist/src/cli/main.js run -c FILE`. Its JSON log is collected line by
// line, so that a test waits for what the gateway says of itself. Ended by its process id, also when the test fails.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from './eventually.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
/** What a failed wait shows of the log. */
const SHOWN_LINES = 15;

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly group?: string;
  readonly thread?: string;
  readonly [field: string]: unknown;
}

/** How the process ended: `code` of an exit, or the signal that killed it. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** performance.now() at the end. */
  readonly at: number;
}

export interface GatewayStart {
  /** The config file: its text, or what it says. */
  readonly config: string | object;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of `run -c FILE`. `{config}` stands for the file. */
  readonly args?: readonly string[];
}

export interface GatewayProcess {
  readonly pid: number;
  /** Folder of the config file; gone after `stop`. */
  readonly dir: string;
  /** The log so far. What is no JSON comes as level `text`. */
  readonly log: readonly LogLine[];
  /** What it wrote to stderr so far. */
  readonly stderr: string;
  /** The first line, also of those already there, that fits; a string fits where the message contains it. */
  waitForLog(fits: string | ((line: LogLine) => boolean), withinMs?: number): Promise<LogLine>;
  signal(signal: NodeJS.Signals): void;
  readonly exited: Promise<ProcessEnd>;
  /** Waits for the end; rejects with the end of the log after `withinMs`. */
  end(withinMs?: number): Promise<ProcessEnd>;
  /** SIGKILL if it still runs; removes the folder. For teardown; idempotent. */
  stop(): Promise<void>;
}

interface LogWaiter {
  readonly fits: (line: LogLine) => boolean;
  readonly found: (line: LogLine) => void;
}

/** Starts a gateway. Does not wait until it is up: use `waitForLog`. */
export function startGateway({ config, env = {}, args = ['run', '-c', '{config}'] }: GatewayStart): GatewayProcess {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-e2e-'));
  const file = path.join(dir, 'ferrule.yaml');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config, null, 1)); // JSON is YAML too
  const child = spawn(process.execPath, [MAIN, ...args.map((arg) => arg.replaceAll('{config}', file))], {
    cwd: dir,
    // Not measured for coverage: writing that would take its part of the deadline of a shutdown.
    env: { ...process.env, NODE_V8_COVERAGE: '', ...(isAboutHttp(config) ? {} : NO_HTTP), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new RunningGateway(child, dir);
}

/** Two gateways on one machine would meet on the default port, and say so. */
const NO_HTTP = { FERRULE_HTTP: 'false' };

function isAboutHttp(config: GatewayStart['config']): boolean {
  return typeof config === 'string' ? /^http:/m.test(config) : 'http' in config;
}

class RunningGateway implements GatewayProcess {
  readonly dir: string;
  readonly log: LogLine[] = [];
  readonly exited: Promise<ProcessEnd>;
  stderr = '';
  readonly #child: ChildProcess;
  readonly #waiters = new Set<LogWaiter>();
  readonly #killAtExit = (): void => void this.#child.kill('SIGKILL');

  constructor(child: ChildProcess, dir: string) {
    this.#child = child;
    this.dir = dir;
    process.once('exit', this.#killAtExit); // a test that timed out tears nothing down
    child.stderr?.on('data', (text) => (this.stderr = (this.stderr + text).slice(-20_000)));
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (text) => this.#take(parseLine(text)));
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, at: performance.now() }));
    });
    this.exited.catch(() => {}); // reported to whoever waits for it
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  waitForLog(fits: string | ((line: LogLine) => boolean), withinMs = PATIENCE_MS): Promise<LogLine> {
    const test = typeof fits === 'string' ? (line: LogLine): boolean => line.msg.includes(fits) : fits;
    const there = this.log.find(test);
    if (there) return Promise.resolve(there);
    const found = new Promise<LogLine>((resolve, reject) => {
      this.#waiters.add({ fits: test, found: resolve });
      const ended = (): void => reject(new Error(`the gateway ended without a log line ${fits}\n${this.#tail()}`));
      this.exited.then(ended, reject);
    });
    return this.#within(found, `a log line ${fits}`, withinMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  end(withinMs = PATIENCE_MS): Promise<ProcessEnd> {
    return this.#within(this.exited, 'the end of the gateway', withinMs);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited.catch(() => {});
    process.off('exit', this.#killAtExit);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #take(line: LogLine): void {
    this.log.push(line);
    for (const waiter of this.#waiters) {
      if (!waiter.fits(line)) continue;
      this.#waiters.delete(waiter);
      waiter.found(line);
    }
  }

  #within<T>(work: Promise<T>, what: string, withinMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error(`waited ${withinMs} ms in vain for ${what}\n${this.#tail()}`));
      const timer = setTimeout(fail, withinMs);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  #tail(): string {
    const lines = this.log.slice(-SHOWN_LINES).map(({ level, group = '', msg }) => `  ${level} ${group} ${msg}`);
    return [...lines, this.stderr].join('\n');
  }
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text);
  } catch {
    return { level: 'text', msg: text };
  }
}
