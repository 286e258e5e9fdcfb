// Acknowledgements may gather while the broker has enough to do; nothing else waits for that.

import test from 'ava';
import { AckRest } from '../../src/uplink/ack-rest.js';
import { openSession } from '../../src/uplink/open-session.js';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { startRawBroker } from '../support/raw-broker.js';
import { sessionOptions } from '../support/session-rig.js';
import { UplinkRig } from '../support/uplink-rig.js';

async function readMany(rig: UplinkRig, count: number): Promise<void> {
  rig.read('scale', ...Array.from({ length: count }, (_, n) => `${n}`));
  await rig.clock.settle();
}

type Read = readonly [read: number, owed: number];

/** What is to be done after reads of so many acknowledgements, each with so many still owed, one after the other; `window` are sent anew. */
function after(reads: readonly Read[], { window = 0, every = 0.2 } = {}): string[] {
  const clock = new FakeClock();
  const rest = new AckRest(clock);
  return reads.map(([read, owed]) => {
    clock.pass(every);
    for (let count = 0; count < read; count += 1) rest.acked();
    return rest.next(owed, window);
  });
}

const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

test('acknowledgements that come one by one may gather, as long as many are owed', (t) => {
  const reads: Read[] = [
    [1, 255],
    [80, 176],
    [80, 176],
    [100, 95],
    [1, 255],
  ];
  t.deepEqual(after(reads), ['rest', 'rest', 'rest', 'go-on', 'rest']);
});

test('acknowledgements that come together are not made to wait', (t) => {
  const reads: Read[] = [
    [16, 240],
    [128, 128],
    [256, 0],
  ];
  t.deepEqual(after(reads), times(3, 'go-on'));
});

test('now and then it is looked whether they come together without a rest', (t) => {
  t.deepEqual(after([[1, 255], ...times<Read>(40, [80, 176])]), [...times(16, 'rest'), ...times(25, 'go-on')]);
});

test('where a narrow window is full, a nap lets acknowledgements gather, if it is work for the broker meanwhile', (t) => {
  const reads = times<Read>(4, [1, 19]);
  t.deepEqual(after(reads, { window: 20 }), ['go-on', 'nap', 'nap', 'nap']);
  t.deepEqual(after(reads, { window: 15 }), times(4, 'go-on'));
  t.deepEqual(after(reads), times(4, 'go-on'));
});

test('acknowledgements that come slowly, or many at once, are waited for without a nap', (t) => {
  t.deepEqual(after(times<Read>(20, [1, 19]), { window: 20, every: 1 }), times(20, 'go-on'));
  t.deepEqual(after(times<Read>(20, [8, 12]), { window: 20 }), times(20, 'go-on'));
});

test('now and then it is looked whether they come together without a nap', (t) => {
  const reads = [...times<Read>(2, [1, 19]), ...times<Read>(20, [9, 11])];
  t.deepEqual(after(reads, { window: 20 }), ['go-on', ...times(16, 'nap'), ...times(5, 'go-on')]);
});

test('a session is told to rest when many are owed, and not when few are', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  rig.session.ackAll();
  await readMany(rig, 200);
  t.is(rig.session.rests, 0);
  rig.session.ack(10);
  t.is(rig.session.rests, 1);
  rig.session.ack(95);
  t.is(rig.session.rests, 1);
});

test('a broker with a narrow window is not made to wait for a millisecond; naps end with what waits for it', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true, receiveMaximum: 20 });
  rig.session.ackAll();
  await readMany(rig, 2000);
  for (let acks = 0; acks < 1990; acks += 1) rig.session.ack(1);
  const { blocked } = rig.clock;
  t.true(blocked > 100 && blocked < 200, `${blocked} ms for 1,980 acknowledgements that came one by one`);
  rig.session.ack(10);
  t.is(rig.session.on('base/scale').length, 2000);
  t.is(rig.session.rests, 0);
  rig.read('scale', 'one more');
  await rig.clock.settle();
  rig.session.ack(1);
  t.is(rig.clock.blocked, blocked);
});

test('a broker that acknowledges everything at once is never made to wait', async (t) => {
  const rig = await UplinkRig.start(t);
  await readMany(rig, 2000);
  t.is(rig.session.on('base/scale').length, 2000);
  t.is(rig.session.rests, 0);
});

test('what is read while acknowledgements gather is sent at once', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true, rests: true });
  rig.session.ackAll();
  await readMany(rig, 200);
  rig.session.ack(10);
  t.is(rig.session.rests, 1);
  rig.session.ack(10);
  rig.read('scale', 'later');
  await rig.clock.settle();
  t.is(rig.session.on('base/scale').at(-1), 'later');
  t.is(rig.uplink.figures.unacknowledged, 191);
  await rig.clock.advance(1);
  t.is(rig.uplink.figures.unacknowledged, 181);
});

test('a session that rests hears the broker again after a millisecond', async (t) => {
  const broker = await startRawBroker();
  t.teardown(() => broker.close());
  const clock = new FakeClock();
  const heard: string[] = [];
  const hooks = { onAck() {}, onAcksRead() {}, onDrain() {}, onLost() {} };
  const onMessage = ({ topic }: { topic: string }): void => void heard.push(topic);
  const session = await openSession(
    sessionOptions(broker.port, { clock }),
    { ...hooks, onMessage },
    new AbortController().signal,
  );
  t.teardown(() => session.destroy());
  await session.subscribe(['a']);
  session.rest();
  broker.send({ cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false });
  // Written in both directions, so that there has been time for it.
  session.writePackets(Buffer.from('3004000162' + '00', 'hex'), () => {});
  await eventually(() => broker.published.length > 0, 'our message at the broker');
  t.deepEqual(heard, []);
  await clock.advance(1);
  await eventually(() => heard.length > 0, 'the message of the broker');
});
