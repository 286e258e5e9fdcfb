import test from 'ava';
import { defineDriver, z } from '../../src/device/driver.js';
import type { TapUp, UpMessage } from '../../src/device/message.js';
import { FakeRelay } from '../support/fake-relay.js';
import { command, type GroupRig, groupRig } from '../support/group-rig.js';

/** What was told of the line: `in one\n`. */
function told({ relay }: GroupRig): string[] {
  return taps(relay).map(({ direction, bytes }) => `${direction} ${bytes.toString('latin1')}`);
}

function taps(relay: FakeRelay): TapUp[] {
  return relay.taken.filter((message) => message.kind === 'tap');
}

function threads({ device }: GroupRig): string[] {
  return device.group.view().threads.map(({ label }) => label);
}

const OWN = ['manager', 'send', 'receive'];

test('a tap is added to the running group, tells its line, and is gone after its time', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('before\n');
  t.true(await rig.device.startTap(60));
  t.deepEqual(threads(rig), [...OWN, 'tap']);
  rig.far.send('one\ntwo\n');
  await rig.clock.advance(100);
  t.deepEqual(told(rig), ['in one\n', 'in two\n']);
  t.deepEqual(
    taps(rig.relay).map(({ device, at, dropped }) => ({ device, at, dropped })),
    Array.from({ length: 2 }, () => ({ device: 'scale', at: rig.clock.wall() - 100, dropped: 0 })),
  );
  await rig.clock.advance(60_000);
  t.deepEqual(threads(rig), OWN);
  rig.far.send('after\n');
  await rig.clock.advance(1000);
  t.is(taps(rig.relay).length, 2);
  t.deepEqual(rig.relay.texts, ['before', 'one', 'two', 'after'], 'the device does not notice');
  t.is(rig.clock.pending, 0);
  t.true((await rig.end()).ended);
});

test('both directions are told in the order in which they went over the line', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  rig.far.send('one\n');
  rig.device.deliver(command({ payload: Buffer.from('TARE') }));
  await rig.settle();
  rig.far.send('two\n');
  await rig.clock.advance(100);
  t.deepEqual(told(rig), ['in one\n', 'out TARE\n', 'in two\n']);
  await rig.end();
});

test('a line that comes in pieces is one message; one that does not end is told all the same', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  rig.far.send('hal');
  await rig.clock.advance(90);
  rig.far.send('f a ');
  await rig.clock.advance(90);
  rig.far.send('line\nno end');
  await rig.clock.advance(300);
  t.deepEqual(told(rig), ['in half a line\n', 'in no end']);
  await rig.end();
});

test('a tap that is asked for again has its time anew; stopped, it tells what it has and can be started at once', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  await rig.clock.advance(50_000);
  t.true(await rig.device.startTap(60));
  await rig.clock.advance(50_000);
  t.deepEqual(threads(rig), [...OWN, 'tap']);
  rig.far.send('last\nre');
  const stopped = rig.device.stopTap();
  const started = rig.device.startTap(1);
  await stopped;
  t.deepEqual(told(rig), ['in last\n', 'in re']);
  t.true(await started);
  t.deepEqual(threads(rig), [...OWN, 'tap']);
  await rig.device.stopTap();
  await rig.device.stopTap();
  t.deepEqual(threads(rig), OWN);
  t.is(rig.clock.pending, 0);
  await rig.end();
});

test('more than the tap can tell is dropped and counted, and the device loses nothing', async (t) => {
  const rig = groupRig({ settings: { queue_size: 1024 * 1024 } });
  await rig.settle();
  await rig.device.startTap(60);
  const line = `${'x'.repeat(99)}\n`;
  for (let n = 0; n < 2000; n += 1) rig.far.send(line);
  await rig.clock.advance(100);
  rig.far.send('end\n');
  await rig.clock.advance(300);
  const all = taps(rig.relay);
  const bytes = all.reduce((sum, tap) => sum + tap.bytes.length, 0);
  const dropped = all.reduce((sum, tap) => sum + tap.dropped, 0);
  t.is(bytes + dropped, 200_004);
  t.true(bytes < 64 * 1024, `${bytes} bytes told`);
  t.true(all.length < 50, 'many lines to a message then');
  t.true(all.every((tap) => tap.bytes.length <= 1024));
  t.is(rig.device.counters.readings, 2001);
  t.is(rig.device.counters.droppedReadings + rig.device.counters.droppedBytes, 0);
  await rig.end();
});

