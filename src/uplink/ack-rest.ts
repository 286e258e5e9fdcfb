// When to leave acknowledgements unread for a millisecond, so that they gather. A broker that acknowledges message by message
// (mosquitto) wakes us for one to three of them otherwise, and a wake-up costs 50 to 100 us where the message itself costs two.
//
//   write 512 -> rest 1 ms -> read 80 acknowledgements -> write 80 -> rest 1 ms ...
//
// Nothing can get stuck in it: only reading pauses, for a set time, while acknowledgements are owed. What may be sent is sent.

/**
 * With this many unacknowledged, besides what is sent now, a broker has work for a millisecond (mosquitto takes 50 to 90 in one),
 * and the rest costs no throughput. A narrower window runs dry meanwhile: resting at 64 cost up to half of the lines per second,
 * at 20 (as mosquitto comes) more than half, and saved 40 % of the CPU per line.
 */
const WORK_FOR_A_MS = 96;
/** Where this many come together by themselves, there is nothing to gain: the broker or the network gathers them. */
const MANY = 16;
/** After so many rests it is looked again how many come together without. */
const RESTS_IN_A_ROW = 16;

export class AckRest {
  /** Acknowledgements of the read at hand. */
  #read = 0;
  #restsLeft = 0;

  /** An acknowledgement has been read. */
  acked(): void {
    this.#read += 1;
  }

  /** All that were read together have been told: whether to rest now, where so many are still `owed`. */
  isDue(owed: number): boolean {
    const read = this.#read;
    this.#read = 0;
    if (owed < WORK_FOR_A_MS) this.#restsLeft = 0;
    else if (this.#restsLeft > 0) this.#restsLeft -= 1;
    else if (read < MANY) this.#restsLeft = RESTS_IN_A_ROW;
    return this.#restsLeft > 0;
  }
}
