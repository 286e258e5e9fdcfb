import test from 'ava';
import { type Backoff, backoffDelay, DEFAULT_INTENSITY, decideRestart } from '../../src/core/restart-policy.js';
import { fc } from '../support/properties.js';

const BACKOFF: Backoff = { firstMs: 250, maxMs: 30_000 };

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const backoff = fc.record({
  firstMs: fc.integer({ min: 1, max: 60_000 }),
  maxMs: fc.integer({ min: 1, max: 600_000 }),
});
const intensity = fc.record({
  max: fc.integer({ min: 0, max: 8 }),
  windowMs: fc.integer({ min: 1, max: 60_000 }),
  probeMs: fc.integer({ min: 1, max: 600_000 }),
});

test('the ceiling of the wait doubles with each attempt up to the maximum', (t) => {
  const ceilings = [0, 1, 2, 6, 7, 8, 1000].map((attempt) => Math.round(backoffDelay(BACKOFF, attempt, 0.999999)));
  t.deepEqual(ceilings, [250, 500, 1000, 16_000, 30_000, 30_000, 30_000]);
});

test('the floor of the wait is a tenth of the first', (t) => {
  t.is(backoffDelay(BACKOFF, 0, 0), 25);
  t.is(backoffDelay(BACKOFF, 9, 0), 25);
});

test('the wait is never longer than the maximum, never negative, and never zero', (t) => {
  fc.assert(
    fc.property(backoff, fc.nat(5000), random, (options, attempt, draw) => {
      const delay = backoffDelay(options, attempt, draw);
      const floor = Math.min(options.firstMs / 10, options.maxMs);
      return delay >= floor && delay <= options.maxMs && Number.isFinite(delay);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('five crashes in a minute are restarted, the sixth is parked', (t) => {
  let crashes: readonly number[] = [];
  const actions: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    const decision = decideRestart(crashes, i * 1000, 0.5, BACKOFF);
    crashes = decision.crashes;
    actions.push(decision.action);
  }
  t.deepEqual(actions, ['restart', 'restart', 'restart', 'restart', 'restart', 'park']);
});

test('a parked group is probed after the probe time, a quarter more or less', (t) => {
  const earlier = [0, 1, 2, 3, 4];
  t.is(decideRestart(earlier, 5, 0, BACKOFF).afterMs, DEFAULT_INTENSITY.probeMs * 0.75);
  t.is(decideRestart(earlier, 5, 0.5, BACKOFF).afterMs, DEFAULT_INTENSITY.probeMs);
});

test('crashes apart by more than the window never park', (t) => {
  let crashes: readonly number[] = [];
  for (let i = 0; i < 50; i += 1) {
    const decision = decideRestart(crashes, i * 60_000, 0.5, BACKOFF);
    crashes = decision.crashes;
    t.is(decision.action, 'restart');
    t.is(crashes.length, 1);
  }
});

test('a group is parked exactly when more crashes than allowed lie within the window', (t) => {
  fc.assert(
    fc.property(intensity, fc.array(fc.nat(20_000), { maxLength: 40 }), random, (limits, gaps, draw) => {
      let now = 0;
      let crashes: readonly number[] = [];
      const all: number[] = [];
      for (const gap of gaps) {
        now += gap;
        all.push(now);
        const decision = decideRestart(crashes, now, draw, BACKOFF, limits);
        const within = all.filter((at) => now - at < limits.windowMs).length;
        if ((decision.action === 'park') !== within > limits.max)
          throw new Error(`${decision.action} with ${within} crashes`);
        if (decision.crashes.length > limits.max + 1) throw new Error('keeps too many');
        if (decision.crashes.some((at) => now - at >= limits.windowMs)) throw new Error('the window does not forget');
        const [least, most] =
          decision.action === 'park'
            ? [limits.probeMs * 0.75, limits.probeMs * 1.25]
            : [BACKOFF.firstMs / 10, BACKOFF.maxMs];
        if (decision.afterMs < least || decision.afterMs > most) throw new Error(`waits ${decision.afterMs}`);
        crashes = decision.crashes;
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
