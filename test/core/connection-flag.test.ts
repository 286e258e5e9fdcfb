import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ConnectionFlag } from '../../src/core/connection-flag.js';

const MODULE = new URL('../../src/core/connection-flag.js', import.meta.url).href;

/** Runs `body` in a Worker, with `flag` and the second shared word `gate` in scope; answers what it posts. */
function inWorker(flag: ConnectionFlag, gate: Int32Array, body: string): { worker: Worker; answer: Promise<unknown> } {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ ConnectionFlag }) => {
      const flag = new ConnectionFlag(workerData.buffer);
      const gate = workerData.gate;
      ${body}
    });`;
  const worker = new Worker(source, { eval: true, workerData: { module: MODULE, buffer: flag.buffer, gate } });
  return { worker, answer: once(worker, 'message').then(([message]) => message as unknown) };
}

test('a new flag is down; raising and clearing it count generations and first detectors', (t) => {
  const flag = new ConnectionFlag();
  t.false(flag.isUp);
  t.false(flag.clear());
  flag.raise();
  t.true(flag.isUp);
  t.is(flag.generation, 1);
  t.true(flag.clear());
  t.false(flag.clear());
  flag.raise();
  t.is(flag.generation, 2);
  const view = new ConnectionFlag(flag.buffer);
  t.true(view.isUp);
  t.is(view.generation, 2);
});

test('a flag that is shared late has its state and its count by then, and both sides count on', (t) => {
  const flag = new ConnectionFlag();
  flag.raise();
  flag.clear();
  flag.raise();
  const view = new ConnectionFlag(flag.buffer);
  t.deepEqual([view.isUp, view.generation], [true, 2]);
  t.true(view.clear());
  t.false(flag.isUp);
  flag.raise();
  t.deepEqual([view.isUp, view.generation, flag.generation], [true, 3, 3]);
  t.is(flag.buffer, flag.buffer);
});

test('a Worker sees the flag that the main thread sets, and the main thread the loss that the Worker reports', async (t) => {
  const flag = new ConnectionFlag();
  const gate = new Int32Array(new SharedArrayBuffer(4));
  // Blocks until the word is raised: nothing but shared memory tells it.
  const { worker, answer } = inWorker(
    flag,
    gate,
    `Atomics.wait(new Int32Array(workerData.buffer), 0, 0, 10000);
     parentPort.postMessage([flag.isUp, flag.generation, flag.clear(), flag.clear()]);`,
  );
  t.teardown(() => worker.terminate());
  flag.raise();
  t.deepEqual(await answer, [true, 1, true, false]);
  t.false(flag.isUp);
});

test('of several who clear the flag at the same time, exactly one was the first', async (t) => {
  const rounds = 200;
  const flag = new ConnectionFlag();
  const gate = new Int32Array(new SharedArrayBuffer(12)); // 0: round that may run, 1: workers done with it, 2: firsts
  const race = `
    for (let round = 1; round <= ${rounds}; round += 1) {
      while (Atomics.load(gate, 0) < round) Atomics.wait(gate, 0, round - 1, 1000);
      if (flag.clear()) Atomics.add(gate, 2, 1);
      Atomics.add(gate, 1, 1);
    }
    parentPort.postMessage('done');`;
  const racers = [inWorker(flag, gate, race), inWorker(flag, gate, race)];
  t.teardown(() => Promise.all(racers.map(({ worker }) => worker.terminate())));
  let firsts = 0;
  for (let round = 1; round <= rounds; round += 1) {
    flag.raise();
    Atomics.store(gate, 0, round);
    Atomics.notify(gate, 0);
    if (flag.clear()) firsts += 1;
    while (Atomics.load(gate, 1) < round * racers.length) await new Promise((resolve) => setImmediate(resolve));
    if (firsts + Atomics.load(gate, 2) !== round) t.fail(`round ${round}: ${firsts + Atomics.load(gate, 2)} firsts`);
  }
  await Promise.all(racers.map(({ answer }) => answer));
  t.is(firsts + Atomics.load(gate, 2), rounds);
});
