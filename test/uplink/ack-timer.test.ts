// Samples of how long the broker takes to acknowledge.

import test from 'ava';
import { AckTimer } from '../../src/uplink/ack-timer.js';
import { FakeClock } from '../support/fake-clock.js';

function watched(): { clock: FakeClock; timer: AckTimer; samples: number[] } {
  const clock = new FakeClock();
  const timer = new AckTimer(clock);
  const samples: number[] = [];
  timer.watch((ms) => samples.push(ms));
  return { clock, timer, samples };
}

test('one message at a time is timed from its write to its acknowledgement', async (t) => {
  const { clock, timer, samples } = watched();
  timer.sent(300);
  await clock.advance(5);
  timer.sent(310);
  timer.acked(310);
  await clock.advance(2);
  timer.acked(300);
  timer.acked(300);
  timer.sent(320);
  await clock.advance(1);
  timer.acked(320);
  t.deepEqual(samples, [7, 1]);
});

test('a message whose session is lost gives no sample, and the next one is timed', async (t) => {
  const { clock, timer, samples } = watched();
  timer.sent(300);
  await clock.advance(5);
  timer.lost();
  timer.acked(300);
  timer.sent(300);
  await clock.advance(3);
  timer.acked(300);
  t.deepEqual(samples, [3]);
});

test('nothing is timed while nobody watches', (t) => {
  const clock = new FakeClock();
  const timer = new AckTimer(clock);
  timer.sent(300);
  const samples: number[] = [];
  timer.watch((ms) => samples.push(ms));
  timer.acked(300);
  t.deepEqual(samples, []);
});
