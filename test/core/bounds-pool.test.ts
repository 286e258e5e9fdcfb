import test from 'ava';
import { BoundsPool } from '../../src/core/bounds-pool.js';

test('memory that was given back is used again, and none that was not', (t) => {
  const pool = new BoundsPool();
  const [first, second] = [pool.take(), pool.take()];
  t.not(first, second);
  pool.giveBack(first);
  t.is(pool.take(), first);
  t.is(pool.free, 0);
});

test('more room keeps what was there, and the smaller memory is free again', (t) => {
  const pool = new BoundsPool();
  const memory = pool.take().map((_, place) => place);
  const larger = pool.grow(memory);
  t.is(larger.length, 2 * memory.length);
  t.deepEqual(larger.subarray(0, memory.length), memory);
  t.is(pool.free, 1);
});

test('only so much is kept for another time, and nothing larger than usual', (t) => {
  const pool = new BoundsPool();
  pool.giveBack(pool.grow(pool.take()));
  t.is(pool.free, 1);
  for (const memory of Array.from({ length: 40 }, () => pool.take())) pool.giveBack(memory);
  t.is(pool.free, 16);
});
