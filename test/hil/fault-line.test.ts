import test from 'ava';
import { FaultLine } from '../../src/hil/fault-line.js';
import { seededRandom } from '../../src/hil/fault-random.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLine } from '../support/recording-line.js';

const makeLine = () => {
  const clock = new FakeClock();
  const inner = new RecordingLine();
  const sent: string[] = [];
  const line = new FaultLine({
    line: inner,
    clock,
    random: seededRandom(1),
    onSent: (bytes) => sent.push(`${clock.now()} ${bytes.toString('latin1')}`),
  });
  return { clock, inner, line, sent };
};

test('a line without faults passes everything on at once, in both directions', (t) => {
  const { inner, line, clock } = makeLine();
  let heard = '';
  line.onData((chunk) => (heard += chunk));
  line.send('one');
  line.send(Buffer.from('two'));
  inner.hear('back');
  t.deepEqual(inner.did, ['one', 'two']);
  t.is(heard, 'back');
  t.is(line.link, inner.link);
  t.is(clock.pending, 0);
});

test('a silent line loses what is sent, for its time or until it is healed, and still hears', async (t) => {
  const { inner, line, clock } = makeLine();
  let heard = '';
  line.onData((chunk) => (heard += chunk));
  line.silence(100);
  line.send('lost');
  inner.hear('heard');
  await clock.advance(100);
  line.send('back');
  line.silence();
  await clock.advance(1_000_000);
  line.send('lost too');
  line.heal();
  line.send('healed');
  t.deepEqual(inner.did, ['back', 'healed']);
  t.is(heard, 'heard');
});

test('what waits when a line falls silent is lost', async (t) => {
  const { inner, line, clock } = makeLine();
  line.delay(50);
  line.send('waiting');
  line.silence(10);
  await clock.advance(200);
  t.deepEqual(inner.did, []);
  t.is(clock.pending, 0);
});

test('a split line sends piece by piece, each on its own turn, and what follows comes after', async (t) => {
  const { line, clock, sent } = makeLine();
  line.split(3, 2);
  line.send('abcdefgh');
  line.send('ij');
  await clock.advance(100);
  t.deepEqual(sent, ['0 abc', '2 def', '4 gh', '6 ij']);
  t.is(clock.pending, 0);
});

test('a delayed line keeps the order and the distances', async (t) => {
  const { line, clock, sent } = makeLine();
  line.delay(100);
  line.send('a');
  await clock.advance(30);
  line.send('b');
  await clock.advance(30);
  line.delay(0);
  line.send('c');
  await clock.advance(200);
  t.deepEqual(sent, ['100 a', '130 b', '130 c']);
});

test('split and delay together', async (t) => {
  const { line, clock, sent } = makeLine();
  line.delay(10);
  line.split(1, 5);
  line.send('ab');
  await clock.advance(100);
  t.deepEqual(sent, ['10 a', '15 b']);
});

test('noise is the same for the same seed', (t) => {
  const one = makeLine();
  const two = makeLine();
  for (const { line } of [one, two]) {
    line.garble(0.5);
    line.send('the same bytes');
  }
  t.deepEqual(one.inner.did, two.inner.did);
  t.not(one.inner.did[0], 'the same bytes');
  t.is(one.inner.did[0]?.length, 14);
});

test('a flood is so many bytes at its rate, and ends by itself', async (t) => {
  const { inner, line, clock } = makeLine();
  let isOver = false;
  void line.flood({ bytes: 1000, perSecond: 10_000, pattern: 'abc' }).then(() => (isOver = true));
  await clock.advance(50);
  const half = inner.did.join('').length;
  t.true(half > 400 && half < 700, `${half} bytes after half the time`);
  t.false(isOver);
  await clock.advance(60);
  t.true(isOver);
  t.is(inner.did.join(''), 'abc'.repeat(334).slice(0, 1000));
  t.is(clock.pending, 0);
});

test('pulling the plug ends a flood and loses what waits', async (t) => {
  const { inner, line, clock } = makeLine();
  const flood = line.flood({ bytes: 1_000_000 });
  line.delay(10);
  line.send('waits');
  await line.unplug();
  await flood;
  const before = inner.did.length;
  line.send('nobody hears this');
  await clock.advance(1000);
  t.is(inner.did.length, before);
  t.is(inner.did.at(-1), '<unplug>');
  t.is(clock.pending, 0);
  await line.plug();
  line.heal();
  line.send('again');
  t.deepEqual(inner.did.slice(-2), ['<plug>', 'again']);
});

test('more than a megabyte does not wait: it is lost, and counted', async (t) => {
  const { inner, line, clock } = makeLine();
  line.delay(10);
  for (let i = 0; i < 5; i += 1) line.send(Buffer.alloc(300 * 1024));
  await clock.advance(100);
  t.is(inner.did.length, 3);
  t.is(line.droppedBytes, 2 * 300 * 1024);
});

test('a reset is the own one of the line if it has one, else unplug and plug; none while unplugged', async (t) => {
  const { inner, line } = makeLine();
  await line.reset();
  t.deepEqual(inner.did, ['<unplug>', '<plug>']);
  await line.unplug();
  await line.reset();
  t.deepEqual(inner.did, ['<unplug>', '<plug>', '<unplug>']);
  const resets: string[] = [];
  const own = Object.assign(new RecordingLine(), { reset: async () => void resets.push('reset') });
  await new FaultLine({ line: own, clock: new FakeClock(), random: () => 0 }).reset();
  t.deepEqual([resets, own.did], [['reset'], []]);
});

test('the plug is where the last move put it, however close the moves are, and stays out once closed', async (t) => {
  const { line, clock } = makeLine();
  await line.unplug();
  await Promise.all([line.plug(), line.unplug()]);
  t.false(line.isPlugged);
  await Promise.all([line.plug(), line.unplug(), line.plug()]);
  t.true(line.isPlugged);
  await Promise.all([line.close(), line.plug()]);
  t.false(line.isPlugged);
  await line.flood({ bytes: 1_000_000 });
  t.is(clock.pending, 0);
});

test('a plug that does not go in is still out, and may be tried again', async (t) => {
  let isTaken = true;
  const inner = new RecordingLine();
  inner.plug = async () => {
    if (isTaken) throw new Error('EADDRINUSE');
  };
  const line = new FaultLine({ line: inner, clock: new FakeClock(), random: () => 0 });
  await line.unplug();
  await t.throwsAsync(line.plug(), { message: 'EADDRINUSE' });
  t.false(line.isPlugged);
  isTaken = false;
  await line.plug();
  t.true(line.isPlugged);
});
