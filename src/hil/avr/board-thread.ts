// The main thread's side of a board's Worker: one worker_threads Worker from start to end, with its limits.

import { Worker } from 'node:worker_threads';
import { AvrBoardError } from './avr-board.js';
import type { BoardSetup, FromBoard, ToBoard } from './board-protocol.js';

/** Enough for the simulation; a Worker that wants more has a bug. */
const HEAP_MB = 64;

export interface BoardThreadOptions {
  readonly setup: BoardSetup;
  readonly onMessage: (message: FromBoard) => void;
  /** The Worker ended without having been asked to: a bug. Called once. */
  readonly onFailure: (error: AvrBoardError) => void;
}

export class BoardThread {
  readonly #worker: Worker;
  #ended: Promise<void> | undefined;

  constructor({ setup, onMessage, onFailure }: BoardThreadOptions) {
    this.#worker = new Worker(new URL('./board-worker.js', import.meta.url), {
      name: 'avr board',
      workerData: setup,
      argv: [],
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    let cause: unknown;
    this.#worker.on('message', onMessage);
    this.#worker.on('error', (error) => {
      cause = error;
    });
    this.#worker.on('exit', (code) => {
      if (!this.#ended)
        onFailure(new AvrBoardError('avr-board-failed', `the board's thread ended (${code})`, { cause }));
    });
  }

  post(message: ToBoard): void {
    this.#worker.postMessage(message);
  }

  /** Idempotent. */
  end(): Promise<void> {
    this.#ended ??= this.#worker.terminate().then(() => {});
    return this.#ended;
  }
}
