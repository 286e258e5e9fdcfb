// Checks lines as they arrive: each device numbers its own from 0, so that a gap is a loss until it is filled (then it was out of
// order), and a number seen before is a repetition. Keeps only the gaps, not the lines: millions of them cost nothing.

import { type LatencyFigures, LatencyHistogram } from './latency-histogram.js';
import { deviceAt, isIntact, numberAt, timeAt } from './stamped-line.js';

/** What has arrived, over all devices. */
export interface LineFigures {
  /** Lines as sent, repetitions not counted. */
  readonly received: number;
  /** Numbers below the highest of their device that have not come, and those that were sent above it. */
  readonly lost: number;
  readonly doubled: number;
  /** Lines that came after one with a higher number. */
  readonly outOfOrder: number;
  /** Payloads that are not as sent: cut, joined, garbled. */
  readonly damaged: number;
  readonly latency: LatencyFigures;
}

interface DeviceState {
  next: number;
  readonly gaps: Set<number>;
}

/** A gap wider than this is counted, not remembered number by number: late lines out of it then count as repetitions. */
const MAX_GAP = 1_000_000;

/** See the head of this file. */
export class LineCheck {
  readonly #devices = new Map<number, DeviceState>();
  #latency = new LatencyHistogram();
  #received = 0;
  #wide = 0;
  #doubled = 0;
  #outOfOrder = 0;
  #damaged = 0;

  /** Lines as sent, so far. */
  get received(): number {
    return this.#received;
  }

  /** Takes the payload of `length` bytes at `at`, received at `nowUs`. Gives the time at which it was sent, or `damaged`. */
  take(bytes: Buffer, at: number, length: number, nowUs: number): number | 'damaged' {
    if (!isIntact(bytes, at, length)) {
      this.#damaged += 1;
      return 'damaged';
    }
    this.#count(this.#stateOf(deviceAt(bytes, at)), numberAt(bytes, at));
    const sentUs = timeAt(bytes, at);
    this.#latency.add(nowUs - sentUs);
    return sentUs;
  }

  /** Forgets the latencies so far: those of the warm-up. */
  restartLatency(): void {
    this.#latency = new LatencyHistogram();
  }

  /** The figures; `sent`: how many lines each device wrote, so that what is missing at the end counts as lost too. */
  figures(sent: ReadonlyMap<number, number> = new Map()): LineFigures {
    let lost = this.#wide;
    for (const { gaps } of this.#devices.values()) lost += gaps.size;
    for (const [device, count] of sent) lost += Math.max(0, count - (this.#devices.get(device)?.next ?? 0));
    const [received, doubled, outOfOrder, damaged] = [this.#received, this.#doubled, this.#outOfOrder, this.#damaged];
    return { received, lost, doubled, outOfOrder, damaged, latency: this.#latency.figures() };
  }

  #stateOf(device: number): DeviceState {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    const state = { next: 0, gaps: new Set<number>() };
    this.#devices.set(device, state);
    return state;
  }

  #count(state: DeviceState, number: number): void {
    if (number < state.next) {
      if (!state.gaps.delete(number)) {
        this.#doubled += 1;
        return;
      }
      this.#outOfOrder += 1;
    } else {
      if (number > state.next) this.#openGap(state, number);
      state.next = number + 1;
    }
    this.#received += 1;
  }

  #openGap(state: DeviceState, until: number): void {
    if (until - state.next > MAX_GAP) this.#wide += until - state.next;
    else for (let missing = state.next; missing < until; missing += 1) state.gaps.add(missing);
  }
}
