// A device of a session driver as a group: link and manager as always, the session in a real Worker. The clock is a fake one, so what
// takes time is the Worker alone.

import test, { type ExecutionContext } from 'ava';
import { Presence } from '../../../src/core/presence.js';
import { loadDriver } from '../../../src/device/load.js';
import { command, type GroupRig, type GroupRigOptions, groupRig, SETTINGS } from '../../support/group-rig.js';
import { until } from '../../support/session-driver-rig.js';
import { badDriversDir } from '../../support/worker-rig.js';

async function sessionRig(
  t: ExecutionContext,
  options: object = {},
  more: Pick<GroupRigOptions, 'settings' | 'uplink'> = {},
): Promise<GroupRig> {
  const driver = await loadDriver('session', { dirs: [badDriversDir] });
  const rig = groupRig({ driver, plan: { driverName: 'session', driverDirs: [badDriversDir], options }, ...more });
  t.teardown(async () => {
    if (rig.state !== 'closed') await rig.end();
  });
  return rig;
}

const texts = ({ relay }: GroupRig): string[] => relay.texts;
const isOnline = (rig: GroupRig): boolean => rig.state === 'online';
const written = ({ far }: GroupRig): string => Buffer.concat(far.received).toString();

/** Waits out the backoff, and no longer: a Worker is started in real time, and its limits go by the fake one. */
async function tryAgain(rig: GroupRig): Promise<void> {
  const { opens } = rig.far;
  for (let ms = 0; rig.far.opens === opens && ms < 60_000; ms += 50) await rig.clock.advance(50);
}

async function backOnline(rig: GroupRig): Promise<void> {
  await until(() => rig.state === 'backing-off');
  await tryAgain(rig);
  await until(() => isOnline(rig));
}

test.serial('a device is online when its session is, and not when its link is', async (t) => {
  const rig = await sessionRig(t, { open: 'late' });
  await rig.settle();
  t.is(rig.state, 'connecting');
  t.true(rig.far.isOpen);
  rig.far.send('hello');
  await until(() => isOnline(rig));
  await until(() => texts(rig).includes('{"got":"hello"}'));
  t.deepEqual(rig.relay.availability('scale'), ['online']);
});

test.serial('a command is answered by the session, while what it writes goes out', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  rig.device.deliver(command({ payload: Buffer.from('echo over the wire') }));
  await until(() => written(rig) === 'over the wire');
  rig.device.deliver(command({ payload: Buffer.from('data'), transaction: 'asked' }));
  await until(() => rig.relay.statuses('asked').includes('ok'));
  t.deepEqual(rig.relay.statuses('asked'), ['accepted', 'sent', 'ok']);
  t.like(rig.relay.responses('asked').at(-1), { data: { position: 7 } });
  t.deepEqual(rig.device.counters.bytesOut, 'over the wire'.length);
});

test.serial('raw bytes take their turn with what the session writes', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  rig.device.deliver(command({ payload: Buffer.from('flow x') }));
  rig.device.deliver(command({ verb: 'write', payload: Buffer.from('RAW') }));
  await until(() => written(rig).length === 64 * 1024 + 3);
  t.is(rig.far.received.filter((bytes) => bytes.toString() === 'RAW').length, 1);
});

test.serial(
  'a lost link ends the session; the next link gets a fresh one, and nothing of the old reaches it',
  async (t) => {
    const rig = await sessionRig(t);
    await until(() => isOnline(rig));
    rig.far.send('one');
    await until(() => texts(rig).includes('{"got":"one"}'));
    rig.far.unplug();
    await backOnline(rig);
    t.true(texts(rig).includes('{"closed":true}'), 'the old one was closed');
    t.false(written(rig).includes('bye'), 'its last words did not go to the new link');
    rig.far.send('two');
    await until(() => texts(rig).includes('{"got":"two"}'));
    t.is(rig.device.counters.crashes, 0);
    t.is(rig.device.counters.reconnects, 1);
  },
);

