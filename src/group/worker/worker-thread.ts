// The operating system's side of a WorkerDecoder or a WorkerSession: one worker_threads Worker from start to end, with its limits. It gets its
// setup and nothing of the process: no environment, no arguments, no stdin; what it prints goes to the log.
//
// Limits that Node (20.20) sets to this: a heap that grows in steps is stopped at `heapMb`, but a single allocation that goes more
// than 16 MB over it (an array of 30 million elements) is fatal to the whole process; buffers are outside of the heap, see
// worker-watch.ts; and a thread in native code does not end before that returns.

import { Worker } from 'node:worker_threads';
import { type Clock, sleep } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import { WorkerCrash, workerError } from './worker-crash.js';
import { WorkerOutput } from './worker-output.js';

/** A thread in native code (a synchronous child process, say) cannot be terminated: not waited for longer than this. */
const END_MS = 1000;
const YOUNG_HEAP_MB = 8;

export interface WorkerThreadOptions<From> {
  readonly id: string;
  /** What its thread is called in the log. */
  readonly kind: 'decode' | 'session';
  /** The module that runs in it. */
  readonly entry: URL;
  readonly clock: Clock;
  readonly log: Log;
  /** `workerData`: what `entry` expects. */
  readonly setup: object;
  readonly heapMb: number;
  readonly onMessage: (message: From) => void;
  /** Also called for the exit that `end` brings about. After the last message, if it is the exit. */
  readonly onFailure: (crash: WorkerCrash) => void;
}

export class WorkerThread<To, From> {
  readonly #options: WorkerThreadOptions<From>;
  readonly #worker: Worker;
  #ended: Promise<void> | undefined;

  /** Throws if the setup cannot be cloned. */
  constructor(options: WorkerThreadOptions<From>) {
    this.#options = options;
    const { id, kind, entry, setup, heapMb, onMessage, onFailure } = options;
    this.#worker = new Worker(entry, {
      name: `${kind} ${id}`,
      workerData: setup,
      argv: [],
      execArgv: [],
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_HEAP_MB },
    });
    this.#worker.on('message', onMessage);
    this.#worker.on('error', (error) => onFailure(workerError(error, heapMb)));
    this.#worker.on('exit', (code) => onFailure(new WorkerCrash(`the driver ended its Worker: process.exit(${code})`)));
    this.#followOutput();
  }

  /** `transfer`: memory that the Worker takes over. */
  post(message: To, transfer: readonly ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Terminates the thread. What it had posted has been taken in when this resolves: Node drains the port first. */
  end(): Promise<void> {
    this.#ended ??= this.#terminate();
    return this.#ended;
  }

  async #terminate(): Promise<void> {
    const { clock, log, kind } = this.#options;
    const waited = new AbortController();
    const ended = this.#worker.terminate().then(() => 'ended' as const);
    const how = await Promise.race([ended, sleep(clock, END_MS, waited.signal)]);
    waited.abort();
    if (how === 'ended') return;
    this.#worker.unref();
    log.error({ thread: kind }, 'the Worker does not end, it is stuck in native code: left behind');
  }

  #followOutput(): void {
    const output = new WorkerOutput(this.#options.clock, this.#options.log);
    output.follow(this.#worker.stdout, 'stdout');
    output.follow(this.#worker.stderr, 'stderr');
  }
}
