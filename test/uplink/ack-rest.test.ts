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

/** What `rest` says after reads of so many acknowledgements, each with so many still owed. */
function rests(reads: readonly (readonly [read: number, owed: number])[]): boolean[] {
  const rest = new AckRest();
  return reads.map(([read, owed]) => {
    for (let count = 0; count < read; count += 1) rest.acked();
    return rest.isDue(owed);
  });
}

test('acknowledgements that come one by one may gather, as long as many are owed', (t) => {
  t.deepEqual(
    rests([
      [1, 255],
      [80, 176],
      [80, 176],
      [100, 95],
      [1, 255],
    ]),
    [true, true, true, false, true],
  );
});

test('acknowledgements that come together are not made to wait', (t) => {
  t.deepEqual(
    rests([
      [16, 240],
      [128, 128],
      [256, 0],
    ]),
    [false, false, false],
  );
});

test('now and then it is looked whether they come together without a rest', (t) => {
  const batches = Array.from({ length: 40 }, (): [number, number] => [80, 176]);
  t.deepEqual(rests([[1, 255], ...batches]), [...new Array(16).fill(true), ...new Array(25).fill(false)]);
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

test('a broker with a narrow window is never made to wait', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true, receiveMaximum: 20 });
  await readMany(rig, 2000);
  for (let acks = 0; acks < 2100; acks += 1) rig.session.ack(1);
  t.is(rig.session.on('base/scale').length, 2000);
  t.is(rig.session.rests, 0);
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
