import test from 'ava';
import { DropLog } from '../../src/uplink/drop-log.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLog } from '../support/recording-log.js';

function rig() {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const state = { mayEnd: true, changes: 0 };
  const drops = new DropLog({ clock, log, mayEnd: () => state.mayEnd, onChange: () => (state.changes += 1) });
  return { clock, log, drops, state };
}

test('an episode has two lines: its beginning, and its end with the count of each device', async (t) => {
  const { clock, log, drops, state } = rig();
  drops.addDevice('scale');
  drops.addDevice('cell');
  for (let second = 0; second < 30; second += 1) {
    drops.note('scale', 2, 'no room');
    drops.note('cell', 1, 'no room');
    await clock.advance(1000);
  }
  t.is(log.lines.length, 1);
  await clock.advance(10_000);
  t.is(log.lines.length, 2);
  t.like(log.lines[1], { level: 'warn', fields: { dropped: { scale: 60, cell: 30 }, for_ms: 29_000 } });
  t.regex(log.lines[1]?.message ?? '', /60 of scale, 30 of cell/);
  t.is(state.changes, 2);
  t.is(clock.pending, 0);
  drops.note('scale', 1, 'no room');
  t.is(log.lines.length, 3, 'the next episode');
  t.is(drops.of('scale'), 61);
  drops.close();
});

test('an episode stays open as long as dropping is bound to go on', async (t) => {
  const { clock, log, drops, state } = rig();
  state.mayEnd = false;
  drops.note('scale', 1, 'away');
  await clock.advance(60_000);
  t.is(log.lines.length, 1);
  state.mayEnd = true;
  await clock.advance(10_000);
  t.is(log.lines.length, 2);
});

test('a second cause in an episode is told too', (t) => {
  const { log, drops } = rig();
  drops.note('scale', 1, 'away');
  drops.note('scale', 1, 'refused');
  drops.note('scale', 1, 'away');
  t.is(log.lines.length, 2);
  drops.close();
  t.is(log.lines.length, 3, 'an open episode is told at the end');
});

test('what connections of a listener lose is counted to the listener, so that nothing grows with their number', (t) => {
  const { log, drops } = rig();
  drops.addDevice('hall/sensors');
  for (let peer = 0; peer < 1000; peer += 1) drops.note(`hall/sensors/10.0.0.1-${peer}`, 2, 'away');
  t.is(drops.of('hall/sensors'), 2000);
  drops.close();
  t.deepEqual(log.lines[1]?.fields.dropped, { 'hall/sensors': 2000 });
});
