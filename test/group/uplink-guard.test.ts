// `on_uplink_lost`: a device is put into a safe state when the broker has been away for so long.

import test from 'ava';
import { Presence } from '../../src/core/presence.js';
import { answeringDriver } from '../support/answering-driver.js';
import { command, type GroupRig, type GroupRigOptions, groupRig } from '../support/group-rig.js';

const settings = { on_uplink_lost: { after: 60_000, write: Buffer.from('SAFE') } };

interface GuardRig extends GroupRig {
  readonly uplink: Presence;
}

async function guarded(isThere: boolean, options: GroupRigOptions = {}): Promise<GuardRig> {
  const uplink = new Presence(isThere);
  const rig = groupRig({ ...options, uplink, settings: { ...settings, ...options.settings } });
  await rig.settle();
  return Object.assign(rig, { uplink });
}

const written = (rig: GroupRig): string[] => rig.far.received.map(String);

test('the bytes are written once the broker has been away for so long, once per absence', async (t) => {
  const rig = await guarded(true);
  t.is(rig.clock.pending, 0, 'no timer while the broker is there');
  rig.uplink.set(false);
  await rig.clock.advance(59_999);
  t.deepEqual(written(rig), []);
  await rig.clock.advance(1);
  t.deepEqual(written(rig), ['SAFE'], 'unframed');
  t.is(rig.device.counters.uplinkLostWrites, 1);
  t.like(rig.log.find('on_uplink_lost bytes written')?.fields, { thread: 'send', bytes: 4, away_ms: 60_000 });
  await rig.clock.advance(300_000);
  rig.far.unplug();
  await rig.clock.advance(1000);
  t.is(rig.state, 'online');
  t.deepEqual(written(rig), ['SAFE']);
  rig.uplink.set(true);
  rig.uplink.set(false);
  await rig.clock.advance(60_000);
  t.deepEqual(written(rig), ['SAFE', 'SAFE']);
  t.is(rig.device.counters.uplinkLostWrites, 2);
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('nothing is written when the broker is back in time', async (t) => {
  const rig = await guarded(true);
  for (let n = 0; n < 5; n += 1) {
    rig.uplink.set(false);
    await rig.clock.advance(59_000);
    rig.uplink.set(true);
  }
  await rig.clock.advance(100_000);
  t.deepEqual(written(rig), []);
  await rig.end();
});

test('a broker that was never there counts from the start', async (t) => {
  const rig = await guarded(false);
  await rig.clock.advance(59_999);
  t.deepEqual(written(rig), []);
  await rig.clock.advance(1);
  t.deepEqual(written(rig), ['SAFE']);
  await rig.end();
});

test('a device that comes online while the broker is away gets them then', async (t) => {
  const rig = await guarded(true);
  rig.far.refuse('missing');
  rig.far.unplug();
  rig.uplink.set(false);
  await rig.clock.advance(100_000);
  t.deepEqual(written(rig), []);
  rig.far.accept();
  await rig.clock.advance(100);
  t.deepEqual(written(rig), ['SAFE']);
  await rig.end();
});

test('they wait until the command before them is answered, and are dropped if the broker is back by then', async (t) => {
  const rig = await guarded(true, {
    driver: answeringDriver,
    settings: { commands: { when_offline: 'refuse', max_hold: 1000, timeout: 600_000 } },
  });
  rig.device.deliver(command({ payload: Buffer.from('one') }));
  rig.uplink.set(false);
  await rig.clock.advance(70_000);
  t.deepEqual(written(rig), ['one\n']);
  rig.uplink.set(true);
  rig.far.send('ACK\n');
  await rig.settle();
  t.deepEqual(written(rig), ['one\n']);

  rig.device.deliver(command({ payload: Buffer.from('two') }));
  rig.uplink.set(false);
  await rig.clock.advance(70_000);
  rig.far.send('ACK\n');
  await rig.settle();
  t.deepEqual(written(rig), ['one\n', 'two\n', 'SAFE']);
  await rig.end();
});

test('they fit into a lane that is full of commands, behind them', async (t) => {
  const rig = await guarded(true, { settings: { on_uplink_lost: { after: 1000, write: Buffer.from('SAFE') } } });
  rig.far.stall();
  const commands = Array.from({ length: 70 }, () => command());
  for (const each of commands) rig.device.deliver(each);
  t.is(rig.relay.statuses(commands.at(-1)?.transaction ?? '').at(-1), 'error', 'full');
  rig.uplink.set(false);
  await rig.clock.advance(2000);
  rig.far.release();
  await rig.settle();
  t.is(written(rig).at(-1), 'SAFE');
  await rig.end();
});

test('bytes that a link took with it are written to the next one', async (t) => {
  const rig = await guarded(true);
  rig.far.stall();
  rig.uplink.set(false);
  await rig.clock.advance(60_000);
  rig.far.unplug();
  rig.far.release();
  t.is(rig.device.counters.uplinkLostWrites, 0);
  await rig.clock.advance(1000);
  t.deepEqual(written(rig), ['SAFE']);
  t.is(rig.device.counters.uplinkLostWrites, 1);
  await rig.end();
});

test('an accepted connection gets them too, also one that comes later', async (t) => {
  const rig = await guarded(false, { reopens: false });
  await rig.clock.advance(60_000);
  t.deepEqual(written(rig), ['SAFE']);
  const later = groupRig({ settings, uplink: rig.uplink, clock: rig.clock, reopens: false });
  await rig.clock.advance(60_000);
  t.deepEqual(written(later), ['SAFE']);
  await rig.end();
  await later.end();
});

test('a device that closes forgets about them', async (t) => {
  const rig = await guarded(true);
  rig.uplink.set(false);
  await rig.end();
  await rig.clock.advance(100_000);
  t.deepEqual(written(rig), []);
  t.is(rig.clock.pending, 0);
  rig.uplink.set(true);
  rig.uplink.set(false);
  t.is(rig.clock.pending, 0, 'nobody listens');
});
