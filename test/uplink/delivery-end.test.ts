// What a gateway that ends has said by then, and how long it takes over it.

import test from 'ava';
import { UplinkRig } from '../support/uplink-rig.js';

/** Ends the gateway as after a SIGTERM, with a broker that takes 50 ms to acknowledge. */
async function endWith(rig: UplinkRig): Promise<{ readonly clean: boolean; readonly tookMs: number }> {
  const report = rig.registry.shutdown(8000, 'test');
  for (let turn = 0; turn < 20; turn += 1) {
    await rig.clock.advance(50);
    rig.session.ackAll();
    await rig.clock.settle();
  }
  await rig.clock.advance(8000);
  return report;
}

test('a device that ends while kept readings fill the window of the broker is offline there', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'online' });
  for (let second = 0; second < 3; second += 1) {
    await rig.feed('scale', second * 400, 400);
    await rig.clock.advance(1000);
  }
  await rig.comeBack({ holdsAcks: true, receiveMaximum: 20 });
  rig.session.ackAll();
  await rig.clock.settle();
  t.is(rig.session.on('base/scale/availability').at(-1), '{"state":"online"}');
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'offline' });
  await rig.clock.settle();
  t.true((await endWith(rig)).clean);
  t.is(rig.session.ended, 'disconnect', 'so no last will says it either');
  t.is(rig.session.on('base/scale/availability').at(-1), '{"state":"offline"}');
  t.is(rig.session.on('base/bridge/state').at(-1), '{"state":"offline"}');
});

test('a device that ends while the broker acknowledges nothing is offline there once it does', async (t) => {
  const rig = await UplinkRig.start(t, {});
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'online' });
  await rig.clock.settle();
  rig.session.behaviour.holdsAcks = true;
  await rig.feed('scale', 0, 400);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'offline' });
  await rig.clock.settle();
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(5700);
  rig.session.ackAll();
  rig.session.behaviour.holdsAcks = false;
  await rig.clock.advance(3000);
  t.true((await report).clean);
  t.is(rig.session.on('base/scale/availability').at(-1), '{"state":"offline"}');
});

test('a gateway that ends never has more on its way than the broker takes at a time, and says the last words as it takes them', async (t) => {
  const rig = await UplinkRig.start(t, { receiveMaximum: 20 });
  const devices = Array.from({ length: 15 }, (_, n) => `cell-${n}`);
  for (const device of devices) rig.uplink.relay.offer({ kind: 'availability', device, state: 'online' });
  await rig.clock.settle();
  rig.session.behaviour.holdsAcks = true;
  await rig.feed('scale', 0, 400);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  for (const device of devices) rig.uplink.relay.offer({ kind: 'availability', device, state: 'offline' });
  await rig.clock.settle();
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(5700);
  for (let turn = 0; turn < 10; turn += 1) {
    rig.session.ack(5);
    await rig.clock.settle();
  }
  await rig.clock.advance(3000);
  t.true((await report).clean);
  t.is(rig.session.mostUnacknowledged, 20, 'a strict broker ends the session for one more (MQTT 5, 3.3.4)');
  t.is(rig.session.ended, 'disconnect');
  for (const device of devices)
    t.is(rig.session.on(`base/${device}/availability`).at(-1), '{"state":"offline"}', device);
});

test('with spool.mode: off a gateway that ends waits for an absent broker until its time is up, and names the answers that are lost', async (t) => {
  const rig = await UplinkRig.start(t, 'away', { spool: { mode: 'off' } });
  rig.uplink.relay.offer({ kind: 'response', device: 'scale', status: 'ok', transaction: 't' });
  await rig.clock.advance(100);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(5700);
  t.true((await report).clean, 'no thread is stuck');
  t.deepEqual(rig.uplink.leftovers(), new Map([['scale', 1]]));
});

test('with spool.mode: off a gateway that has nothing left but a watched line waits for no broker', async (t) => {
  const rig = await UplinkRig.start(t, {}, { spool: { mode: 'off' } });
  const bytes = Buffer.from('x');
  rig.uplink.relay.offer({ kind: 'tap', device: 'scale', direction: 'in', bytes, at: 0, dropped: 0 });
  await rig.lose();
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(100);
  t.true((await report).clean);
});

test('with spool.mode: off a gateway that ends waits for a silent broker until its time is up, and leaves the goodbye to the last will', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true }, { spool: { mode: 'off' } });
  const taken = await rig.feed('scale', 0, 10_000);
  rig.uplink.finishBy(rig.clock.now() + 5600, 1600);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(5500);
  t.is(rig.session.ended, undefined);
  await rig.clock.advance(2500);
  t.true((await report).clean, 'no thread is stuck');
  t.is(rig.session.ended, 'destroyed');
  t.deepEqual(rig.uplink.leftovers(), new Map([['scale', taken]]));
});
