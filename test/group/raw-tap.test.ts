import test from 'ava';
import type { RawTapEntry, RawTapUp, UpMessage } from '../../src/device/message.js';
import { FakeRelay } from '../support/fake-relay.js';
import { command, type GroupRig, groupRig } from '../support/group-rig.js';

const OWN = ['manager', 'send', 'receive'];

function messages({ relay }: GroupRig): RawTapUp[] {
  return relay.taken.filter((message) => message.kind === 'raw-tap');
}

function entries(rig: GroupRig): RawTapEntry[] {
  return messages(rig).flatMap((message) => message.entries);
}

/** `in one`, `online`, `dropped 5`. */
function told(rig: GroupRig): string[] {
  return entries(rig).map((entry) => {
    if ('bytes' in entry) return `${entry.direction} ${entry.bytes.toString('latin1')}`;
    return 'dropped' in entry ? `dropped ${entry.dropped}` : entry.note;
  });
}

function threads({ device }: GroupRig): string[] {
  return device.group.view().threads.map(({ label }) => label);
}

/** Bytes that are told, and told to be missing. */
function totals(rig: GroupRig): { bytes: number; dropped: number } {
  const sum = { bytes: 0, dropped: 0 };
  for (const entry of entries(rig)) {
    if ('bytes' in entry) sum.bytes += entry.bytes.length;
    if ('dropped' in entry) sum.dropped += entry.dropped;
  }
  return sum;
}

/** The receive thread works it off, and no time passes. */
async function sendAtOnce(rig: GroupRig, bytes: string | Buffer): Promise<void> {
  rig.far.send(bytes);
  await rig.settle();
}

test('a raw tap tells every chunk as it came, both ways in order, with microseconds', async (t) => {
  const rig = groupRig();
  await rig.settle();
  t.true(await rig.device.startTap(60, 'raw'));
  t.deepEqual(threads(rig), [...OWN, 'recorder']);
  rig.far.send('ha');
  await rig.clock.advance(1.25);
  rig.far.send('lf\r\nand');
  rig.device.deliver(command({ payload: Buffer.from('TARE') }));
  await rig.settle();
  rig.far.send(' more\n');
  await rig.clock.advance(100);
  t.deepEqual(told(rig), ['online', 'in ha', 'in lf\r\nand', 'out TARE\n', 'in  more\n']);
  const [, first, second] = entries(rig);
  t.is((second?.t ?? 0) - (first?.t ?? 0), 1250);
  t.deepEqual(rig.relay.texts, ['half\r', 'and more'], 'the device does not notice');
  await rig.end();
});

test('stopped, it says what it has and then its last word; messages are counted from 0 in each run', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  rig.far.send('one\n');
  await rig.clock.advance(200);
  rig.far.send('two\n');
  await rig.device.stopTap('raw');
  t.deepEqual(
    messages(rig).map(({ seq, isLast, entries }) => ({ seq, isLast, entries: entries.length })),
    [
      { seq: 0, isLast: false, entries: 2 },
      { seq: 1, isLast: false, entries: 1 },
      { seq: 2, isLast: true, entries: 0 },
    ],
  );
  t.deepEqual(threads(rig), OWN);
  await rig.clock.advance(1000);
  await rig.device.startTap(60, 'raw');
  await rig.clock.advance(200);
  const runs = messages(rig).map(({ tap }) => tap);
  t.is(messages(rig).at(-1)?.seq, 0);
  t.not(runs[0], runs.at(-1));
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('a monitor and a recorder on one device do not know of each other', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  await rig.device.startTap(60, 'raw');
  t.deepEqual(threads(rig), [...OWN, 'tap', 'recorder']);
  rig.far.send('one\n');
  await rig.clock.advance(100);
  await rig.device.stopTap();
  rig.far.send('two\n');
  await rig.clock.advance(100);
  t.is(rig.relay.taken.filter(({ kind }) => kind === 'tap').length, 1);
  t.deepEqual(told(rig), ['online', 'in one\n', 'in two\n']);
  await rig.clock.advance(60_000);
  t.deepEqual(threads(rig), OWN, 'its time is over');
  await rig.end();
});

