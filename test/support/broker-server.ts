// A broker as a process that can be stopped and started again on the same port and store. It and what it starts are one
// process group of ours, ended as a group: RabbitMQ is a shell, a Erlang machine and its helpers.

import { type ChildProcess, spawn } from 'node:child_process';
import { eventually } from './eventually.js';
import { accepts } from './mosquitto.js';

/** Where brokers are: Debian's folder is not in everybody's PATH. */
export const SERVER_PATH = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;
const STOP_LIMIT_MS = 20_000;

export interface BrokerServer {
  readonly port: number;
  /** SIGTERM: it may write down what it has. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Starts it again; resolves when it takes connections. */
  start(): Promise<void>;
  /** SIGKILL to all of it. */
  end(): Promise<void>;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it takes MQTT connections. */
  readonly port: number;
  readonly startLimitMs: number;
}

/** Starts a broker, and waits until it takes connections. */
export async function runServer(command: ServerCommand): Promise<BrokerServer> {
  const server = new Server(command);
  await server.start();
  return server;
}

class Server implements BrokerServer {
  readonly port: number;
  readonly #command: ServerCommand;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #output = '';

  constructor(command: ServerCommand) {
    this.port = command.port;
    this.#command = command;
  }

  async start(): Promise<void> {
    const { command, args, env, port, startLimitMs } = this.#command;
    const child = spawn(command, args, {
      env: { ...process.env, PATH: SERVER_PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own
    });
    this.#child = child;
    const killAtExit = (): void => this.#signal('SIGKILL');
    process.once('exit', killAtExit); // a test that timed out tears nothing down
    for (const pipe of [child.stdout, child.stderr]) {
      pipe.on('data', (text) => (this.#output = (this.#output + text).slice(-4000)));
    }
    this.#gone = new Promise((resolve) => {
      const onGone = (): void => {
        process.off('exit', killAtExit);
        resolve();
      };
      child.once('close', onGone).once('error', onGone);
    });
    try {
      await eventually(() => accepts(port), `${command} to take connections`, startLimitMs);
    } catch (error) {
      await this.end();
      throw new Error(`${command} did not start: ${this.#output}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), STOP_LIMIT_MS);
    await this.#gone;
    clearTimeout(timer);
  }

  async end(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#gone;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#child ?? {};
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended on its own in this moment.
    }
  }
}
