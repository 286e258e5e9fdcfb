import test from 'ava';
import { type Ending, ReconnectPolicy } from '../../src/uplink/reconnect-policy.js';
import { SessionError } from '../../src/uplink/session-error.js';

const AWAY = new SessionError('refused', 'connection refused');
const BAD = new SessionError('credentials', 'bad user name or password');
const LOST: Ending = { trouble: 'connection-lost', detail: 'the connection broke' };
const SILENT: Ending = { trouble: 'closed-silently', detail: 'the broker closed the connection' };
const TAKEN: Ending = { trouble: 'taken-over', detail: 'another client' };

/** The largest draw: the delay is the ceiling. */
const MOST = 1;

function policy() {
  return new ReconnectPolicy({ firstMs: 250, maxMs: 30_000 });
}

function delays(under: ReconnectPolicy, times: number, ending: Ending, livedMs?: number): number[] {
  return Array.from({ length: times }, () => under.next(ending, livedMs, 0, MOST).delayMs);
}

test('a broker that is away is tried less and less often, up to the maximum', (t) => {
  t.deepEqual(delays(policy(), 9, AWAY), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

test('sessions that live only seconds do not make the next attempt quicker; one of 10 s does', (t) => {
  const under = policy();
  t.deepEqual(delays(under, 3, LOST, 9999), [250, 500, 1000]);
  t.deepEqual(delays(under, 1, LOST, 10_000), [250]);
});

test('the third short session in a row is suspicious, once', (t) => {
  const under = policy();
  const found = [1, 2, 3, 4].map(() => under.next(LOST, 500, 0, MOST).shortSessions);
  t.deepEqual(found, [undefined, undefined, 3, undefined]);
  under.next(LOST, 60_000, 0, MOST);
  t.is(under.next(LOST, 500, 0, MOST).shortSessions, undefined);
});

test('failed attempts between short sessions do not repeat the suspicion', (t) => {
  const under = policy();
  for (let i = 0; i < 3; i += 1) under.next(LOST, 500, 0, MOST);
  t.is(under.next(AWAY, undefined, 0, MOST).shortSessions, undefined);
});

test('two clients with one id get slower and slower, also once their sessions live for minutes', (t) => {
  t.deepEqual(delays(policy(), 6, TAKEN, 60_000), [15_000, 30_000, 60_000, 120_000, 240_000, 300_000]);
});

test('two clients with one id are told by their silent ends too: three in a row, each come back at once', (t) => {
  const found = delays(policy(), 8, SILENT, 60_000);
  t.deepEqual(found, [250, 250, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
});

test('a broker that closes without a word and then is away is no twin, however often', (t) => {
  const under = policy();
  for (let i = 0; i < 10; i += 1) {
    t.is(under.next(SILENT, 60_000, 0, MOST).delayMs, 250);
    t.is(under.next(AWAY, undefined, 0, MOST).delayMs, 500);
  }
});

test('a twin is told also where the broker hangs up on every other attempt', (t) => {
  const under = policy();
  const HUNG_UP = new SessionError('closed', 'it closed the connection instead of answering');
  const found = [1, 2, 3].map(() => {
    under.next(HUNG_UP, undefined, 0, MOST);
    return under.next(SILENT, 5000, 0, MOST).delayMs;
  });
  t.true((found[2] ?? 0) >= 15_000, found.join());
});

test('a broker that sends us elsewhere is asked again slowly, and complained of each time', (t) => {
  const under = policy();
  for (const ending of [
    new SessionError('redirected', 'to "b"'),
    { trouble: 'redirected', detail: 'to "b"' } as const,
  ]) {
    t.like(under.next(ending, undefined, 0, MOST), { isRepeated: false });
  }
  t.deepEqual(delays(policy(), 3, new SessionError('redirected', 'to "b"')), [15_000, 30_000, 60_000]);
});

test('bad credentials are tried again slowly and complained of each time', (t) => {
  const under = policy();
  const found = [1, 2, 3].map(() => under.next(BAD, undefined, 0, MOST));
  t.deepEqual(
    found.map(({ delayMs, isRepeated }) => [delayMs, isRepeated]),
    [
      [15_000, false],
      [30_000, false],
      [60_000, false],
    ],
  );
});

test('the same complaint is made once, and again after ten minutes; another one at once', (t) => {
  const under = policy();
  const isRepeated = (ending: Ending, now: number): boolean => under.next(ending, undefined, now, MOST).isRepeated;
  t.false(isRepeated(AWAY, 0));
  t.true(isRepeated(AWAY, 1000));
  t.true(isRepeated(AWAY, 599_999));
  t.false(isRepeated(AWAY, 600_000));
  t.true(isRepeated(AWAY, 600_001));
  t.false(isRepeated(new SessionError('timeout', 'no answer'), 600_002));
});
