// The healthy device beside the one in trouble, with a clock: 200 numbered lines a second through a socket, each compared at
// the subscriber with the time at which it was sent. Sender and subscriber are one process, so it is one clock.

import type { ExecutionContext } from 'ava';
import { type CpuWaits, watchCpuWaits } from './cpu-waits.js';
import { type LoopStalls, watchLoopStalls } from './loop-stalls.js';
import { tally } from './numbered-lines.js';
import { type PacedWriter, startPacedWriter } from './paced-writer.js';
import type { Subscriber } from './subscriber.js';
import { startTcpDevice, type TcpDevice } from './tcp-device.js';

const LINE_BYTES = 32;
export const LINES_PER_SECOND = 200;
const STARTS_WITHIN_MS = 20_000;

/** Delays of some lines, ms. */
export interface Delays {
  readonly lines: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The longest, without the time in which this process stood still, or gateway and broker waited for a processor. */
  readonly maxOwn: number;
}

/** Makes one that is heard on `topic`; closed with the test. */
export async function startTimedNeighbour(t: ExecutionContext, subscriber: Subscriber, topic: string) {
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const stalls = watchLoopStalls();
  t.teardown(() => stalls.stop());
  return new TimedNeighbour(device, subscriber, topic, stalls);
}

export class TimedNeighbour {
  readonly device: TcpDevice;
  readonly stalls: LoopStalls;
  readonly #subscriber: Subscriber;
  readonly #topic: string;
  readonly #sentAt: number[] = [];
  readonly #arrivedAt: number[] = [];
  #writer: PacedWriter | undefined;
  #waits: readonly CpuWaits[] = [];

  constructor(device: TcpDevice, subscriber: Subscriber, topic: string, stalls: LoopStalls) {
    this.device = device;
    this.stalls = stalls;
    this.#subscriber = subscriber;
    this.#topic = topic;
    subscriber.client.on('message', (heard, payload) => {
      if (heard === topic) this.#arrivedAt[Number(payload.toString('latin1', 0, 8))] = performance.now();
    });
  }

  /** Its entry in the config. */
  get config(): { readonly driver: 'lines'; readonly link: string } {
    return { driver: 'lines', link: `tcp://127.0.0.1:${this.device.port}` };
  }

  /** Lines sent so far: the number of the next one. */
  get lines(): number {
    return this.#sentAt.length;
  }

  /** Starts to talk once the gateway has connected, and resolves when it is heard. `pids`: gateway and broker. */
  async talk(...pids: readonly number[]): Promise<void> {
    this.#waits = pids.map(watchCpuWaits);
    // Else its first lines may come beside newer ones, as kept readings do.
    await this.#subscriber.says(this.#topic.replace(/[^/]+$/, 'bridge/state'), { state: 'online' });
    const socket = await this.device.connection(STARTS_WITHIN_MS);
    const write = (bytes: Buffer): boolean => {
      if (!socket.writable) return false;
      this.#sentAt.push(performance.now());
      socket.write(bytes);
      return true;
    };
    this.#writer = startPacedWriter({
      bytesPerSecond: LINE_BYTES * LINES_PER_SECOND,
      lineBytes: LINE_BYTES,
      write,
    });
    await this.#subscriber.count(this.#topic, 10);
  }

  /** How long the lines from number `first` up to `end` (not included) took to the subscriber; they must have arrived. */
  delays(first: number, end: number): Delays {
    const lines = this.#sentAt.slice(first, end).map((sent, index) => ({ sent, at: this.#arrivedAt[first + index] }));
    const sorted: number[] = [];
    let maxOwn = 0;
    for (const { sent, at = Number.POSITIVE_INFINITY } of lines) {
      sorted.push(at - sent);
      if (at - sent > maxOwn) maxOwn = Math.max(maxOwn, at - sent - this.#machineMs(sent, at)); // looked up rarely
    }
    sorted.sort((a, b) => a - b);
    const share = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
    return { lines: lines.length, p50: share(0.5), p99: share(0.99), max: sorted.at(-1) ?? 0, maxOwn };
  }

  /** Time between two moments that was spent waiting for a processor, here and in the processes on the way. */
  #machineMs(from: number, to: number): number {
    return this.#waits.reduce((sum, waits) => sum + waits.within(from, to), this.stalls.within(from, to));
  }

  /** Falls silent and waits until its last line is at the subscriber. */
  async finish(): Promise<void> {
    this.#writer?.stop();
    for (const waits of this.#waits) waits.stop();
    this.stalls.stop();
    await this.#subscriber.count(this.#topic, this.lines).catch(() => {}); // what is missing is told by mustBeWhole
  }

  /** After `finish`: fails the test unless every line came once, in order, through one connection. */
  mustBeWhole(t: ExecutionContext): void {
    const sent = this.lines;
    const payloads = this.#subscriber.on(this.#topic).map(({ payload }) => payload);
    const found = tally(payloads, LINE_BYTES);
    t.deepEqual(found, { received: sent, lost: 0, doubled: 0, outOfOrder: 0, damaged: 0, highest: sent - 1 });
    t.is(this.device.accepted, 1, 'the connection of the neighbour was never given up');
    t.log(`neighbour at ${LINES_PER_SECOND} lines/s: ${sent} sent, ${found.lost} lost`);
  }
}

/** `p50 0.9, p99 3, max 12 ms (12 of it not the machine's) of 1000 lines`, for the log of a test. */
export function describeDelays({ lines, p50, p99, max, maxOwn }: Delays): string {
  const ms = (value: number): string => value.toFixed(1);
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)} ms (${ms(maxOwn)} of it not the machine's) of ${lines} lines`;
}
