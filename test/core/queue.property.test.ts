// The queue against a model of it: random interleavings of everything that can be done to it. The model is the obvious
// queue, an array and two lists of waiters, and says beforehand how each wait must end.

import { getEventListeners } from 'node:events';
import test from 'ava';
import { type FullPolicy, MessageQueue, type PutResult } from '../../src/core/queue.js';
import { fc } from '../support/properties.js';

interface Item {
  readonly id: number;
  readonly weight: number;
}

type Step =
  | { readonly op: 'put'; readonly weight: number }
  | { readonly op: 'take' | 'ready' | 'room'; readonly signal: number }
  | { readonly op: 'abort'; readonly signal: number }
  | { readonly op: 'poll' | 'takeAll' | 'close' | 'settle' };

interface Wait {
  readonly kind: 'take' | 'ready' | 'room';
  readonly signal: number;
  /** How the model says that it ends: an item's id, or a word. */
  expected: number | string | undefined;
  readonly answer: Promise<number | string>;
}

const SIGNALS = 3;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('put' as const), weight: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom('take' as const, 'take' as const, 'ready' as const, 'room' as const),
      signal: fc.integer({ min: -1, max: SIGNALS - 1 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constantFrom('poll' as const, 'poll' as const, 'takeAll' as const) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('abort' as const), signal: fc.nat(SIGNALS - 1) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('close' as const) }) },
);

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

class Harness {
  readonly queue: MessageQueue<Item>;
  readonly #controllers = Array.from({ length: SIGNALS }, () => new AbortController());
  readonly #capacity: number;
  readonly #policy: FullPolicy;
  readonly #dropped: number[] = [];
  readonly #expectedDrops: number[] = [];
  readonly #waits: Wait[] = [];
  #held: Item[] = [];
  #accepted: number[] = [];
  #out: number[] = [];
  #nextId = 0;
  #isClosed = false;
  #wasRefused = false;

  constructor(capacity: number, policy: FullPolicy) {
    this.#capacity = capacity;
    this.#policy = policy;
    this.queue = new MessageQueue<Item>({
      capacity,
      whenFull: policy,
      weigh: (item) => item.weight,
      onDrop: (item) => this.#dropped.push(item.id),
    });
  }

  async apply(next: Step): Promise<void> {
    if (next.op === 'put') this.#put(next.weight);
    else if (next.op === 'abort') this.#abort(next.signal);
    else if (next.op === 'poll') this.#poll();
    else if (next.op === 'takeAll') this.#takeAll();
    else if (next.op === 'close') this.#close();
    else if (next.op === 'settle') await new Promise((resolve) => setImmediate(resolve));
    else if ('signal' in next) this.#wait(next.op, next.signal);
    this.#compare();
  }

