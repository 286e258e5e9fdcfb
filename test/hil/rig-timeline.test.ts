import test from 'ava';
import { Timeline } from '../../src/hil/rig-timeline.js';
import { FakeClock } from '../support/fake-clock.js';

test('wires, topics, faults and the log stand in one list, by time', async (t) => {
  const clock = new FakeClock();
  const timeline = new Timeline(clock);
  await clock.advance(10);
  timeline.wire('scale', 'sent', Buffer.from('ST,1\r\n'));
  await clock.advance(10);
  timeline.message('published', 'scale', Buffer.from('{"kg":1}'));
  timeline.message('commanded', 'scale/set', Buffer.from('tare'));
  await clock.advance(1);
  timeline.wire('scale', 'heard', Buffer.from('\x02\xff'));
  timeline.fault('scale', 'unplugged');
  timeline.log('warn', 'scale/manager: link lost', clock.wall() - 5);
  t.deepEqual(timeline.lines(), [
    '    +10.0  scale       => 53 54 2c 31 0d 0a                      "ST,1\\r\\n"',
    '    +16.0  log warn       scale/manager: link lost',
    '    +20.0  mqtt        -> scale "{"kg":1}"',
    '    +20.0  mqtt        <- scale/set "tare"',
    '    +21.0  scale       <= 02 c3 bf                               "\\x02\\xc3\\xbf"',
    '    +21.0  scale       !! unplugged',
  ]);
});

test('bytes that come within a moment are one event', async (t) => {
  const clock = new FakeClock();
  const timeline = new Timeline(clock);
  timeline.wire('a', 'sent', Buffer.from('one '));
  await clock.advance(2);
  timeline.wire('a', 'sent', Buffer.from('event'));
  timeline.wire('b', 'sent', Buffer.from('x'));
  timeline.wire('a', 'sent', Buffer.from('y'));
  t.is(timeline.lines().length, 3);
  t.regex(timeline.lines()[0] ?? '', /"one event"$/);
});

test('no line is wider than a screen, and no list is longer than asked for', (t) => {
  const timeline = new Timeline(new FakeClock());
  timeline.wire('a-device-with-a-long-name', 'sent', Buffer.alloc(5000, 0x01));
  for (let i = 0; i < 100; i += 1) timeline.message('published', `topic/${i}`, Buffer.alloc(1000, 'x'));
  timeline.log('error', `a bug\n${'stack '.repeat(100)}`, Number.NaN);
  const lines = timeline.lines(50);
  t.is(lines.length, 51);
  t.is(lines[0], '           (52 events that are not shown)');
  for (const line of timeline.lines(1000)) t.true(line.length <= 118 && !line.includes('\n'), line);
});

test('a device that talks all the time does not push faults and the log out of sight', async (t) => {
  const clock = new FakeClock();
  const timeline = new Timeline(clock);
  timeline.fault('uno', 'unplugged');
  for (let i = 0; i < 300; i += 1) {
    await clock.advance(5);
    if (i === 100) timeline.log('warn', 'uno/manager: parked', clock.wall());
    timeline.wire('scale', 'sent', Buffer.from(`${i}`));
  }
  const lines = timeline.lines(2).map((line) => line.trim());
  t.deepEqual(lines, [
    '+0.0  uno         !! unplugged',
    '(101 events that are not shown)',
    '+505.0  log warn       uno/manager: parked',
    '(197 events that are not shown)',
    `+1495.0  scale       => 32 39 38                               "298"`,
    `+1500.0  scale       => 32 39 39                               "299"`,
  ]);
});

test('memory has an end: the oldest events go', (t) => {
  const timeline = new Timeline(new FakeClock());
  for (let i = 0; i < 2000; i += 1) {
    timeline.fault('a', String(i));
    timeline.message('published', 'a', Buffer.from(String(i)));
  }
  t.is(timeline.lines(10_000).length, 500 + 200);
});
