// The uplink as a group: what is said when, and what its threads do when something breaks.

import test from 'ava';
import type { AvailabilityUp } from '../../src/device/message.js';
import { UPLINK_ID } from '../../src/uplink/uplink.js';
import { UplinkRig } from '../support/uplink-rig.js';

const STATE = 'base/bridge/state';
const ONLINE = '{"state":"online"}';
const OFFLINE = '{"state":"offline"}';

function say(rig: UplinkRig, device: string, state: AvailabilityUp['state']): void {
  rig.uplink.relay.offer({ kind: 'availability', device, state });
}

test('every new session says the state of every device once', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  say(rig, 'scale', 'offline');
  say(rig, 'scale', 'online');
  say(rig, 'cell', 'offline');
  rig.uplink.publishState('base/bridge/info', '{"version":"1"}');
  const expected = [
    `base/scale/availability ${ONLINE}`,
    `base/cell/availability ${OFFLINE}`,
    'base/bridge/info {"version":"1"}',
    `${STATE} ${ONLINE}`,
  ];
  await rig.comeBack();
  t.deepEqual(rig.session.said, expected);
  t.true(rig.session.published.every(({ qos, retain }) => qos === 1 && retain));
  say(rig, 'scale', 'online');
  t.is(rig.session.said.length, expected.length, 'no news');
  await rig.lose();
  await rig.comeBack();
  t.deepEqual([...rig.session.said].sort(), [...expected].sort());
});

test('a state that a lost session had not acknowledged does not come after a newer one', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  say(rig, 'scale', 'online');
  await rig.clock.settle();
  t.deepEqual(rig.session.on('base/scale/availability'), [ONLINE]);
  await rig.lose();
  say(rig, 'scale', 'offline');
  await rig.comeBack();
  t.deepEqual(rig.session.on('base/scale/availability'), [OFFLINE]);
});

test("an ended connection's retained availability is cleared, also when it ended while the broker was away", async (t) => {
  const rig = await UplinkRig.start(t);
  say(rig, 'hall/early', 'online');
  say(rig, 'hall/late', 'online');
  await rig.clock.settle();
  say(rig, 'hall/early', 'gone');
  await rig.clock.settle();
  t.deepEqual(rig.session.on('base/hall/early/availability'), [ONLINE, '']);
  await rig.lose();
  say(rig, 'hall/late', 'gone');
  await rig.comeBack({ holdsAcks: true });
  t.deepEqual(rig.session.on('base/hall/early/availability'), []);
  t.deepEqual(rig.session.on('base/hall/late/availability'), ['']);
  await rig.lose();
  await rig.comeBack();
  t.deepEqual(rig.session.on('base/hall/late/availability'), [''], 'again: nobody had confirmed it');
  await rig.lose();
  await rig.comeBack();
  t.deepEqual(rig.session.on('base/hall/late/availability'), []);
});

test('connections that come and go while the broker is away leave nothing to say', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  for (let peer = 0; peer < 500; peer += 1) {
    say(rig, `hall/${peer}`, 'online');
    say(rig, `hall/${peer}`, 'gone');
  }
  await rig.comeBack();
  t.deepEqual(rig.session.said, [`${STATE} ${ONLINE}`]);
});

test('states that change in one turn leave in one write', async (t) => {
  const rig = await UplinkRig.start(t);
  const { writes } = rig.session;
  for (let n = 0; n < 200; n++) say(rig, `hall/${n}`, 'online');
  await rig.clock.settle();
  t.is(rig.session.on('base/hall/199/availability').length, 1);
  t.is(rig.session.writes, writes + 1);
});

test('thousands of states go out a piece at a time, each once, the last value only', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  const count = 10_000;
  for (let n = 0; n < count; n += 1) say(rig, `hall/${n}`, 'online');
  await rig.comeBack({ holdsAcks: true });
  t.true((rig.uplink.group.view().counters.queuedBytes as number) < 2 * 1024 ** 2);
  say(rig, 'hall/9999', 'offline');
  rig.session.behaviour.holdsAcks = false;
  rig.session.ackAll();
  await rig.clock.settle();
  t.is(rig.session.published.length, count + 1);
  t.deepEqual(rig.session.on('base/hall/9999/availability'), [OFFLINE]);
});

test('events are told while there is a session, and not kept for the next', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  const event = (n: number) => rig.uplink.relay.offer({ kind: 'event', event: 'state', data: { n } });
  for (let n = 0; n < 1000; n += 1) event(n);
  t.is(rig.uplink.group.view().counters.queuedBytes, 0);
  await rig.comeBack();
  event(1000);
  await rig.clock.settle();
  t.deepEqual(rig.session.on('base/bridge/event'), ['{"event":"state","n":1000}']);
});

test('events that come in one turn are all told, also when they are more than may wait', async (t) => {
  const rig = await UplinkRig.start(t);
  for (let n = 0; n < 5000; n += 1) rig.uplink.relay.offer({ kind: 'event', event: 'state', data: { n } });
  await rig.clock.settle();
  t.is(rig.session.on('base/bridge/event').length, 5000);
});

