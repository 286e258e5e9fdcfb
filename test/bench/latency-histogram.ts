// Percentiles of millions of latencies in a few kilobytes: buckets that are 1 us wide up to 128 us and then at most 1/64 of their
// value, so that a percentile is exact to 1.6 %. Largest and count are exact.

export interface LatencyFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Values below are their own bucket; above, each doubling has half as many buckets. */
const EXACT = 128;
const PER_DOUBLING = EXACT / 2;
/** Up to 2^47 us. */
const BUCKETS = EXACT + PER_DOUBLING * 40;

export class LatencyHistogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #maxUs = 0;

  /** Counts one; less than nothing (two clocks read at once) counts as nothing. */
  add(latencyUs: number): void {
    const us = Math.max(0, latencyUs);
    const at = Math.min(BUCKETS - 1, bucketOf(us));
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    this.#count += 1;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** The latency that `share` (0 to 1) of all do not exceed, ms; NaN when there are none. */
  percentileMs(share: number): number {
    if (this.#count === 0) return Number.NaN;
    let rest = Math.max(1, Math.ceil(share * this.#count));
    for (let at = 0; at < BUCKETS; at += 1) {
      rest -= this.#buckets[at] ?? 0;
      if (rest <= 0) return Math.min(highestOf(at), this.#maxUs) / 1000;
    }
    return this.#maxUs / 1000;
  }

  figures(): LatencyFigures {
    return {
      count: this.#count,
      p50Ms: this.percentileMs(0.5),
      p99Ms: this.percentileMs(0.99),
      p999Ms: this.percentileMs(0.999),
      maxMs: this.#count === 0 ? Number.NaN : this.#maxUs / 1000,
    };
  }
}

function bucketOf(us: number): number {
  if (us < EXACT) return Math.floor(us);
  const doubling = Math.floor(Math.log2(us / EXACT));
  const width = 2 ** (doubling + 1);
  return EXACT + doubling * PER_DOUBLING + Math.floor((us - EXACT * 2 ** doubling) / width);
}

/** The largest whole value that falls into a bucket. */
function highestOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doubling = Math.floor((bucket - EXACT) / PER_DOUBLING);
  const width = 2 ** (doubling + 1);
  return EXACT * 2 ** doubling + (((bucket - EXACT) % PER_DOUBLING) + 1) * width - 1;
}
