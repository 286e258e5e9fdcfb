// Answers to commands let the device speak first, and are not forgotten for it.

import test from 'ava';
import type { CommandStatus, ResponseUp } from '../../src/device/message.js';
import { UplinkRig } from '../support/uplink-rig.js';

const TOPIC = 'base/scale/response';

function offer(rig: UplinkRig, status: CommandStatus, more: Partial<ResponseUp> = {}): void {
  rig.uplink.relay.offer({ kind: 'response', device: 'scale', status, transaction: 't', ...more });
}

function told(rig: UplinkRig): { status: string; data?: unknown }[] {
  return rig.session.on(TOPIC).map((text) => JSON.parse(text));
}

test('answers to a command leave after 2 ms, in order and in one write', async (t) => {
  const rig = await UplinkRig.start(t);
  const { writes } = rig.session;
  for (const status of ['accepted', 'sent', 'ok'] as const) {
    offer(rig, status);
    await rig.clock.settle();
  }
  await rig.clock.advance(1);
  t.is(rig.session.writes, writes);
  await rig.clock.advance(1);
  t.is(rig.session.writes, writes + 1);
  t.deepEqual(
    told(rig).map(({ status }) => status),
    ['accepted', 'sent', 'ok'],
  );
});

test('what the device says meanwhile goes before them', async (t) => {
  const rig = await UplinkRig.start(t);
  const before = rig.session.published.length;
  offer(rig, 'accepted');
  rig.read('scale', '12.5');
  await rig.clock.advance(2);
  t.deepEqual(
    rig.session.published.slice(before).map(({ topic }) => topic),
    ['base/scale', TOPIC],
  );
});

test('many answers at once are not held', async (t) => {
  const rig = await UplinkRig.start(t);
  for (let count = 0; count < 33; count += 1) offer(rig, 'accepted');
  await rig.clock.settle();
  t.is(told(rig).length, 32);
  await rig.clock.advance(2);
  t.is(told(rig).length, 33);
});

test('an answer tells what a driver said then, also if its data has changed since', async (t) => {
  const rig = await UplinkRig.start(t);
  const data = { state: 'ON' };
  offer(rig, 'ok', { data });
  data.state = 'OFF';
  await rig.clock.advance(2);
  t.deepEqual(told(rig)[0]?.data, { state: 'ON' });
});

test('an answer that is held when the gateway ends leaves before it', async (t) => {
  const rig = await UplinkRig.start(t);
  offer(rig, 'accepted');
  rig.uplink.group.close('the test is over');
  offer(rig, 'error', { error: 'the device is closing' });
  await rig.clock.settle();
  t.deepEqual(
    told(rig).map(({ status }) => status),
    ['accepted', 'error'],
  );
});

test('an answer that is held when the broker goes away leaves when it is back', async (t) => {
  const rig = await UplinkRig.start(t);
  offer(rig, 'accepted');
  await rig.lose();
  await rig.comeBack();
  t.deepEqual(
    told(rig).map(({ status }) => status),
    ['accepted'],
  );
});
