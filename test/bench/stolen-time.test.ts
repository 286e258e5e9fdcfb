import test from 'ava';
import { processorTime, stolenPercent } from './stolen-time.js';

test('time that others had is a share of the time in which there was something to do here', (t) => {
  const before = processorTime('cpu  100 0 100 5000 50 0 0 0 0 0\ncpu0 1 2 3\n');
  const after = processorTime('cpu  150 10 120 9000 80 5 5 10 0 0\ncpu0 1 2 3\n');
  t.deepEqual(before, { wanted: 200, stolen: 0 });
  t.is(stolenPercent(before, after), 10);
});

test('on a machine of its own, and where nothing was to do, nothing is stolen', (t) => {
  const now = processorTime('cpu  100 0 100 5000 50 0 0 0 0 0\n');
  t.is(stolenPercent(now, now), 0);
  t.true(processorTime().wanted > 0);
});
