import test from 'ava';
import { DeviceBoard } from '../../../src/cli/demo/device-board.js';
import { LiveView } from '../../../src/cli/demo/live-view.js';
import { makeTopics } from '../../../src/uplink/topics.js';
import { FakeClock } from '../../support/fake-clock.js';

function makeView(columns: number, rows: number) {
  const clock = new FakeClock();
  const board = new DeviceBoard(makeTopics('ferrule/demo'), clock);
  const written: string[] = [];
  const listeners = new Set<() => void>();
  const terminal = {
    ...{ columns, rows },
    write: (text: string) => written.push(text),
    on: (_event: 'resize', listener: () => void) => listeners.add(listener),
    off: (_event: 'resize', listener: () => void) => listeners.delete(listener),
  };
  const view = new LiveView({
    ...{ clock, terminal, board, hasColour: false },
    plant: () => ({ thermometer: { plug: 'in', leftMs: 1000 } }),
    err: () => {},
  });
  const take = (topic: string, body: unknown): void =>
    view.happened(board.take(`ferrule/demo/${topic}`, Buffer.from(JSON.stringify(body))));
  return { clock, view, written, listeners, terminal, take };
}

/** What was written, without escape codes. */
function lines(written: readonly string[]): string[] {
  const text = written.join('').replaceAll('\r', '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
  return text.replaceAll(/\x1b\[\??\d*[a-zA-Z]/g, '').split('\n');
}

const INTRO = { early: ['no ptys here'], title: 'the demo '.repeat(20), tries: [{ command: 'try', remark: 'it' }] };

test('the last column of the terminal stays free, and so does its last line', async (t) => {
  const { clock, view, written, take } = makeView(40, 30);
  view.intro(INTRO);
  take('bridge/devices', [
    { name: 'gps', link: 'serial:/dev/pts/3', state: 'online', since: '2026-01-01T00:00:00.000Z' },
  ]);
  view.log({ level: 'warn', text: 'x'.repeat(300) });
  await clock.advance(1000);
  const shown = lines(written);
  t.true(shown.some((line) => line.endsWith('…')));
  t.deepEqual(
    shown.filter((line) => [...line].length > 39),
    [],
  );
  for (const text of ['no ptys here', 'gps', 'BEHIND THE WIRES', '  try']) {
    t.true(
      shown.some((line) => line.startsWith(text)),
      text,
    );
  }
  view.end();
});

test('a device that is away says since when and why, in place of its last reading', async (t) => {
  const { clock, view, written, take } = makeView(100, 30);
  view.intro(INTRO);
  const event = (to: string, reason: string): void =>
    take('bridge/event', { event: 'state', device: 'cell', to, reason, at: clock.wall() });
  event('online', 'opened');
  await clock.advance(1000);
  event('backing-off', 'nobody listens');
  await clock.advance(5500);
  t.true(
    lines(written).some((line) => /^cell +backing-off +away 5 s: nobody listens$/.test(line)),
    lines(written).join('\n'),
  );
  view.end();
});

test('many happenings are painted at most four times a second, and nothing is left running at the end', async (t) => {
  const { clock, view, written, listeners } = makeView(80, 24);
  view.intro(INTRO);
  await clock.advance(1000);
  written.length = 0;
  for (let i = 0; i < 100; i += 1) {
    view.log({ level: 'info', text: `line ${i}` });
    view.hardware();
    await clock.advance(10);
  }
  t.true(written.length >= 3 && written.length <= 5, `${written.length}`);
  view.end();
  view.end();
  t.deepEqual([clock.pending, listeners.size], [0, 0]);
});

test('a terminal of another size is painted anew from the top', (t) => {
  const { view, written, listeners, terminal } = makeView(80, 24);
  view.intro(INTRO);
  terminal.columns = 50;
  written.length = 0;
  for (const listener of listeners) listener();
  t.true(written[0]?.startsWith('\x1b[H\x1b[2J'));
  t.true(lines(written.slice(1)).every((line) => line.length <= 49));
  view.end();
});