test('a chunk without an end is cut into messages of 1 KiB', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  rig.far.send('y'.repeat(2500));
  await rig.clock.advance(300);
  t.deepEqual(
    taps(rig.relay).map(({ bytes }) => bytes.length),
    [1024, 1024, 452],
  );
  await rig.end();
});

test('an uplink that is full costs the tap its lines, counted, and the device nothing', async (t) => {
  const relay = new PickyRelay();
  const rig = groupRig({ relay });
  await rig.settle();
  await rig.device.startTap(60);
  relay.refusesTaps = true;
  rig.far.send('one\n');
  await rig.clock.advance(200);
  relay.refusesTaps = false;
  rig.far.send('two\n');
  await rig.clock.advance(200);
  t.deepEqual(told(rig), ['in two\n']);
  t.is(taps(relay)[0]?.dropped, 4);
  t.deepEqual(relay.texts, ['one', 'two']);
  await rig.end();
});

test('a tap that crashes is gone; the link stays, and the next tap works', async (t) => {
  const relay = new PickyRelay();
  const rig = groupRig({ relay });
  await rig.settle();
  await rig.device.startTap(60);
  relay.throwsOnTap = true;
  rig.far.send('one\n');
  await rig.clock.advance(200);
  t.deepEqual(threads(rig), OWN);
  t.is(rig.state, 'online');
  t.is(rig.far.opens, 1);
  relay.throwsOnTap = false;
  await rig.device.startTap(60);
  rig.far.send('two\n');
  await rig.clock.advance(200);
  t.deepEqual(told(rig), ['in two\n']);
  await rig.end();
});

test('a group that closes ends its tap, which tells what it has; a closed group takes none', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(600);
  rig.far.send('last\n');
  const { ended, stuck } = await rig.end();
  t.deepEqual({ ended, stuck }, { ended: true, stuck: [] });
  t.deepEqual(told(rig), ['in last\n']);
  t.false(await rig.device.startTap(60));
  t.is(rig.clock.pending, 0);
});

test('a loss of the link does not end the tap: it tells of the next link too', async (t) => {
  const rig = groupRig();
  await rig.settle();
  await rig.device.startTap(60);
  rig.far.send('one\n');
  rig.far.unplug();
  await rig.clock.advance(1000);
  rig.far.send('two\n');
  await rig.clock.advance(200);
  t.deepEqual(told(rig), ['in one\n', 'in two\n']);
  await rig.end();
});

test('what the driver does to a chunk after the fact does not show in the tap', async (t) => {
  const driver = defineDriver({
    kind: 'framed',
    summary: 'scribbles on its frames',
    options: z.unknown(),
    create: () => ({ decode: (frame) => ({ text: frame.fill(0x21).toString() }) }),
  });
  const rig = groupRig({ driver });
  await rig.settle();
  await rig.device.startTap(60);
  rig.far.send('one\n');
  await rig.clock.advance(100);
  t.deepEqual(told(rig), ['in one\n']);
  await rig.end();
});

/** Refuses or fails with taps only. */
class PickyRelay extends FakeRelay {
  refusesTaps = false;
  throwsOnTap = false;

  override offer(message: UpMessage): 'taken' | 'full' {
    if (message.kind === 'tap' && this.throwsOnTap) throw new Error('no tap today');
    return message.kind === 'tap' && this.refusesTaps ? 'full' : super.offer(message);
  }
}
