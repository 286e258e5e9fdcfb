import test from 'ava';
import type { Loan } from '../../../src/core/loan.js';
import { ChunkPool } from '../../../src/device/links/chunk-pool.js';

const LARGE = 20_000;

interface Taken {
  readonly bytes: Buffer;
  readonly loan: Loan | undefined;
}

/** What a read of `text`, over and over up to `count` bytes, brings. */
function read(pool: ChunkPool, text: string, count: number): Taken {
  pool.incoming.fill(text, 0, count);
  let taken: Taken | undefined;
  pool.handOn(count, (bytes, loan) => (taken = { bytes, loan }));
  if (taken === undefined) throw new Error('nothing was handed on');
  return taken;
}

test('a small read is in memory of its own, that of Node for small buffers', (t) => {
  const pool = new ChunkPool();
  const { bytes, loan } = read(pool, 'a', 64);
  read(pool, 'b', 64);
  t.is(loan, undefined);
  t.is(bytes.toString(), 'a'.repeat(64));
  t.true(read(pool, 'c', 10_000).bytes.buffer.byteLength <= Math.max(10_000, Buffer.poolSize));
});

test('a large read is on loan, and other reads leave it as it is until it is given back', (t) => {
  const pool = new ChunkPool();
  const first = read(pool, 'a', LARGE);
  const second = read(pool, 'b', LARGE);
  t.not(first.bytes.buffer, second.bytes.buffer);
  first.loan?.done();
  t.is(pool.free, 1);
  const third = read(pool, 'c', LARGE + 1);
  t.is(third.bytes.buffer, first.bytes.buffer);
  t.is(second.bytes.toString(), 'b'.repeat(LARGE));
  t.is(third.bytes.toString(), 'c'.repeat(LARGE + 1));
});

test('only so much is kept for another time, however much was on loan at once', (t) => {
  const pool = new ChunkPool();
  const taken = Array.from({ length: 40 }, () => read(pool, 'a', LARGE));
  for (const { loan } of taken) loan?.done();
  t.is(pool.free, 16);
});
