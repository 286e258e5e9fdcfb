// The send thread: what is kept, what is dropped, who has to wait.

import test, { type ExecutionContext } from 'ava';
import { MemoryStore } from '../../src/spool/memory-store.js';
import { StoreError } from '../../src/spool/store-error.js';
import { fc } from '../support/properties.js';
import { UplinkRig } from '../support/uplink-rig.js';

const KIB = 1024;

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

/** Time for what has gathered to be written, and for what was written to be read back. */
async function writeInterval(rig: UplinkRig): Promise<void> {
  await rig.clock.advance(1000);
}

test('while the broker is away readings gather in memory for write_interval, then they are written together', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.read('scale', '1', '2');
  rig.read('cell', '3');
  await rig.clock.advance(999);
  t.is(rig.store.totals.blocks, 0);
  await rig.clock.advance(1);
  t.deepEqual([rig.store.totals.blocks, rig.store.totals.messages], [1, 3]);
  t.is(rig.uplink.group.view().counters.queuedBytes, 0);
  t.is(rig.uplink.group.view().counters.spoolMessages, 3);
});

test('a flood in a brief absence has to wait, and never touches the disk', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { replay_order: 'live-first' } });
  const taken = await rig.feed('scale', 0, 5000);
  t.true(taken > 500 && taken < 1000, `${taken}`);
  await rig.comeBack();
  await rig.feed('scale', taken, 5000);
  t.deepEqual(numbers(rig, 'scale'), upTo(taken + 5000));
  t.is(rig.store.nextSeq, 1);
});

test('a flood while the broker is away for longer is written at once, and memory stays flat', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  await writeInterval(rig);
  t.is(await rig.feed('scale', 0, 5000), 5000, 'nobody has to wait');
  t.true(rig.store.totals.messages > 4000);
  t.true(Number(rig.uplink.group.view().counters.queuedBytes) < 600 * KIB);
  await rig.comeBack();
  await rig.clock.advance(1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(5000));
  isSettled(t, rig);
});

test('a session lost for less than write_interval never touches the disk', async (t) => {
  const rig = await UplinkRig.start(t);
  await rig.lose();
  rig.read('scale', '1');
  await rig.comeBack();
  t.deepEqual(rig.session.on('base/scale'), ['1']);
  t.is(rig.store.nextSeq, 1);
});

test('what does not fit the spool is counted per device, told once, and shown', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { maxBytes: 256 * KIB } });
  await writeInterval(rig);
  await rig.feed('scale', 0, 1000);
  await writeInterval(rig);
  t.is(rig.log.matching('messages are being dropped').length, 1);
  const messages = Number(rig.uplink.group.view().counters.spoolMessages);
  t.true(messages > 200 && messages < 256, `${messages} kept`);
  t.is(rig.uplink.dropped('scale'), 1000 - messages);
  await rig.comeBack();
  await rig.clock.advance(1000);
  const kept = numbers(rig, 'scale');
  t.deepEqual(kept, upTo(messages, 1000 - messages), 'the newest, in order');
  await rig.clock.advance(10_000);
  t.regex(rig.log.find('no longer dropped')?.message ?? '', new RegExp(`${1000 - messages} of scale`));
  isSettled(t, rig);
});

test('with when_full: reject the devices wait when the spool is full, and go on when the broker is back', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { maxBytes: 256 * KIB, whenFull: 'reject' } });
  const taken = await rig.feed('scale', 0, 5000);
  t.true(taken < 1500, `${taken}`);
  await rig.clock.advance(5000);
  t.is(rig.uplink.dropped('scale'), 0);
  await rig.comeBack();
  await rig.clock.advance(1000);
  t.is(await rig.feed('scale', taken, 1000), 1000);
  await rig.clock.advance(1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(taken + 1000));
});

test('live-first: with a long absence new readings do not wait for kept ones, and each stream is in order', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { replay_order: 'live-first', replay_rate: 100 } });
  await rig.feed('scale', 0, 500);
  await writeInterval(rig);
  await rig.comeBack();
  await rig.feed('scale', 500, 10);
  t.deepEqual(numbers(rig, 'scale'), upTo(10, 500));
  await rig.clock.advance(6000);
  const isHistorical = rig.session.published
    .filter(({ topic }) => topic === 'base/scale')
    .map(({ properties }) => properties?.userProperties?.historical === 'true');
  t.deepEqual(numbers(rig, 'scale'), [...upTo(10, 500), ...upTo(500)]);
  t.deepEqual(isHistorical, [...Array(10).fill(false), ...Array(500).fill(true)]);
  t.is(rig.store.totals.messages, 0);
  isSettled(t, rig);
});

test('live-first: a backlog that is sent within two seconds goes first, so that a short absence mixes nothing up', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { replay_order: 'live-first', replay_rate: 250 } });
  await rig.feed('scale', 0, 500);
  await writeInterval(rig);
  await rig.comeBack();
  await rig.feed('scale', 500, 100);
  await rig.clock.advance(100);
  t.deepEqual(numbers(rig, 'scale'), upTo(600));
});