  /** Ends what still waits and holds every answer against the model's. */
  async finish(): Promise<void> {
    this.#close();
    this.#takeAll();
    for (const wait of this.#waits) {
      const answer = await wait.answer;
      check(answer === wait.expected, `${wait.kind} answered ${answer}, the model says ${wait.expected}`);
    }
    for (const { signal } of this.#controllers) {
      check(getEventListeners(signal, 'abort').length === 0, 'a listener was left behind');
    }
    const drops = new Set(this.#dropped);
    check(drops.size === this.#dropped.length, 'an item was dropped twice');
    const kept = this.#accepted.filter((id) => !drops.has(id));
    check(String(this.#out) === String(kept), `went in ${kept}, came out ${this.#out}`);
    check(String(this.#dropped) === String(this.#expectedDrops), 'dropped others than the policy says');
  }

  get #weight(): number {
    return this.#held.reduce((sum, item) => sum + item.weight, 0);
  }

  get #hasRoom(): boolean {
    return !this.#wasRefused && (this.#held.length === 0 || this.#weight < this.#capacity);
  }

  #compare(): void {
    const { queue } = this;
    check(queue.length === this.#held.length, `length ${queue.length}, the model says ${this.#held.length}`);
    check(queue.weight === this.#weight, `weight ${queue.weight}, the model says ${this.#weight}`);
    check(queue.weight <= this.#capacity || queue.length === 1, `weight ${queue.weight} above capacity`);
    check(queue.dropped === this.#expectedDrops.length, `dropped ${queue.dropped}`);
    check(queue.hasRoom === this.#hasRoom, `hasRoom ${queue.hasRoom}`);
    check(queue.closed === this.#isClosed, 'closed');
  }

  #put(weight: number): void {
    const item = { id: this.#nextId++, weight };
    const expected = this.#modelPut(item);
    const result = this.queue.put(item);
    check(result === expected, `put answered ${result}, the model says ${expected}`);
  }

  #modelPut(item: Item): PutResult {
    if (this.#isClosed) return 'closed';
    const taker = this.#pending('take')[0];
    if (taker !== undefined) {
      taker.expected = item.id;
      this.#accepted.push(item.id);
      this.#out.push(item.id);
      return 'queued';
    }
    const fits = this.#held.length === 0 || this.#weight + item.weight <= this.#capacity;
    if (!fits && this.#policy === 'reject') {
      this.#wasRefused = true;
      return 'rejected';
    }
    if (!fits && this.#policy === 'drop-newest') {
      this.#expectedDrops.push(item.id);
      return 'dropped-newest';
    }
    while (this.#held.length > 0 && this.#weight + item.weight > this.#capacity) {
      this.#expectedDrops.push((this.#held.shift() as Item).id);
    }
    this.#held.push(item);
    this.#accepted.push(item.id);
    this.#end('ready', 'ready');
    if (!fits && this.#hasRoom) this.#end('room', 'room');
    return fits ? 'queued' : 'dropped-oldest';
  }

  #poll(): void {
    const expected = this.#modelShift();
    const taken = this.queue.poll();
    check(taken === undefined ? expected === undefined : taken.ok && taken.item.id === expected?.id, 'poll');
  }

  #modelShift(): Item | undefined {
    const item = this.#held.shift();
    if (item === undefined) return undefined;
    this.#out.push(item.id);
    this.#wasRefused = false;
    if (this.#held.length === 0) this.#end('room', 'room');
    else if (this.#hasRoom) this.#endFirst('room', 'room');
    return item;
  }

  #takeAll(): void {
    const into: Item[] = [];
    const count = this.queue.takeAll(into);
    check(
      count === into.length && String(into.map((item) => item.id)) === String(this.#held.map((item) => item.id)),
      'takeAll',
    );
    while (this.#modelShift() !== undefined);
  }

  #close(): void {
    this.queue.close();
    this.#isClosed = true;
    for (const kind of ['take', 'ready', 'room'] as const) this.#end(kind, 'closed');
  }

  #abort(signal: number): void {
    this.#controllers[signal]?.abort();
    for (const wait of this.#waits) if (wait.signal === signal) wait.expected ??= 'aborted';
  }

  #wait(kind: Wait['kind'], signal: number): void {
    const stop = this.#controllers[signal]?.signal;
    const expected = stop?.aborted ? 'aborted' : this.#modelWait(kind);
    const answer =
      kind === 'take'
        ? this.queue.take(stop).then((taken) => (taken.ok ? taken.item.id : taken.why))
        : this.queue[kind](stop);
    this.#waits.push({ kind, signal, expected, answer });
  }

  #modelWait(kind: Wait['kind']): number | string | undefined {
    if (kind === 'room') return this.#isClosed ? 'closed' : this.#hasRoom ? 'room' : undefined;
    if (this.#held.length > 0) return kind === 'ready' ? 'ready' : this.#modelShift()?.id;
    return this.#isClosed ? 'closed' : undefined;
  }

  #pending(kind: Wait['kind']): Wait[] {
    return this.#waits.filter((wait) => wait.kind === kind && wait.expected === undefined);
  }

  #endFirst(kind: Wait['kind'], how: string): void {
    const first = this.#pending(kind)[0];
    if (first !== undefined) first.expected = how;
  }

  #end(kind: Wait['kind'], how: string): void {
    for (const wait of this.#pending(kind)) wait.expected = how;
  }
}

test('under random interleavings nothing is lost, duplicated, reordered or held above capacity, and every wait ends', async (t) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10 }),
        fc.constantFrom<FullPolicy>('reject', 'drop-oldest', 'drop-newest'),
        fc.array(step, { maxLength: 80 }),
        async (capacity, policy, steps) => {
          const harness = new Harness(capacity, policy);
          for (const next of steps) await harness.apply(next);
          await harness.finish();
        },
      ),
      { numRuns: 600 },
    ),
  );
});

test('several producers and consumers that wait for each other move everything across', async (t) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        async (capacity, loads, consumers) => {
          const queue = new MessageQueue<Item & { from: number }>({
            capacity,
            whenFull: 'reject',
            weigh: (item) => item.weight,
          });
          const produce = async (from: number, weights: readonly number[]): Promise<void> => {
            for (const [id, weight] of weights.entries()) {
              while (queue.put({ id, weight, from }) === 'rejected') check((await queue.room()) === 'room', 'no room');
            }
          };
          const got: { id: number; from: number }[] = [];
          const consume = async (): Promise<void> => {
            for (let taken = await queue.take(); taken.ok; taken = await queue.take()) got.push(taken.item);
          };
          const ends = Array.from({ length: consumers }, consume);
          await Promise.all(loads.map((weights, from) => produce(from, weights)));
          queue.close();
          await Promise.all(ends);
          for (const [from, weights] of loads.entries()) {
            const ids = got.filter((item) => item.from === from).map((item) => item.id);
            check(String(ids) === String([...weights.keys()]), `producer ${from}: ${ids}`);
          }
        },
      ),
      { numRuns: 200 },
    ),
  );
});
