// The send thread: what is kept, what is dropped, who has to wait.

import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { UplinkRig } from '../support/uplink-rig.js';

const KIB = 1024;

/** Numbered readings of 1 KiB, one to a batch, until `count` are taken or the uplink is full; gives how many were taken. */
async function feed(rig: UplinkRig, device: string, from: number, count: number): Promise<number> {
  for (let n = 0; n < count; n += 1) {
    if (rig.read(device, `${from + n}`.padEnd(KIB)) === 'full') {
      await rig.clock.settle(); // the send thread may only have had no turn yet
      if (rig.read(device, `${from + n}`.padEnd(KIB)) === 'full') return n;
    }
  }
  await rig.clock.settle();
  return count;
}

function numbers(rig: UplinkRig, device: string): number[] {
  return rig.session.on(`base/${device}`).map(Number);
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

function isSettled(t: ExecutionContext, rig: UplinkRig): void {
  t.deepEqual(rig.uplink.leftovers(), new Map());
  t.is(rig.uplink.group.view().counters.queuedBytes, 0);
}

test('while the broker is away readings are kept up to max_size, then the oldest are dropped and counted per device', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { max_size: 100 * KIB } });
  t.is(await feed(rig, 'scale', 0, 1000), 1000, 'nobody has to wait');
  t.is(rig.log.matching('messages are being dropped').length, 1);
  t.regex(rig.log.find('messages are being dropped')?.message ?? '', /spool\.max_size \(102400 bytes\)/);
  await rig.comeBack();
  const kept = numbers(rig, 'scale');
  t.true(kept.length > 70 && kept.length <= 100, `${kept.length} kept`);
  t.deepEqual(kept, upTo(kept.length, 1000 - kept.length), 'the newest, in order');
  t.is(rig.uplink.dropped('scale'), 1000 - kept.length);
  await rig.clock.advance(10_000);
  t.regex(rig.log.find('no longer dropped')?.message ?? '', new RegExp(`${1000 - kept.length} of scale`));
  t.is(rig.dropNews, 2);
  isSettled(t, rig);
});

test('with when_full: drop-newest what came first is kept', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { max_size: 100 * KIB, when_full: 'drop-newest' } });
  await feed(rig, 'scale', 0, 200);
  await rig.comeBack();
  const kept = numbers(rig, 'scale');
  t.deepEqual(kept, upTo(kept.length));
  t.is(rig.uplink.dropped('scale'), 200 - kept.length);
});

test('with spool.mode: off readings are not kept while the broker is away, but counted; answers to commands are', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { mode: 'off' } });
  rig.read('scale', '1', '2');
  rig.uplink.relay.offer({ kind: 'response', device: 'scale', status: 'ok', transaction: 't' });
  await rig.clock.settle();
  t.is(rig.uplink.dropped('scale'), 2);
  t.regex(rig.log.find('being dropped')?.message ?? '', /spool\.mode is off/);
  await rig.comeBack();
  t.deepEqual(rig.session.on('base/scale'), []);
  t.is(rig.session.on('base/scale/response').length, 1);
});

test('with a slow broker the devices are told to wait, and told when there is room', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  rig.session.behaviour.isStalled = true;
  const taken = await feed(rig, 'scale', 0, 10_000);
  t.true(taken > 600 && taken < 1200, `${taken} KiB taken`);
  let hasRoom = false;
  void rig.uplink.relay.room().then(() => (hasRoom = true));
  await rig.clock.settle();
  t.false(hasRoom);
  rig.session.behaviour.holdsAcks = false;
  rig.session.behaviour.isStalled = false;
  rig.session.drain();
  await rig.clock.settle();
  t.true(hasRoom);
  t.is(await feed(rig, 'scale', taken, 1000), 1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(taken + 1000));
  t.is(rig.uplink.group.view().counters.dropped, 0);
  isSettled(t, rig);
});

test('who waits for a slow broker goes on as soon as that broker is lost', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  const taken = await feed(rig, 'scale', 0, 10_000);
  t.true(taken < 10_000);
  await rig.lose();
  t.is(await feed(rig, 'scale', taken, 100), 100);
  await rig.comeBack();
  t.deepEqual(numbers(rig, 'scale'), upTo(taken + 100));
  isSettled(t, rig);
});

test('what a lost session had not acknowledged is sent first with the next one, in order', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  rig.read('scale', '0', '1', '2', '3');
  rig.read('cell', '0', '1');
  await rig.clock.settle();
  rig.session.ack(3);
  await rig.lose();
  rig.read('scale', '4');
  await rig.clock.settle();
  await rig.comeBack();
  t.deepEqual(numbers(rig, 'scale'), [3, 4]);
  t.deepEqual(numbers(rig, 'cell'), [0, 1]);
  isSettled(t, rig);
});

