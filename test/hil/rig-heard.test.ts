import test from 'ava';
import { HeardBytes } from '../../src/hil/rig-heard.js';
import { FakeClock } from '../support/fake-clock.js';

const makeHeard = (...chunks: string[]) => {
  const clock = new FakeClock();
  const heard = new HeardBytes(clock);
  for (const chunk of chunks) heard.take(Buffer.from(chunk, 'latin1'));
  return { clock, heard };
};

test('bytes are found over the borders of chunks, whether they come before or after they are asked for', async (t) => {
  const { heard, clock } = makeHeard('xx ta', 're\n');
  t.is(String(await heard.next('tare', 10)), 'tare');
  const later = heard.next(Buffer.from('zero'), 10);
  heard.take(Buffer.from('ze'));
  heard.take(Buffer.from('ro'));
  t.is(String(await later), 'zero');
  t.is(clock.pending, 0);
});

test('what was found is read, and what came before it; what comes after is not', async (t) => {
  const { heard, clock } = makeHeard('one two three');
  t.is(String(await heard.next('two', 10)), 'two');
  t.is(String(await heard.next(/\w+/, 10)), 'three');
  const first = heard.next('one', 10);
  await clock.advance(10);
  t.is(await first, 'timeout');
});

test('an expression sees each byte as one character', async (t) => {
  const { heard } = makeHeard('<\xff\x80>');
  t.deepEqual(await heard.next(/<..>/, 10), Buffer.from('<\xff\x80>', 'latin1'));
});

test('forgetting reads everything, closing tells who waits', async (t) => {
  const { heard } = makeHeard('one');
  heard.forget();
  const waiting = heard.next('one', 10);
  heard.close();
  t.is(await waiting, 'closed');
  t.is(await heard.next('one', 10), 'closed');
});
