import test from 'ava';
import { LoopWatch } from '../../src/group/loop-watch.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLog } from '../support/recording-log.js';

test('a decode that holds the event loop is told once a minute, with how often and how long', async (t) => {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const watch = new LoopWatch(clock, log);
  for (const heldMs of [150, 300, 200]) {
    const startedAt = clock.now();
    await clock.advance(heldMs);
    watch.note(startedAt);
  }
  t.is(log.lines.length, 1);
  t.like(log.lines[0]?.fields, { held_ms: 150, times: 1 });
  await clock.advance(60_000);
  const startedAt = clock.now();
  await clock.advance(120);
  watch.note(startedAt);
  t.like(log.lines[1]?.fields, { held_ms: 300, times: 3 });
  t.regex(log.lines[1]?.message ?? '', /isolation: worker/);
});
