import test from 'ava';
import { slopeOf } from './slope.js';

test('a straight line has its own slope, whatever its height', (t) => {
  const line = [0, 0.5, 1, 2].map((hour) => ({ hour, value: 80 + 3 * hour }));
  t.true(Math.abs(slopeOf(line) - 3) < 1e-9);
});

test('what goes up and down around one height does not grow', (t) => {
  const values = [50, 54, 50, 46, 50];
  t.true(Math.abs(slopeOf(values.map((value, hour) => ({ hour, value }))) + 0.8) < 1e-9);
  t.is(slopeOf([1, 1, 1].map((value, hour) => ({ hour, value }))), 0);
});

test('one sample says nothing about growth', (t) => {
  t.is(slopeOf([{ hour: 1, value: 7 }]), Number.NaN);
});
