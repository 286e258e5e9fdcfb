// `commands.when_offline: hold`: commands for a device that is offline wait for it.

import test from 'ava';
import { MAX_HELD } from '../../src/group/held-commands.js';
import { command, echoDriver, type GroupRig, type GroupRigOptions, groupRig } from '../support/group-rig.js';

const HOLD = { commands: { when_offline: 'hold', max_hold: 10_000, timeout: 5000 } } as const;

/** A device that is offline until `far.accept()`. */
async function offline(options: GroupRigOptions = {}): Promise<GroupRig> {
  const rig = groupRig({ settings: { ...HOLD, ...options.settings }, ...options });
  await rig.settle();
  rig.far.refuse('missing');
  rig.far.unplug();
  await rig.settle();
  return rig;
}

async function comeBack(rig: GroupRig): Promise<void> {
  rig.far.accept();
  await rig.clock.advance(20);
}

function deliver(rig: GroupRig, text: string, more: Parameters<typeof command>[0] = {}): string {
  const set = command({ payload: Buffer.from(text), ...more });
  rig.device.deliver(set);
  return set.transaction;
}

test('held commands are accepted at once and sent in order when the device is back, before it says anything', async (t) => {
  const rig = await offline();
  const held = ['a', 'b', 'c'].map((text) => deliver(rig, text));
  t.deepEqual(rig.relay.responses(held[0] ?? '')[0]?.data, { held: true });
  await rig.clock.advance(300);
  t.deepEqual(rig.far.received, []);
  await comeBack(rig);
  t.deepEqual(rig.far.received.map(String), ['a\n', 'b\n', 'c\n']);
  for (const transaction of held) t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'sent', 'ok']);
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('the hello of the driver goes before what was held', async (t) => {
  const driver = { ...echoDriver, hello: () => [Buffer.from('HELLO')] };
  const rig = await offline({ driver });
  deliver(rig, 'held');
  await comeBack(rig);
  t.deepEqual(rig.far.received.map(String), ['HELLO\n', 'HELLO\n', 'held\n'], 'one hello per link');
  await rig.end();
});

test('a held command expires when max_hold is over, or its own time if that is earlier', async (t) => {
  const rig = await offline();
  const first = deliver(rig, 'first');
  const own = deliver(rig, 'own', { notAfter: rig.clock.wall() + 500 });
  await rig.clock.advance(499);
  t.deepEqual(rig.relay.statuses(own), ['accepted']);
  await rig.clock.advance(1);
  t.deepEqual(rig.relay.statuses(own), ['accepted', 'expired']);
  await rig.clock.advance(9499);
  const second = deliver(rig, 'second');
  t.deepEqual(rig.relay.statuses(first), ['accepted']);
  await rig.clock.advance(1);
  t.deepEqual(rig.relay.statuses(first), ['accepted', 'expired']);
  t.regex(rig.relay.responses(first).at(-1)?.error ?? '', /^not sent: .*max_hold/);
  await comeBack(rig);
  t.deepEqual(rig.far.received.map(String), ['second\n']);
  t.is(rig.relay.statuses(second).at(-1), 'ok');
  await rig.end();
});

test('a clock that is set while a command with a time to live is held neither ends that time nor stretches it', async (t) => {
  const rig = await offline();
  const living = deliver(rig, 'living', { expiresAt: rig.clock.now() + 5000 });
  const over = deliver(rig, 'over', { expiresAt: rig.clock.now() + 500 });
  rig.clock.set(rig.clock.wall() + 365 * 86_400_000);
  await rig.clock.advance(499);
  t.deepEqual(rig.relay.statuses(over), ['accepted']);
  await rig.clock.advance(1);
  t.deepEqual(rig.relay.statuses(over), ['accepted', 'expired']);
  await comeBack(rig);
  t.deepEqual(rig.far.received.map(String), ['living\n']);
  t.is(rig.relay.statuses(living).at(-1), 'ok');
  await rig.end();
});

test('a command whose time is over already expires and is not held', async (t) => {
  const rig = await offline();
  const late = deliver(rig, 'late', { notAfter: rig.clock.wall() - 1 });
  await rig.clock.advance(0);
  t.is(rig.relay.statuses(late).at(-1), 'expired');
  await rig.end();
});

test(`the ${MAX_HELD + 1}st is refused; all that are held arrive, and live ones behind them`, async (t) => {
  const rig = await offline();
  for (let n = 0; n < MAX_HELD; n += 1) deliver(rig, String(n));
  const over = deliver(rig, 'over');
  t.deepEqual(rig.relay.statuses(over), ['error']);
  t.regex(
    rig.relay.responses(over)[0]?.error ?? '',
    /offline and too many commands are held for it already \(100, or 1 MiB\)/,
  );
  await comeBack(rig);
  deliver(rig, 'live');
  await rig.settle();
  t.deepEqual(
    rig.far.received.map((line) => line.toString().trim()),
    [...Array.from({ length: MAX_HELD }, (_, n) => String(n)), 'live'],
  );
  await rig.end();
});

test('a megabyte is held, not more', async (t) => {
  const rig = await offline();
  const [big, half] = ['x'.repeat(1024 * 1024), 'x'.repeat(512 * 1024)];
  t.deepEqual(rig.relay.statuses(deliver(rig, `${big}x`)), ['error']);
  t.deepEqual(rig.relay.statuses(deliver(rig, half)), ['accepted']);
  t.deepEqual(rig.relay.statuses(deliver(rig, half)), ['accepted']);
  t.deepEqual(rig.relay.statuses(deliver(rig, 'x')), ['error']);
  await rig.end();
});

