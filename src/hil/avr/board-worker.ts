// Entry of a board's Worker. Started by BoardThread with a BoardSetup and nothing else: no environment, no arguments, no stdin.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import type { BoardSetup, ToBoard } from './board-protocol.js';
import { BoardRunner } from './board-runner.js';

const setup: BoardSetup = workerData; // by contract of BoardThread
const runner = new BoardRunner({ setup, clock: systemClock, post: (message) => parentPort?.postMessage(message) });
parentPort?.on('message', (message: ToBoard) => runner.handle(message));
