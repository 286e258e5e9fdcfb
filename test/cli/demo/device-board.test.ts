import test from 'ava';
import { DeviceBoard } from '../../../src/cli/demo/device-board.js';
import { makeTopics } from '../../../src/uplink/topics.js';
import { FakeClock } from '../../support/fake-clock.js';

function makeBoard(): { clock: FakeClock; board: DeviceBoard; take: (topic: string, body: unknown) => unknown[] } {
  const clock = new FakeClock();
  const board = new DeviceBoard(makeTopics('ferrule/demo'), clock);
  const take = (topic: string, body: unknown): unknown[] =>
    board.take(`ferrule/demo/${topic}`, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
  return { clock, board, take };
}

const device = (name: string, link: string, state: string, since = '2026-01-01T00:00:00.000Z', counters = {}) => ({
  name,
  link,
  state,
  since,
  reason: '',
  counters,
});

test('the board learns the devices, their links and states from bridge/devices', (t) => {
  const { board, take } = makeBoard();
  take('bridge/devices', [
    device('gps', 'serial:/dev/pts/3?baud_rate=4800', 'online'),
    device('door', 'tcp-listen://127.0.0.1:0', 'online', undefined, { port: 7000 }),
    device('cell', 'tcp://127.0.0.1:40001', 'connecting'),
  ]);
  t.deepEqual(
    board.rows().map(({ name, link, state }) => [name, link, state]),
    [
      ['gps', '/dev/pts/3', 'online'],
      ['door', 'listen :7000', 'online'],
      ['cell', '127.0.0.1:40001', 'connecting'],
    ],
  );
});

test('an event changes a state, and a list that is older than the event does not change it back', (t) => {
  const { clock, board, take } = makeBoard();
  const since = new Date(clock.wall()).toISOString();
  take('bridge/event', { event: 'state', device: 'gps', to: 'online', reason: 'opened', at: clock.wall() });
  t.deepEqual(take('bridge/devices', [device('gps', 'serial:/dev/pts/3', 'idle', since)]), []);
  t.is(board.rows()[0]?.state, 'online');
  const later = new Date(clock.wall() + 5).toISOString();
  t.is(take('bridge/devices', [device('gps', 'serial:/dev/pts/3', 'silent', later)]).length, 1);
});

test('a reading is kept with its rate; what others publish below the base makes no device', async (t) => {
  const { clock, board, take } = makeBoard();
  take('bridge/devices', [device('scale', 'serial:/dev/pts/4', 'online')]);
  for (let i = 0; i < 40; i += 1) {
    t.deepEqual(take('scale', `${i} kg`), [{ kind: 'reading', topic: 'ferrule/demo/scale', text: `${i} kg` }]);
    await clock.advance(200);
  }
  take('stranger', 'hello');
  const [row, ...others] = board.rows();
  t.is(row?.last, '39 kg');
  t.is(row?.rate.perSecond(clock.now()), 5);
  t.is(row?.rate.perSecond(clock.now() + 60_000), 0);
  t.deepEqual(others, []);
});

test('a connection stands behind its listener while it lasts', (t) => {
  const { board, take } = makeBoard();
  take('bridge/devices', [
    device('sensors', 'tcp-listen://127.0.0.1:0', 'online'),
    device('gps', 'serial:/dev/pts/3', 'online'),
  ]);
  take('sensors/1/availability', { state: 'online' });
  take('sensors/1', 'humid');
  t.deepEqual(
    board.rows().map(({ name, last }) => [name, last]),
    [
      ['sensors', ''],
      ['sensors/1', 'humid'],
      ['gps', ''],
    ],
  );
  take('sensors/1/availability', '');
  t.deepEqual(
    board.rows().map(({ name }) => name),
    ['sensors', 'gps'],
  );
});

test('a device that was away tells how long when it is back', (t) => {
  const { board, take } = makeBoard();
  const event = (to: string, at: number): unknown[] =>
    take('bridge/event', { event: 'state', device: 'cell', to, reason: 'why', at });
  t.deepEqual(event('connecting', 1000), [{ kind: 'state', device: 'cell', state: 'connecting', reason: 'why' }]);
  t.deepEqual(event('online', 1100), [{ kind: 'state', device: 'cell', state: 'online', reason: 'why' }]);
  t.is(board.rows()[0]?.awaySince, undefined, 'never away yet: it was only just started');
  event('silent', 2000);
  t.is(board.rows()[0]?.awaySince, undefined, 'silent is not away');
  event('backing-off', 3000);
  event('connecting', 4000);
  t.is(board.rows()[0]?.awaySince, 3000.5);
  t.deepEqual(event('online', 11_000), [
    { kind: 'state', device: 'cell', state: 'online', reason: 'why', awayMs: 8000 },
  ]);
  t.is(board.rows()[0]?.awaySince, undefined);
});

test('what somebody told a device is known, without its envelope, and stands beside the answer', (t) => {
  const { board, take } = makeBoard();
  take('bridge/devices', [device('uno', 'serial:/dev/pts/3', 'online')]);
  t.deepEqual(take('uno/set/led', { blink: 500 }), []);
  t.is(board.rows()[0]?.command, 'set/led {"blink":500}');
  take('uno/set/led', { transaction: 'x', value: 'on' });
  t.is(board.rows()[0]?.command, 'set/led on');
  t.deepEqual(take('uno/response', { status: 'accepted' }), []);
  t.deepEqual(take('uno/response', { status: 'sent' }), []);
  t.deepEqual(take('uno/response', { status: 'ok' }), [{ kind: 'note', device: 'uno', text: 'set/led on: ok' }]);
  take('uno/get', '');
  t.is(board.rows()[0]?.command, 'get');
});

test('what goes over a line while somebody monitors or records it makes no row', (t) => {
  const { board, take } = makeBoard();
  take('bridge/devices', [device('gps', 'serial:/dev/pts/3', 'online')]);
  t.deepEqual(take('gps/tap', { entries: [] }), []);
  t.deepEqual(take('gps/tap/raw', { entries: [] }), []);
  t.is(board.rows().length, 1);
});

test('answers to commands and unreadable frames are told; commands themselves and other bridge topics are not', (t) => {
  const { take } = makeBoard();
  t.deepEqual(take('scale/response', { status: 'error', error: 'offline' }), [
    { kind: 'note', device: 'scale', text: 'command: offline' },
  ]);
  t.deepEqual(take('gps/dead_letter', { reason: 'checksum' }), [
    { kind: 'note', device: 'gps', text: 'unreadable: checksum' },
  ]);
  for (const topic of ['scale/set', 'thermometer/set/unit', 'gps/write', 'bridge/info', 'gps/availability']) {
    t.deepEqual(take(topic, { state: 'online' }), []);
  }
});

test('rubbish on the bridge topics is passed over', (t) => {
  const { board, take } = makeBoard();
  for (const topic of ['bridge/devices', 'bridge/event', 'sensors/1/availability', 'scale/response']) {
    for (const body of ['{', 'null', '7', '[null, 3, {}]']) t.notThrows(() => take(topic, body), `${topic} ${body}`);
  }
  t.true(board.rows().length <= 1);
});