test('a spool smaller than what is on its way drops nothing while the broker is there', async (t) => {
  const rig = await UplinkRig.start(t, {}, { spool: { max_size: KIB } });
  rig.session.behaviour.holdsAcks = true;
  rig.read('scale', ...upTo(100).map((n) => `${n}`.padEnd(KIB)));
  await feed(rig, 'scale', 100, 300);
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await rig.clock.settle();
  t.deepEqual(numbers(rig, 'scale'), upTo(400));
  t.is(rig.uplink.dropped('scale'), 0);
});

test('after the broker has come back, a backlog does not hold up the devices', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { max_size: 10_000 * KIB } });
  await feed(rig, 'scale', 0, 3000);
  await rig.comeBack({ isStalled: true, holdsAcks: true });
  t.is(await feed(rig, 'scale', 3000, 1000), 1000);
  rig.session.behaviour.isStalled = false;
  rig.session.behaviour.holdsAcks = false;
  rig.session.drain();
  await rig.clock.settle();
  t.deepEqual(numbers(rig, 'scale'), upTo(4000));
  t.is(rig.uplink.dropped('scale'), 0);
});

test('birth messages and answers do not wait behind the backlog', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'online' });
  await feed(rig, 'scale', 0, 800);
  await rig.comeBack({ receiveMaximum: 10, holdsAcks: true });
  t.deepEqual(
    rig.session.published.slice(0, 3).map(({ topic }) => topic),
    ['base/scale/availability', 'base/bridge/state', 'base/scale'],
  );
  rig.uplink.relay.offer({ kind: 'response', device: 'scale', status: 'ok', transaction: 't' });
  t.is(rig.session.published.length, 10);
  rig.session.ack(1);
  t.is(rig.session.published.at(-1)?.topic, 'base/scale/response');
});

test('messages that the broker refuses are counted to their device and told', async (t) => {
  const rig = await UplinkRig.start(t, { refusedTopics: ['base/scale'] });
  rig.read('scale', '1', '2');
  await rig.clock.settle();
  t.is(rig.uplink.dropped('scale'), 2);
  t.regex(rig.log.find('being dropped')?.message ?? '', /refuses/);
  isSettled(t, rig);
});

test('a shutdown with a slow broker names also what the send thread has not taken in', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  const taken = await feed(rig, 'scale', 0, 10_000);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(8000);
  t.false((await report).clean);
  t.deepEqual(rig.uplink.leftovers().get('scale'), taken);
});

test('a shutdown delivers what is queued, however much the broker lets wait', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  const taken = await feed(rig, 'scale', 0, 10_000);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(2000);
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await rig.clock.settle();
  t.true((await report).clean);
  t.deepEqual(numbers(rig, 'scale'), upTo(taken));
});

test('readings offered after the end of the send thread are not lost while the session is open', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.uplink.group.thread('send')?.finish();
  await rig.clock.settle();
  t.is(rig.read('scale', '1'), 'taken');
  await rig.clock.settle();
  t.deepEqual(rig.session.on('base/scale'), ['1']);
});

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('read' as const), count: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ack' as const), count: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 2, arbitrary: fc.constantFrom({ kind: 'lose' as const }, { kind: 'come back' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'stall' as const }, { kind: 'drain' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Does one step; gives how many readings have been taken by then. */
async function run(rig: UplinkRig, action: Step, read: number): Promise<number> {
  const { isOnline } = rig.uplink;
  if (action.kind === 'read') return read + (await feed(rig, 'scale', read, action.count));
  if (action.kind === 'lose' && isOnline) await rig.lose('away');
  else if (action.kind === 'come back' && !isOnline) await rig.comeBack({ holdsAcks: true });
  else if (action.kind === 'ack' && isOnline) rig.session.ack(action.count);
  else if (action.kind === 'stall' && isOnline) rig.session.behaviour.isStalled = true;
  else if (action.kind === 'drain' && isOnline) rig.session.drain();
  return read;
}

test('whatever happens to sessions, what was taken arrives in order, and at most what was unacknowledged twice', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool: { max_size: 64 * KIB * KIB } });
      let read = 0;
      for (const action of steps) read = await run(rig, action, read);
      if (rig.uplink.isOnline) await rig.lose('away');
      await rig.comeBack();
      const arrived = rig.sessions.flatMap((session) => session.on('base/scale').map(Number));
      t.deepEqual([...new Set(arrived)], upTo(read));
      const doubled = arrived.length - read;
      t.true(doubled <= 256 * (rig.sessions.length - 1), `${doubled} doubled in ${rig.sessions.length} sessions`);
      t.is(rig.uplink.dropped('scale'), 0);
      t.is(await rig.uplink.relay.room(), 'room');
      isSettled(t, rig);
      rig.uplink.group.cleanup();
    }),
    { numRuns: 60 },
  );
});