test.serial('a link lost before the session is open, again and again, is weather', async (t) => {
  const rig = await sessionRig(t, { open: 'never' });
  for (let round = 1; round <= 8; round++) {
    await until(() => rig.far.opens === round && rig.far.isOpen);
    rig.far.unplug();
    await until(() => rig.state === 'backing-off');
    await tryAgain(rig);
  }
  t.is(rig.device.counters.crashes, 0);
});

test.serial(
  'a link on which no session was open has not worked, however long it was up and whatever came',
  async (t) => {
    const rig = await sessionRig(t, { open: 'never' });
    for (let round = 1; round <= 8; round++) {
      await until(() => rig.far.opens === round && rig.far.isOpen);
      rig.far.send('the wrong sketch');
      await rig.clock.advance(1500);
      rig.far.unplug();
      await until(() => rig.state === 'backing-off');
      await tryAgain(rig);
    }
    t.is(
      rig.log.matching('trying again until it works').filter(({ level }) => level === 'warn').length,
      1,
      'said once',
    );
  },
);

test.serial('while a session is being opened its device is offline: commands are refused', async (t) => {
  const rig = await sessionRig(t, { open: 'never' });
  await rig.settle();
  t.true(rig.far.isOpen);
  rig.device.deliver(command({ transaction: 'early' }));
  t.deepEqual(rig.relay.statuses('early'), ['error']);
  t.is(rig.relay.responses('early')[0]?.error, 'the device is offline: connecting, start');
});

test.serial('or held until it is open', async (t) => {
  const commands = { ...SETTINGS.commands, when_offline: 'hold' } as const;
  const rig = await sessionRig(t, { open: 'late' }, { settings: { commands } });
  await rig.settle();
  rig.device.deliver(command({ transaction: 'held', payload: Buffer.from('data') }));
  await until(() => rig.relay.statuses('held').includes('ok'));
  t.deepEqual(rig.relay.statuses('held'), ['accepted', 'sent', 'ok']);
  t.like(rig.relay.responses('held')[0], { data: { held: true } });
});

test.serial('the bytes of on_uplink_lost wait for the session, and go to no bootloader', async (t) => {
  const settings = { on_uplink_lost: { after: 1000, write: Buffer.from('SAFE') } };
  const more = { uplink: new Presence(false), settings };
  const never = await sessionRig(t, { open: 'never' }, more);
  await never.clock.advance(1000);
  t.true(never.far.isOpen);
  t.is(written(never), '');
  const late = await sessionRig(t, { open: 'late' }, more);
  await late.clock.advance(1000);
  t.false(isOnline(late));
  await until(() => written(late) === 'SAFE');
  t.true(isOnline(late));
});

test.serial('a device that does not answer closes the link and backs off, with what to do about it', async (t) => {
  const rig = await sessionRig(t, { open: 'silent' });
  for (let round = 1; round <= 7; round++) {
    await until(() => rig.far.opens === round);
    await until(() => rig.state === 'backing-off');
    t.false(rig.far.isOpen);
    await tryAgain(rig);
  }
  t.is(rig.device.counters.crashes, 0);
  t.is(rig.log.matching('no answer: is it flashed?').filter(({ level }) => level === 'warn').length, 1, 'said once');
  t.false(rig.relay.availability('scale').includes('online'));
});

test.serial('a session that crashes is a bug: restarted up to the intensity, then parked', async (t) => {
  const rig = await sessionRig(t);
  for (let round = 1; round <= 6; round++) {
    await until(() => isOnline(rig));
    rig.device.deliver(command({ payload: Buffer.from('throw'), transaction: `c${round}` }));
    await until(() => rig.state === (round < 6 ? 'backing-off' : 'parked'));
    if (round < 6) await tryAgain(rig);
  }
  t.is(rig.device.counters.crashes, 6);
  for (let round = 1; round <= 6; round++) {
    t.regex(rig.relay.responses(`c${round}`).at(-1)?.error ?? '', /no such servo/);
  }
});

