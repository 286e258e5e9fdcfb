// When to leave acknowledgements unread for a while, so that they gather. A broker that acknowledges message by message
// (mosquitto) wakes us for one to three of them otherwise, and a wake-up costs 50 to 100 us where the message itself costs two.
//
//   wide window      write 512 -> rest 1 ms  -> read 80 acknowledgements -> write 80 -> rest 1 ms ...
//   narrow, and full  write 20 -> nap 0.1 ms -> read 9 acknowledgements  -> write 9  -> nap 0.1 ms ...
//
// Nothing can get stuck in it: it takes a set time, while acknowledgements are owed. In a rest only reading pauses, and what may
// be sent is sent. In a nap the thread sleeps: a timer cannot be shorter than a millisecond, in which a window of 20 runs dry.

import type { Clock } from '../core/clock.js';

/**
 * With this many unacknowledged, besides what is sent now, a broker has work for a millisecond (mosquitto takes 50 to 90 in one),
 * and the rest costs no throughput. A narrower window runs dry meanwhile: resting at 64 cost up to half of the lines per second,
 * at 20 (as mosquitto comes) more than half, and saved 40 % of the CPU per line.
 */
const WORK_FOR_A_MS = 96;
/** With this many on their way, all of them, a broker has work for a nap. */
const WORK_FOR_A_NAP = 16;
/**
 * What a nap takes, ms; the system adds some 0.06. With mosquitto's window of 20 it halves the CPU per line and brings a third more
 * lines, since the broker is woken less often, too. A longer one saves little more and lets the window run dry.
 */
export const NAP_MS = 0.1;
/** Acknowledgements that come no faster than this, ms, are not gathered by naps. */
const QUICK_MS = 1;
/** Where this many come together by themselves, there is nothing to gain: the broker or the network gathers them. */
const MANY_FOR_A_REST = 16;
const MANY_FOR_A_NAP = 8;
/** After so many in a row it is looked again how many come together without. */
const IN_A_ROW = 16;

/** Whether to gather, from what was read together and what the broker has still to do. */
class Streak {
  readonly #leastWork: number;
  readonly #many: number;
  #left = 0;

  constructor(leastWork: number, many: number) {
    this.#leastWork = leastWork;
    this.#many = many;
  }

  isDue(read: number, work: number): boolean {
    if (work < this.#leastWork) this.#left = 0;
    else if (this.#left > 0) this.#left -= 1;
    else if (read < this.#many) this.#left = IN_A_ROW;
    return this.#left > 0;
  }
}

export class AckRest {
  readonly #clock: Clock;
  readonly #rests = new Streak(WORK_FOR_A_MS, MANY_FOR_A_REST);
  readonly #naps = new Streak(WORK_FOR_A_NAP, MANY_FOR_A_NAP);
  /** Acknowledgements of the read at hand. */
  #read = 0;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An acknowledgement has been read. */
  acked(): void {
    this.#read += 1;
  }

  /**
   * All that were read together have been told, where so many were still `owed`, and what may be sent has been: what to do now.
   * `window`: how many are on their way where others wait for their acknowledgements, else 0.
   */
  next(owed: number, window: number): 'rest' | 'nap' | 'go-on' {
    const read = this.#read;
    this.#read = 0;
    if (this.#rests.isDue(read, owed)) return 'rest';
    if (window === 0) return 'go-on';
    const now = this.#clock.now();
    const isQuick = now - this.#readAt < QUICK_MS;
    this.#readAt = now;
    return isQuick && this.#naps.isDue(read, window) ? 'nap' : 'go-on';
  }
}
