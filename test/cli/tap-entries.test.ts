import test from 'ava';
import { TapEntries } from '../../src/cli/tap-entries.js';

function message(tap: number, seq: number, entries: readonly object[], end = false): Buffer {
  return Buffer.from(JSON.stringify({ tap, seq, entries, ...(end && { end }) }));
}

const online = (t: number) => ({ t, note: 'online', reason: 'opened' });
const chunk = (t: number, text: string) => ({ t, d: 'in', hex: Buffer.from(text).toString('hex') });

/** `120 in a`, `5 online`. */
function take(tap: TapEntries, payload: Buffer, elapsedUs = 0): string[] {
  const taken = tap.take(payload, elapsedUs);
  if (taken === undefined) return ['nothing'];
  const texts = taken.entries.map((entry) => {
    const what = 'bytes' in entry ? `${entry.d} ${entry.bytes}` : entry.note;
    return `${entry.t} ${what}`;
  });
  return taken.isLast ? [...texts, 'last'] : texts;
}

test('times begin at 0 and are kept to the microsecond', (t) => {
  const tap = new TapEntries();
  t.deepEqual(take(tap, message(1, 0, [online(5_000_123), chunk(5_000_200, 'a')]), 999), ['0 online', '77 in a']);
  t.deepEqual(take(tap, message(1, 1, [chunk(5_001_123, 'b')])), ['1000 in b']);
  t.deepEqual(take(tap, message(1, 2, [], true)), ['last']);
  t.is(tap.missed, 0);
});

test('messages that did not arrive are counted and noted in their place', (t) => {
  const tap = new TapEntries();
  take(tap, message(1, 0, [chunk(100, 'a')]));
  t.deepEqual(take(tap, message(1, 3, [chunk(900, 'b')])), ['0 missed', '800 in b']);
  t.is(tap.missed, 2);
});

test('a tap that began anew goes on where the time of the recording is, and never back', (t) => {
  const tap = new TapEntries();
  take(tap, message(1, 0, [chunk(9_000_000, 'a'), chunk(9_500_000, 'b')]));
  t.deepEqual(take(tap, message(2, 0, [online(77), chunk(100, 'c')]), 2_000_000.4), [
    '2000000 restarted',
    '2000000 online',
    '2000023 in c',
  ]);
  t.deepEqual(take(tap, message(3, 1, [chunk(100, 'd')]), 5), ['2000023 restarted', '2000023 missed', '2000023 in d']);
});

test('what is no message of a tap is nothing; what is no entry is left out', (t) => {
  const tap = new TapEntries();
  for (const text of ['', 'hello', '1', 'null', '[]', '{}', '{"tap":1,"seq":0}', '{"tap":1,"seq":0.5,"entries":[]}']) {
    t.deepEqual(take(tap, Buffer.from(text)), ['nothing'], text);
  }
  t.deepEqual(take(tap, message(1, 0, [chunk(0, 'a'), { t: -1 }, { t: 1, d: 'in', hex: 'x' }])), ['0 in a']);
});

test('what another recorder was told before this one came is not missing here', (t) => {
  const tap = new TapEntries();
  t.deepEqual(take(tap, message(1, 40, [chunk(100, 'a')])), ['0 in a']);
  t.deepEqual(take(tap, message(1, 42, [chunk(300, 'b')])), ['0 missed', '200 in b']);
  t.is(tap.missed, 1);
});