test.serial('a restart that is asked for is a fresh session', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  rig.device.restart('asked for');
  await until(() => rig.far.opens === 2);
  await until(() => isOnline(rig));
  rig.device.deliver(command({ payload: Buffer.from('echo again') }));
  await until(() => written(rig).includes('again'));
  t.is(rig.device.counters.crashes, 0);
});

test.serial('at the end the session is closed while the link is still up: its last words arrive', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  rig.device.group.close('test is over');
  t.true((await rig.device.group.wait(8000)).ended);
  rig.device.group.cleanup();
  t.is(written(rig), 'bye');
  t.true(texts(rig).includes('{"closed":true}'));
  t.false(rig.far.isOpen);
});

test.serial('a long write of a session ends with it: nothing of it comes behind the fail-safe bytes', async (t) => {
  const rig = await sessionRig(t, {}, { settings: { on_shutdown: Buffer.from('SAFE') } });
  await until(() => isOnline(rig));
  rig.far.stall();
  rig.device.deliver(command({ payload: Buffer.from(`echo ${'x'.repeat(3 * 4096)}`), transaction: 'long' }));
  await until(() => rig.relay.statuses('long').includes('ok'));
  rig.device.group.close('test is over');
  const ended = rig.device.group.wait(8000);
  await rig.settle();
  await rig.clock.advance(500);
  await until(() => rig.device.group.thread('send')?.state === 'ended');
  await rig.settle();
  rig.far.release();
  t.true((await ended).ended);
  rig.device.group.cleanup();
  t.deepEqual(
    rig.far.received.map((bytes) => (bytes.length > 4 ? bytes.length : bytes.toString())),
    [4096, 'SAFE'],
  );
});

test.serial('details of the device are kept over the end of its session', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  t.is(rig.device.details, undefined);
  rig.device.deliver(command({ payload: Buffer.from('know StandardFirmata') }));
  await until(() => rig.device.details !== undefined);
  rig.far.unplug();
  await until(() => rig.state === 'backing-off');
  t.deepEqual(rig.device.details, { firmware: 'StandardFirmata' });
});

test.serial('more readings than may wait are dropped, the oldest first, and counted', async (t) => {
  const rig = await sessionRig(t);
  rig.relay.fill();
  await until(() => isOnline(rig));
  for (let i = 0; i < 12; i++) rig.device.deliver(command({ payload: Buffer.from('many 2000'), transaction: `m${i}` }));
  await until(() => rig.device.counters.readings === 24_000);
  t.true(rig.device.counters.droppedReadings > 0);
  rig.relay.empty();
  await until(() => texts(rig).length === 24_000 - rig.device.counters.droppedReadings);
});

test.serial('a session has no frames, and nothing is said about that', async (t) => {
  const rig = await sessionRig(t);
  await until(() => isOnline(rig));
  for (let n = 1; n <= 4; n++) {
    rig.far.send('x'.repeat(16 * 1024));
    await until(() => texts(rig).join('').length > n * 16 * 1024);
  }
  t.is(rig.log.matching('not one frame').length, 0);
});

test.serial(
  'a session that does not answer a command in time is told so, and the next command is its own',
  async (t) => {
    // Shorter than what a Worker may take without a sign of life: this clock leaps, and its Worker's own time does not.
    const commands = { ...SETTINGS.commands, timeout: 1000 };
    const rig = await sessionRig(t, {}, { settings: { commands } });
    await until(() => isOnline(rig));
    rig.device.deliver(command({ payload: Buffer.from('slow'), transaction: 'slow' }));
    rig.device.deliver(command({ payload: Buffer.from('data'), transaction: 'next' }));
    await until(() => rig.relay.statuses('slow').includes('sent'));
    await rig.clock.advance(commands.timeout);
    t.deepEqual(rig.relay.statuses('slow'), ['accepted', 'sent', 'error']);
    t.regex(rig.relay.responses('slow').at(-1)?.error ?? '', /did not answer in time/);
    await until(() => rig.relay.statuses('next').includes('ok'));
    t.like(rig.relay.responses('next').at(-1), { data: { position: 7 } });
    t.is(rig.device.counters.crashes, 0);
  },
);