test('loss and return of the link stand in their place among the chunks; silence is neither', async (t) => {
  const rig = groupRig({ settings: { silent_after: 300 } });
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  rig.far.send('one\n');
  await rig.clock.advance(1000);
  t.is(rig.state, 'silent');
  rig.far.unplug();
  await rig.clock.advance(1000);
  rig.far.send('two\n');
  await rig.clock.advance(200);
  t.deepEqual(told(rig), ['online', 'in one\n', 'lost', 'online', 'in two\n']);
  await rig.end();
});

test('a full uplink is waited for; what does not fit meanwhile is told where it is missing, and the device loses nothing', async (t) => {
  const relay = new StubbornRelay();
  const rig = groupRig({ relay, settings: { queue_size: 8 * 1024 * 1024 } });
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  await rig.clock.advance(100);
  relay.refusesTaps = true;
  rig.far.send('first\n');
  await rig.clock.advance(100);
  const chunk = `${'x'.repeat(63)}\n`.repeat(1024);
  for (let n = 0; n < 20; n += 1) await sendAtOnce(rig, chunk);
  await rig.clock.advance(100);
  t.deepEqual(told(rig), ['online']);
  relay.letGo();
  await rig.clock.advance(100);
  rig.far.send('last\n');
  await rig.clock.advance(200);
  const { bytes, dropped } = totals(rig);
  t.is(bytes + dropped, 20 * 65_536 + 11);
  t.true(dropped > 0 && dropped <= 5 * 65_536, `${dropped} bytes dropped`);
  t.deepEqual(told(rig).slice(-2), [`dropped ${dropped}`, 'in last\n']);
  t.is(told(rig)[1], 'in first\n');
  t.is(rig.device.counters.readings, 20 * 1024 + 2);
  t.is(rig.device.counters.droppedBytes + rig.device.counters.droppedReadings, 0);
  await rig.end();
});

test('what is missing at the very end is told with the last word', async (t) => {
  const rig = groupRig({ settings: { queue_size: 8 * 1024 * 1024 } });
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  for (let n = 0; n < 20; n += 1) await sendAtOnce(rig, Buffer.alloc(65_536));
  await rig.device.stopTap('raw');
  const { bytes, dropped } = totals(rig);
  t.is(bytes + dropped, 20 * 65_536);
  t.true(dropped > 0);
  t.true(messages(rig).at(-1)?.isLast);
  t.deepEqual(told(rig).at(-1), `dropped ${dropped}`);
  t.true(
    messages(rig).every((message) => message.entries.filter((entry) => 'bytes' in entry).length <= 1),
    'a large chunk is a message of its own',
  );
  await rig.end();
});

test('a broker that takes nothing of a recording holds up the end of its device for half a second', async (t) => {
  const relay = new StubbornRelay();
  const rig = groupRig({ relay, settings: { on_shutdown: Buffer.from('SAFE') } });
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  relay.refusesTaps = true;
  rig.far.send('one\n');
  await rig.clock.advance(100);
  const startedAt = rig.clock.now();
  t.true((await rig.end()).ended);
  t.true(rig.clock.now() - startedAt <= 700, `${rig.clock.now() - startedAt} ms`);
  t.deepEqual(rig.far.received.map(String), ['SAFE']);
  t.deepEqual(relay.texts, ['one']);
  t.is(rig.clock.pending, 0);
});

test('a recording that is stopped gets its last words out, although the broker has to be waited for', async (t) => {
  const relay = new StubbornRelay();
  const rig = groupRig({ relay });
  await rig.settle();
  await rig.device.startTap(60, 'raw');
  relay.refusesTaps = true;
  rig.far.send('one\n');
  const stopped = rig.device.stopTap('raw');
  await rig.clock.advance(400);
  relay.letGo();
  await stopped;
  t.deepEqual(told(rig), ['online', 'in one\n']);
  t.true(messages(rig).at(-1)?.isLast);
  await rig.end();
  t.is(rig.clock.pending, 0);
});

/** Keeps taps waiting. */
class StubbornRelay extends FakeRelay {
  refusesTaps = false;
  #wake: (() => void)[] = [];

  override offer(message: UpMessage): 'taken' | 'full' {
    return message.kind === 'raw-tap' && this.refusesTaps ? 'full' : super.offer(message);
  }

  override room(signal?: AbortSignal): Promise<unknown> {
    return new Promise<void>((resolve) => {
      this.#wake.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  letGo(): void {
    this.refusesTaps = false;
    for (const wake of this.#wake.splice(0)) wake();
  }
}
