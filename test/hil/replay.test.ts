import test from 'ava';
import { OutCheck } from '../../src/hil/out-check.js';
import type { RecordingEntry } from '../../src/hil/recording.js';
import { type ReplayReport, replay } from '../../src/hil/replay.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { FakeClock } from '../support/fake-clock.js';

/** Keeps what is sent with the time at which it was. */
class TimedLine implements VirtualLine {
  readonly link = 'serial:/dev/null';
  readonly log: string[] = [];
  isOpen = false;
  listener: (chunk: Buffer) => void = () => {};
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  send(bytes: Uint8Array | string): void {
    this.log.push(`${Math.round(this.#clock.now() * 10) / 10} ${Buffer.from(bytes).toString('latin1')}`);
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.listener = listener;
  }

  async unplug(): Promise<void> {
    this.isOpen = false;
    this.log.push(`${this.#clock.now()} unplugged`);
  }

  async plug(): Promise<void> {
    this.log.push(`${this.#clock.now()} plugged`);
  }

  async close(): Promise<void> {}
}

function chunk(t: number, text: string, d: 'in' | 'out' = 'in'): RecordingEntry {
  return { t, d, bytes: Buffer.from(text) };
}

function start(entries: readonly RecordingEntry[], speed: number, check?: OutCheck) {
  const clock = new FakeClock();
  const line = new TimedLine(clock);
  const stop = new AbortController();
  const recording = {
    file: 'r.ndjson',
    header: { ferrule_recording: 1, device: 'scale' } as const,
    async *entries() {
      yield* entries;
    },
  };
  const done: Promise<ReplayReport> = replay({
    recording,
    line,
    clock,
    speed,
    signal: stop.signal,
    ...(check && { check }),
  });
  return { clock, line, stop, done };
}

const THREE = [
  { t: 0, note: 'online' },
  chunk(2_000_000, 'a'),
  chunk(2_500_000, 'b'),
  chunk(2_500_400, 'c'),
  chunk(4_000_000, 'd'),
];

test('nothing is sent until somebody has the line open; then the first chunk at once, the others in their time', async (t) => {
  const { clock, line, done } = start(THREE, 1);
  await clock.advance(5000);
  t.deepEqual(line.log, []);
  line.isOpen = true;
  await clock.advance(10_000);
  t.deepEqual(line.log, ['5110 a', '5610 b', '5610.4 c', '7110 d']);
  t.deepEqual(await done, { ended: 'done', bytes: 4, chunks: 4, dropped: 0, isUnplugged: false });
  t.is(clock.pending, 0);
});

test('at another speed the times are divided; what is due together goes in one', async (t) => {
  const { clock, line } = start(THREE, 10);
  line.isOpen = true;
  await clock.advance(10_000);
  t.deepEqual(line.log, ['100 a', '150 b', '150 c', '300 d']);
  const fast = start(THREE, Number.POSITIVE_INFINITY);
  fast.line.isOpen = true;
  await fast.clock.advance(10_000);
  t.deepEqual(fast.line.log, ['100 abcd']);
});

test('late timers do not make the device slower', async (t) => {
  const entries = Array.from({ length: 100 }, (_, i) => chunk(i * 10_000, 'x'));
  const { clock, line } = start(entries, 1);
  const after = clock.after.bind(clock);
  clock.after = (ms, fire) => after(ms + 3, fire); // every timer is 3 ms late
  line.isOpen = true;
  await clock.advance(3000);
  const last = Number(line.log.at(-1)?.split(' ')[0]);
  t.true(last >= 1093 && last <= 1099, `${last}`); // 100 to 106 of start, 990 of recording, one timer's 3 ms
});

test('a lost link is a plug that is pulled; the schedule waits until the gateway is back', async (t) => {
  const entries: RecordingEntry[] = [
    chunk(0, 'a'),
    { t: 1_000_000, note: 'lost', reason: 'unplugged' },
    { t: 3_000_000, note: 'online' },
    chunk(3_500_000, 'b'),
  ];
  const { clock, line, done } = start(entries, 1);
  line.isOpen = true;
  await clock.advance(10_000);
  t.deepEqual(line.log, ['100 a', '1200 unplugged', '3100 plugged']);
  line.isOpen = true;
  await clock.advance(1000);
  t.deepEqual(line.log.slice(3), ['10610 b']);
  t.like(await done, { ended: 'done', bytes: 2 });
});

test('what was written in the recording is expected, what is written now is compared; what is missing is counted', async (t) => {
  const check = new OutCheck();
  const entries: RecordingEntry[] = [
    chunk(0, 'a'),
    chunk(1000, 'TARE\n', 'out'),
    { t: 2000, note: 'dropped', dropped: 9 },
    { t: 2000, note: 'a word of later versions' },
    chunk(3000, 'b'),
  ];
  const { clock, line, done } = start(entries, 1, check);
  line.isOpen = true;
  await clock.advance(50);
  line.listener(Buffer.from('TA'));
  line.listener(Buffer.from('RE\n'));
  await clock.advance(1000);
  t.deepEqual(line.log, ['100 a', '103 b']);
  t.like(await done, { dropped: 9, bytes: 2, chunks: 2 });
  t.true(check.isEven);
});

test('it ends when it is told to, also while nobody comes', async (t) => {
  const waiting = start(THREE, 1);
  await waiting.clock.advance(50);
  waiting.stop.abort();
  t.like(await waiting.done, { ended: 'aborted', bytes: 0 });
  const playing = start(THREE, 1);
  playing.line.isOpen = true;
  await playing.clock.advance(700);
  playing.stop.abort();
  t.like(await playing.done, { ended: 'aborted', bytes: 3 });
  t.is(playing.clock.pending, 0);
});

test('a recording that ends while the link is lost says that it has left the plug out', async (t) => {
  const { clock, line, done } = start([chunk(0, 'a'), { t: 1_000_000, note: 'lost', reason: 'unplugged' }], 1);
  line.isOpen = true;
  await clock.advance(10_000);
  t.deepEqual(line.log, ['100 a', '1200 unplugged']);
  t.like(await done, { ended: 'done', isUnplugged: true });
});