test('live-first: where the broker takes a small backlog slowly, live readings go ahead before devices have to wait', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { replay_order: 'live-first', replay_rate: 250 } });
  await rig.feed('scale', 0, 500);
  await writeInterval(rig);
  await rig.comeBack({ holdsAcks: true, receiveMaximum: 10 });
  const taken = await rig.feed('scale', 500, 5000);
  t.true(taken < 1500, 'the broker is too slow for the devices too');
  rig.session.ack(10);
  t.true(numbers(rig, 'scale').includes(500));
});

test('in-order: new readings wait for kept ones, on the disk if it takes long', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  await rig.feed('scale', 0, 500);
  await writeInterval(rig);
  await rig.comeBack({ holdsAcks: true, receiveMaximum: 10 });
  await rig.feed('scale', 500, 2000);
  await writeInterval(rig);
  const first = numbers(rig, 'scale');
  t.true(first.length > 5 && first.length <= 10, 'states are on their way too');
  t.deepEqual(first, upTo(first.length));
  t.true(rig.store.totals.messages > 1500);
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await rig.clock.advance(2000);
  t.deepEqual(numbers(rig, 'scale'), upTo(2500));
  isSettled(t, rig);
});

test('always: nothing is sent that has not been written before, and what has arrived is not kept', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool: { mode: 'always' } });
  await rig.feed('scale', 0, 100);
  t.deepEqual(numbers(rig, 'scale'), upTo(100));
  t.is(rig.store.totals.messages, 100);
  rig.session.ackAll();
  await rig.clock.advance(1000);
  t.is(rig.store.totals.messages, 0);
  isSettled(t, rig);
});

test('always: while the broker is away everything is written at once and replayed in order', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool: { mode: 'always' } });
  await rig.feed('scale', 0, 10);
  await rig.lose();
  await rig.feed('scale', 10, 100);
  t.is(rig.store.totals.messages, 110);
  await rig.comeBack();
  await rig.clock.advance(1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(110));
  t.is(rig.store.totals.messages, 0);
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

/** All that goes on by itself, in this turn of the event loop. */
async function withinTurn(): Promise<void> {
  for (let n = 0; n < 100; n += 1) await Promise.resolve();
}

test('readings that come up in one turn of the event loop leave at its end, in one write', async (t) => {
  const rig = await UplinkRig.start(t);
  const { writes } = rig.session;
  for (const device of ['scale', 'cell', 'scale']) {
    rig.read(device, device);
    await withinTurn();
  }
  t.is(rig.session.writes, writes);
  await rig.clock.settle();
  t.is(rig.session.writes, writes + 1);
  t.deepEqual([rig.session.on('base/scale'), rig.session.on('base/cell')], [['scale', 'scale'], ['cell']]);
});

test('with a slow broker the devices are told to wait, and told when there is room', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  rig.session.behaviour.isStalled = true;
  const taken = await rig.feed('scale', 0, 10_000);
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
  t.is(await rig.feed('scale', taken, 1000), 1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(taken + 1000));
  t.is(rig.uplink.group.view().counters.dropped, 0);
  isSettled(t, rig);
});

test('who waits for a slow broker goes on when that broker has been lost for write_interval', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  const taken = await rig.feed('scale', 0, 10_000);
  t.true(taken < 10_000);
  await rig.lose();
  await writeInterval(rig);
  t.is(await rig.feed('scale', taken, 100), 100);
  await rig.comeBack();
  await rig.clock.advance(1000);
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
  t.is(rig.uplink.group.view().counters.resent, 3);
  t.truthy(rig.log.find('3 unacknowledged messages will be sent again, and may arrive twice'));
  isSettled(t, rig);
});

test('after the broker has come back, a backlog does not hold up the devices', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  await writeInterval(rig);
  await rig.feed('scale', 0, 3000);
  await rig.comeBack({ isStalled: true, holdsAcks: true });
  t.is(await rig.feed('scale', 3000, 1000), 1000);
  rig.session.behaviour.isStalled = false;
  rig.session.behaviour.holdsAcks = false;
  rig.session.drain();
  rig.session.ackAll();
  await rig.clock.advance(1000);
  t.deepEqual(numbers(rig, 'scale'), upTo(4000));
  t.is(rig.uplink.dropped('scale'), 0);
});

test('birth messages and answers do not wait behind the backlog', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'online' });
  await rig.feed('scale', 0, 800);
  await rig.comeBack({ receiveMaximum: 10, holdsAcks: true });
  t.deepEqual(
    rig.session.published.slice(0, 3).map(({ topic }) => topic),
    ['base/scale/availability', 'base/bridge/state', 'base/scale'],
  );
  rig.uplink.relay.offer({ kind: 'response', device: 'scale', status: 'ok', transaction: 't' });
  await rig.clock.advance(2);
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

