// What a Node process has in use once its collector has run: asked through the inspector, which it must have been started with
// (`--inspect=127.0.0.1:0`). Tells growth from garbage that nobody was in a hurry to collect.

import { once } from 'node:events';
import { type RawData, WebSocket } from 'ws';
import { eventually } from '../support/eventually.js';
import type { SutProcess } from './sut-process.js';

const MIB = 1024 ** 2;
/** Long enough for a heap of gigabytes. */
const WITHIN_MS = 30_000;
/** Twice: what a first run finds dead may hold on to more, as native handles do. */
const COLLECTIONS = 2;

interface Answer {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: string } };
}

/** JavaScript objects and memory outside the heap that belongs to them, MiB. Runs the collector. */
export async function liveMiB(sut: SutProcess): Promise<number> {
  await eventually(() => inspectorOf(sut) !== undefined, 'the inspector');
  const socket = new WebSocket(inspectorOf(sut) ?? '');
  try {
    await once(socket, 'open');
    for (let n = 0; n < COLLECTIONS; n += 1) await ask(socket, 'HeapProfiler.collectGarbage');
    const { result } = await ask(socket, 'Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' });
    const { heapUsed, external } = JSON.parse(result?.result?.value ?? '{}') as NodeJS.MemoryUsage;
    return (heapUsed + external) / MIB;
  } finally {
    socket.terminate();
  }
}

function inspectorOf(sut: SutProcess): string | undefined {
  return /ws:\/\/\S+/.exec(sut.output())?.[0];
}

let asked = 0;

function ask(socket: WebSocket, method: string, params: object = {}): Promise<Answer> {
  asked += 1;
  const id = asked;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${method}: no answer in ${WITHIN_MS} ms`)), WITHIN_MS);
    const onMessage = (data: RawData): void => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id !== id) return;
      clearTimeout(timer);
      socket.off('message', onMessage);
      resolve(answer);
    };
    socket.on('message', onMessage);
  });
}