test('tapped lines are told while there is a session, and not kept for the next', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  const tap = (text: string) =>
    rig.uplink.relay.offer({
      kind: 'tap',
      device: 'scale',
      direction: 'in',
      bytes: Buffer.from(text),
      at: 1,
      dropped: 0,
    });
  for (let n = 0; n < 1000; n += 1) t.is(tap('old'), 'taken');
  t.is(rig.uplink.group.view().counters.queuedBytes, 0);
  await rig.comeBack();
  t.is(tap('new'), 'taken');
  await rig.clock.settle();
  t.deepEqual(rig.session.on('base/scale/tap'), ['{"at":1,"direction":"in","hex":"6e6577","text":"new","dropped":0}']);
});

test('a tapped line that is on its way up when the session is lost is not kept for the next either', async (t) => {
  for (const mode of ['offline', 'always', 'off'] as const) {
    const rig = await UplinkRig.start(t, {}, { spool: { mode } });
    const bytes = Buffer.from('stale');
    rig.uplink.relay.offer({ kind: 'tap', device: 'scale', direction: 'in', bytes, at: 1, dropped: 0 });
    await rig.lose();
    await rig.comeBack();
    await rig.clock.settle();
    t.deepEqual(rig.session.on('base/scale/tap'), [], mode);
    t.is(rig.uplink.dropped('scale'), 0);
  }
});

test('commands reach the receive thread in order', async (t) => {
  const rig = await UplinkRig.start(t);
  for (const payload of ['1', '2', '3']) rig.session.receive('base/scale/set', payload);
  await rig.clock.settle();
  t.deepEqual(
    rig.received.map(({ payload }) => payload.toString()),
    ['1', '2', '3'],
  );
});

test('a flood of commands is bounded; the log has one line for its beginning and one for its end', async (t) => {
  const rig = await UplinkRig.start(t);
  for (let n = 0; n < 5000; n += 1) rig.session.receive('base/scale/set', `${n}`);
  await rig.clock.settle();
  t.true(rig.received.length <= 1001);
  t.is(rig.log.matching(/commands? (?:are being|were) dropped/).length, 2);
  t.like(rig.log.find('were dropped'), { fields: { dropped: 5000 - rig.received.length } });
});

test('a receive thread that crashes on a command is started again, and the next command arrives', async (t) => {
  const received: string[] = [];
  const onMessage = ({ payload }: { payload: Buffer }): void => {
    if (payload.toString() === 'bad') throw new Error('boom');
    received.push(payload.toString());
  };
  const rig = await UplinkRig.start(t, {}, { onMessage });
  for (const payload of ['1', 'bad', '2']) rig.session.receive('base/scale/set', payload);
  await rig.clock.settle();
  t.deepEqual(received, ['1']);
  t.regex(rig.log.find('crashed')?.message ?? '', /receive thread crashed: boom.*restarting it in a second/);
  await rig.clock.advance(1000);
  t.deepEqual(received, ['1', '2']);
  t.true(rig.uplink.isOnline);
});

test('a manager that crashes takes its session with it; the next one opens another and everything arrives', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.read('scale', '1');
  rig.registry.watch((event) => {
    if (event.kind === 'transition' && event.transition.to === 'online' && rig.sessions.length === 1)
      throw new Error('boom');
  });
  rig.broker = {};
  await rig.clock.advance(500);
  t.is(rig.session.ended, 'destroyed');
  t.false(rig.uplink.isOnline);
  await rig.clock.advance(1500);
  t.is(rig.sessions.length, 2);
  t.deepEqual(rig.session.on('base/scale'), ['1']);
});

test('a send thread that crashes is started again and loses nothing that waits', async (t) => {
  const rig = await UplinkRig.start(t);
  const { writePackets } = rig.session;
  let isBroken = true;
  rig.session.writePackets = (packets, done) => {
    if (isBroken) throw new Error('boom');
    writePackets.call(rig.session, packets, done);
  };
  rig.read('scale', '1');
  await rig.clock.settle();
  t.like(rig.log.find('send thread crashed'), { level: 'error' });
  isBroken = false;
  rig.read('scale', '2');
  await rig.clock.advance(1000);
  t.true(rig.session.on('base/scale').includes('2'));
  await rig.lose();
  await rig.comeBack();
  t.is(rig.uplink.leftovers().size, 0);
});

test('the uplink is in the registry while it lives, and takes no commands', async (t) => {
  const rig = await UplinkRig.start(t);
  t.deepEqual(rig.registry.ids(), [UPLINK_ID]);
  t.is(
    rig.registry.route(UPLINK_ID, { kind: 'command', verb: 'set', payload: Buffer.alloc(0), transaction: 't' }),
    'closed',
  );
  const view = rig.registry.snapshot()[0];
  t.deepEqual(
    view?.threads.map(({ label }) => label),
    ['manager', 'receive', 'send'],
  );
  t.like(view?.counters, { isOnline: true, dropped: 0, unacknowledged: 0 });
});

test('who watches the latency is told how long the broker takes to acknowledge', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  rig.session.ackAll(); // of the birth messages
  const samples: number[] = [];
  rig.uplink.watchLatency((ms) => samples.push(ms));
  rig.read('scale', '1', '2');
  await rig.clock.settle();
  await rig.clock.advance(7);
  rig.session.ackAll();
  t.deepEqual(samples, [7]);
  rig.read('scale', '3');
  await rig.clock.advance(3);
  rig.session.ackAll();
  t.deepEqual(samples, [7, 3]);
});