test('a shutdown with a broker that acknowledges nothing leaves everything on the disk, and says how much', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  const taken = await rig.feed('scale', 0, 10_000);
  rig.uplink.finishBy(rig.clock.now() + 6000, 1000);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(8000);
  t.true((await report).clean);
  t.deepEqual(rig.uplink.leftovers(), new Map());
  t.truthy(rig.log.find(`${taken} messages are kept on the disk`));
});

test('a shutdown that leaves nothing opens no spool', async (t) => {
  let opened = 0;
  const openStore = async (): Promise<MemoryStore> => {
    opened += 1;
    return new MemoryStore();
  };
  const rig = await UplinkRig.start(t, {}, { spool: { openStore } });
  rig.read('scale', '1');
  await rig.clock.settle();
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(8000);
  t.true((await report).clean);
  t.deepEqual(rig.session.on('base/scale'), ['1']);
  t.is(opened, 0);
});

test('a shutdown with a broker that is slow does not keep devices waiting: they get rid of what they have in time', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  const taken = await rig.feed('scale', 0, 10_000);
  rig.uplink.finishBy(rig.clock.now() + 6000, 1000);
  await rig.clock.advance(2900);
  t.is(await rig.feed('scale', taken, 100), 0, 'the broker may still take it');
  await rig.clock.advance(200);
  t.is(await rig.feed('scale', taken, 1000), 1000);
  const report = rig.registry.shutdown(4900, 'test');
  await rig.clock.advance(4900);
  t.true((await report).clean);
  t.truthy(rig.log.find(`${taken + 1000} messages are kept on the disk`));
});

test('a send thread that is told to abort while it waits for the broker does not wait any more', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  rig.read('scale', '1');
  await rig.clock.settle();
  rig.uplink.group.thread('send')?.abort();
  await rig.clock.advance(10);
  t.is(rig.store.totals.messages, 1, 'it is on the disk');
});

test('in-order: readings that come before it is known what the spool has from before wait for that', async (t) => {
  const before = await UplinkRig.start(t, 'away');
  before.read('scale', '1', '2');
  await writeInterval(before);
  const { store } = before;
  let open: (() => void) | undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  const openStore = (): Promise<typeof store> => isOpen.then(() => store);
  for (const mode of ['offline', 'always'] as const) {
    const rig = await UplinkRig.start(t, {}, { spool: { mode, openStore, hasFolder: async () => true } });
    rig.read('scale', '3');
    await rig.clock.settle();
    t.deepEqual(rig.session.on('base/scale'), [], mode);
    if (mode === 'always') t.deepEqual(rig.uplink.leftovers(), new Map([['scale', 1]]), 'not on the disk yet');
    if (mode === 'offline') continue;
    open?.();
    await rig.clock.advance(2000);
    t.deepEqual(rig.session.on('base/scale'), ['1', '2', '3']);
  }
});

test('a shutdown while the broker is away does not wait for it long', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  await rig.feed('scale', 0, 10);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(1100);
  t.true((await report).clean);
  t.true((await report).tookMs < 1100);
  t.truthy(rig.log.find('10 messages are kept on the disk'));
});

test('a shutdown while neither broker nor disk takes anything names what is lost', async (t) => {
  const openStore = (): Promise<never> => Promise.reject(new StoreError('STORE_IO', 'no space left'));
  const rig = await UplinkRig.start(t, 'away', { spool: { openStore } });
  await rig.feed('scale', 0, 10);
  await writeInterval(rig);
  await rig.feed('scale', 10, 5);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(3000);
  t.true((await report).clean, 'no thread is stuck');
  t.deepEqual(rig.uplink.leftovers(), new Map([['scale', 15]]));
  t.falsy(rig.log.find('are kept on the disk'));
});

test('with spool.mode: off a shutdown with a slow broker names also what the send thread has not taken in', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool: { mode: 'off' } });
  const taken = await rig.feed('scale', 0, 10_000);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(8000);
  t.false((await report).clean);
  t.deepEqual(rig.uplink.leftovers().get('scale'), taken);
});

test('a shutdown delivers what is queued, however much the broker lets wait', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  const taken = await rig.feed('scale', 0, 10_000);
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
  if (action.kind === 'read') return read + (await rig.feed('scale', read, action.count));
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
      const rig = await UplinkRig.start(t, { holdsAcks: true });
      let read = 0;
      for (const action of steps) read = await run(rig, action, read);
      if (rig.uplink.isOnline) await rig.lose('away');
      await rig.comeBack();
      await rig.clock.advance(1000);
      const arrived = rig.sessions.flatMap((session) => session.on('base/scale').map(Number));
      t.deepEqual([...new Set(arrived)], upTo(read));
      const doubled = arrived.length - read;
      t.true(doubled <= 512 * (rig.sessions.length - 1), `${doubled} doubled in ${rig.sessions.length} sessions`);
      t.is(rig.uplink.dropped('scale'), 0);
      t.is(await rig.uplink.relay.room(), 'room');
      isSettled(t, rig);
      rig.uplink.group.cleanup();
    }),
    { numRuns: 60 },
  );
});
