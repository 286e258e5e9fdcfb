import test from 'ava';
import { fc } from '../support/properties.js';
import { LatencyHistogram } from './latency-histogram.js';

function of(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

test('of nothing there is no percentile', (t) => {
  const { count, p50Ms, maxMs } = of([]).figures();
  t.deepEqual([count, p50Ms, maxMs], [0, Number.NaN, Number.NaN]);
});

test('up to 127 us percentiles are exact', (t) => {
  const { p50Ms, p99Ms, maxMs } = of(Array.from({ length: 100 }, (_, n) => n + 1)).figures();
  t.deepEqual([p50Ms, p99Ms, maxMs], [0.05, 0.099, 0.1]);
});

test('one late line in a thousand is seen by the maximum and p99.9, not by p99', (t) => {
  const { p99Ms, p999Ms, maxMs } = of([...Array.from({ length: 998 }, () => 100), 50_000, 50_000]).figures();
  t.deepEqual([p99Ms, p999Ms, maxMs], [0.1, 50, 50]);
});

test('a percentile is never below the true one, and at most 1.6 % above', (t) => {
  const latencies = fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(latencies, fc.constantFrom(0.5, 0.9, 0.99, 0.999), (values, share) => {
      const sorted = [...values].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
      const found = of(values).percentileMs(share) * 1000;
      t.true(found >= exact - 0.001 && found <= exact * 1.016 + 0.001, `${found} for ${exact}`);
    }),
  );
});

test('a clock read in the wrong order counts as no latency', (t) => {
  t.is(of([-5]).figures().maxMs, 0);
});