test('what is held is refused when the device is removed or the gateway ends', async (t) => {
  const rig = await offline();
  const held = deliver(rig, 'held');
  rig.device.group.close('test');
  t.deepEqual(rig.relay.statuses(held), ['accepted', 'error']);
  t.is(rig.relay.responses(held).at(-1)?.error, 'not sent: the device is being closed');
  const late = deliver(rig, 'late');
  t.deepEqual(rig.relay.statuses(late), ['error']);
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('commands that still waited when the link was lost are held too, before those that came later', async (t) => {
  const rig = groupRig({ settings: HOLD });
  await rig.settle();
  rig.far.stall();
  const writing = deliver(rig, 'writing');
  const waiting = deliver(rig, 'waiting');
  await rig.settle();
  rig.far.refuse('missing');
  rig.far.unplug();
  const later = deliver(rig, 'later');
  await rig.settle();
  rig.far.release();
  await comeBack(rig);
  t.is(rig.relay.statuses(writing).at(-1), 'error', 'nobody knows how much of it has arrived');
  t.deepEqual(rig.relay.statuses(waiting), ['accepted', 'sent', 'ok']);
  t.deepEqual(rig.relay.statuses(later), ['accepted', 'sent', 'ok']);
  t.deepEqual(rig.far.received.map(String), ['waiting\n', 'later\n']);
  await rig.end();
});

test('where those that still waited at the loss leave too little room, the last of those held are refused', async (t) => {
  const rig = groupRig({ settings: HOLD });
  await rig.settle();
  rig.far.stall();
  deliver(rig, 'writing');
  await rig.settle();
  const waiting = ['w1', 'w2', 'w3'].map((text) => deliver(rig, text));
  rig.far.refuse('missing');
  rig.far.unplug();
  const later = Array.from({ length: MAX_HELD }, (_, n) => deliver(rig, String(n)));
  await rig.settle();
  for (const each of later.slice(-3)) {
    t.deepEqual(rig.relay.statuses(each), ['accepted', 'error']);
    t.regex(rig.relay.responses(each).at(-1)?.error ?? '', /^not sent: the link was lost/);
  }
  rig.far.release();
  await comeBack(rig);
  for (const each of [...waiting, ...later.slice(0, -3)]) t.is(rig.relay.statuses(each).at(-1), 'ok');
  const kept = Array.from({ length: MAX_HELD - 3 }, (_, n) => `${n}\n`);
  t.deepEqual(rig.far.received.map(String), ['w1\n', 'w2\n', 'w3\n', ...kept]);
  await rig.end();
});

test('max_hold counts from when a command was first held, however often the link comes and goes', async (t) => {
  const rig = await offline();
  const all = [...'abcdefgh'].map((text) => deliver(rig, text));
  for (let n = 0; n < 5; n += 1) {
    await rig.clock.advance(1500);
    rig.far.stall();
    await comeBack(rig);
    await rig.clock.advance(480);
    rig.far.refuse('missing');
    rig.far.unplug();
    await rig.settle();
    rig.far.release();
    t.deepEqual(rig.relay.statuses(all[n] ?? ''), ['accepted', 'error'], 'each link had one that was being written');
  }
  await rig.clock.advance(100);
  for (const id of all.slice(5)) t.deepEqual(rig.relay.statuses(id), ['accepted', 'expired']);
  await rig.end();
});

test('max_hold is not begun anew by links that are up but take no bytes', async (t) => {
  const rig = await offline({ settings: { commands: { ...HOLD.commands, max_hold: 25_000 } } });
  const all = [...'abcdef'].map((text) => deliver(rig, text));
  rig.far.stall();
  await comeBack(rig);
  await rig.clock.advance(40_000);
  rig.far.release();
  await rig.clock.advance(1000);
  t.deepEqual(rig.far.received, []);
  const last = all.map((id) => rig.relay.statuses(id).at(-1));
  t.deepEqual(last, ['error', 'error', 'error', 'expired', 'expired', 'expired'], 'each link took ten seconds');
  await rig.end();
});

test('what a held command is told when its time is over says whose time that was', async (t) => {
  const rig = await offline();
  const own = deliver(rig, 'own', { notAfter: rig.clock.wall() + 500 });
  const held = deliver(rig, 'held');
  await rig.clock.advance(10_000);
  const [ownWords, heldWords] = [own, held].map((id) => rig.relay.responses(id).at(-1)?.error ?? '');
  t.is(ownWords, 'not sent: its own time was over before the device came back');
  t.is(heldWords, 'not sent: the device did not come back in time (max_hold is 10000 ms)');
  await rig.end();
});

test('an accepted connection never comes back: nothing is held for it', async (t) => {
  const rig = groupRig({ settings: HOLD, reopens: false });
  await rig.settle();
  rig.far.unplug();
  const set = deliver(rig, 'x');
  t.deepEqual(rig.relay.statuses(set), ['error']);
  await rig.end();
});

test('the first command of all that comes while the device closes is refused, not held for nobody', async (t) => {
  const rig = await offline();
  rig.device.group.close('test');
  const late = deliver(rig, 'late');
  t.deepEqual(rig.relay.statuses(late), ['error']);
  await rig.end();
  t.is(rig.clock.pending, 0);
});
