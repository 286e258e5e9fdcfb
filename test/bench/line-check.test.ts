import test from 'ava';
import { fc } from '../support/properties.js';
import { LineCheck } from './line-check.js';
import { PAYLOAD_BYTES, stampedLine } from './stamped-line.js';

interface Line {
  readonly device: number;
  readonly number: number;
}

function checked(lines: readonly Line[]): LineCheck {
  const check = new LineCheck();
  for (const { device, number } of lines) check.take(stampedLine(device, number, 0), 0, PAYLOAD_BYTES, 0);
  return check;
}

function checks(lines: readonly Line[], sent: readonly number[] = []) {
  const { received, lost, doubled, outOfOrder, damaged } = checked(lines).figures(new Map(sent.entries()));
  return { received, lost, doubled, outOfOrder, damaged };
}

function of(device: number, ...numbers: number[]): Line[] {
  return numbers.map((number) => ({ device, number }));
}

const CLEAN = { lost: 0, doubled: 0, outOfOrder: 0, damaged: 0 };

test('lines of two devices, each in order, are clean however they mix', (t) => {
  t.deepEqual(checks([...of(0, 0, 1), ...of(1, 0), ...of(0, 2), ...of(1, 1)], [3, 2]), { ...CLEAN, received: 5 });
});

test('a number that never comes is lost', (t) => {
  t.deepEqual(checks(of(0, 0, 1, 3)), { ...CLEAN, received: 3, lost: 1 });
});

test('what a device sent last and what a silent device sent is lost too', (t) => {
  t.deepEqual(checks(of(0, 0, 1), [4, 2]), { ...CLEAN, received: 2, lost: 4 });
});

test('a late line is out of order, not lost', (t) => {
  t.deepEqual(checks(of(0, 0, 2, 1, 3)), { ...CLEAN, received: 4, outOfOrder: 1 });
});

test('a line that comes again is doubled, a late one that comes again too', (t) => {
  t.deepEqual(checks(of(0, 0, 1, 1, 3, 2, 2)), { received: 4, lost: 0, doubled: 2, outOfOrder: 1, damaged: 0 });
});

test('two lines joined into one payload are damaged, and both are missing', (t) => {
  const check = checked(of(0, 0));
  const joined = Buffer.concat([stampedLine(0, 1, 0).subarray(0, PAYLOAD_BYTES), stampedLine(0, 2, 0)]);
  t.is(check.take(joined, 0, joined.length - 1, 0), 'damaged');
  const { lost, damaged } = check.figures(new Map([[0, 3]]));
  t.deepEqual({ lost, damaged }, { lost: 2, damaged: 1 });
});

test('a gap of millions is counted without being remembered number by number', (t) => {
  t.is(checks(of(0, 0, 5_000_001)).lost, 5_000_000);
});

test('latencies are counted from the stamp, and forgotten on request', (t) => {
  const check = new LineCheck();
  t.is(check.take(stampedLine(0, 0, 1000), 0, PAYLOAD_BYTES, 101_000), 1000);
  check.restartLatency();
  check.take(stampedLine(0, 1, 2000), 0, PAYLOAD_BYTES, 2050);
  const { latency } = check.figures();
  t.deepEqual([latency.count, latency.maxMs], [1, 0.05]);
});

test('whatever is dropped, repeated and swapped, the sums are right', (t) => {
  const arrival = fc.array(fc.nat(30), { maxLength: 80 });
  fc.assert(
    fc.property(arrival, (numbers) => {
      const different = new Set(numbers);
      const sent = 31;
      const figures = checks(of(0, ...numbers), [sent]);
      t.is(figures.received, different.size);
      t.is(figures.lost, sent - different.size);
      t.is(figures.doubled, numbers.length - different.size);
      const firsts = numbers.filter((number, at) => numbers.indexOf(number) === at);
      t.is(figures.outOfOrder, firsts.filter((number, at) => Math.max(-1, ...firsts.slice(0, at)) > number).length);
    }),
  );
});
