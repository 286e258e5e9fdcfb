import test from 'ava';
import { NarrowWindow } from '../../src/uplink/narrow-window.js';
import { FakeClock } from '../support/fake-clock.js';
import { UplinkRig } from '../support/uplink-rig.js';

const KIB = 1024;
const SAID = /devices wait: the broker takes 20 messages at a time .* max_inflight_messages 1000 .* mqtt\.version: 4/;

/** What is told when devices wait `times` times, so many ms apart, with so many messages unacknowledged. */
async function told(receiveMaximum: number, unacknowledged: number, times: number, everyMs: number): Promise<number[]> {
  const clock = new FakeClock();
  const limits: number[] = [];
  const narrow = new NarrowWindow(clock, (limit) => limits.push(limit));
  narrow.opened(receiveMaximum);
  for (let count = 0; count < times; count += 1) {
    narrow.waits(unacknowledged);
    await clock.advance(everyMs);
  }
  return limits;
}

test('that devices wait for a narrow window is told once, when they have waited in thirty seconds', async (t) => {
  t.deepEqual(await told(20, 20, 29, 1000), []);
  t.deepEqual(await told(20, 20, 30, 1000), [20]);
  t.deepEqual(await told(20, 20, 300, 1000), [20]);
});

test('a burst is no reason to say so, and neither is a wide window, or one that is not full', async (t) => {
  t.deepEqual(await told(20, 20, 10_000, 1), []);
  t.deepEqual(await told(96, 96, 300, 1000), []);
  t.deepEqual(await told(20, 19, 300, 1000), []);
});

test('a new session begins to count anew', async (t) => {
  const clock = new FakeClock();
  const limits: number[] = [];
  const narrow = new NarrowWindow(clock, (limit) => limits.push(limit));
  for (let count = 0; count < 58; count += 1) {
    if (count % 29 === 0) narrow.opened(20);
    narrow.waits(20);
    await clock.advance(1000);
  }
  t.deepEqual(limits, []);
});

test('a device faster than the window of its broker has a line in the log that says what to do', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true, receiveMaximum: 20 });
  rig.session.ackAll();
  const line = 'x'.repeat(8 * KIB);
  for (let second = 0; second < 40; second += 1) {
    while (rig.read('scale', line) === 'taken') await rig.clock.settle();
    rig.session.ack(10);
    await rig.clock.advance(1000);
  }
  t.is(rig.log.lines.filter(({ message }) => SAID.test(message)).length, 1);
});
