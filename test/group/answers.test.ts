// Devices that answer commands: one command is in flight until the device has answered, or cannot any more.

import test from 'ava';
import { loadDriver } from '../../src/device/load.js';
import { answeringDriver } from '../support/answering-driver.js';
import { eventually } from '../support/eventually.js';
import { command, type GroupRig, type GroupRigOptions, groupRig } from '../support/group-rig.js';
import { badDriversDir } from '../support/worker-rig.js';

/** A driver of the same kind that a Worker can load. */
async function inWorker(): Promise<Pick<GroupRigOptions, 'driver' | 'plan'>> {
  const [driverName, driverDirs] = ['answers', [badDriversDir]];
  return { driver: await loadDriver(driverName, { dirs: driverDirs }), plan: { driverName, driverDirs } };
}

async function online(options: GroupRigOptions = {}): Promise<GroupRig> {
  const rig = groupRig({ driver: answeringDriver, ...options });
  await rig.settle();
  return rig;
}

async function sent(rig: GroupRig, text = 'go', more: Parameters<typeof command>[0] = {}): Promise<string> {
  const set = command({ payload: Buffer.from(text), ...more });
  rig.device.deliver(set);
  await rig.settle();
  return set.transaction;
}

function lastWords(rig: GroupRig, transaction: string): string | undefined {
  return rig.relay.responses(transaction).at(-1)?.error;
}

test('a command is in flight until the device has answered, and gets the data of the answer', async (t) => {
  const rig = await online();
  const transaction = await sent(rig);
  t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'sent']);
  rig.far.send('21.5\nACK done\n22\n');
  await rig.settle();
  t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'sent', 'ok']);
  t.deepEqual(rig.relay.responses(transaction).at(-1)?.data, { said: 'done' });
  t.deepEqual(rig.relay.texts, ['{"text":"21.5"}', '{"text":"22"}'], 'the answer is no reading');
  t.is(rig.device.counters.frames, 3);
  await rig.end();
});

test('an answer that is a reading too is published, and confirmed without data', async (t) => {
  const rig = await online();
  const transaction = await sent(rig);
  rig.far.send('ACK! 5\n');
  await rig.settle();
  t.deepEqual(rig.relay.responses(transaction).at(-1)?.data, { confirmed: true });
  t.deepEqual(rig.relay.texts, ['{"text":"ACK! 5"}']);
  t.is(rig.device.counters.frames, 1);
  await rig.end();
});

test('a device that says no is told in its own words', async (t) => {
  const rig = await online();
  const transaction = await sent(rig);
  rig.far.send('NAK lid open\n');
  await rig.settle();
  t.is(rig.relay.statuses(transaction).at(-1), 'error');
  t.is(lastWords(rig, transaction), 'lid open');
  t.deepEqual(rig.relay.texts, []);
  await rig.end();
});

test('without a command in flight an answer is a reading like any other', async (t) => {
  const rig = await online();
  rig.far.send('ACK early\n');
  const transaction = await sent(rig);
  rig.far.send('ACK\nACK again\n');
  await rig.settle();
  t.is(rig.relay.statuses(transaction).at(-1), 'ok');
  t.deepEqual(rig.relay.texts, ['{"text":"ACK early"}', '{"text":"ACK again"}']);
  await rig.end();
});

test('the next command waits for the answer to the one before, and polls wait too', async (t) => {
  const driver = { ...answeringDriver, poll: () => [{ payload: Buffer.from('POLL'), everyMs: 1000 }] };
  const rig = await online({ driver });
  const one = await sent(rig, 'one');
  const two = await sent(rig, 'two');
  await rig.clock.advance(3500);
  t.deepEqual(rig.far.received.map(String), ['one\n']);
  rig.far.send('ACK\n');
  await rig.settle();
  t.deepEqual(rig.far.received.map(String), ['one\n', 'two\n']);
  rig.far.send('NAK no\n');
  await rig.settle();
  t.deepEqual(rig.far.received.map(String), ['one\n', 'two\n', 'POLL\n'], 'one poll, not three');
  t.deepEqual([rig.relay.statuses(one).at(-1), rig.relay.statuses(two).at(-1)], ['ok', 'error']);
  await rig.end();
});

test('a device that does not answer in time is an error, and its late answer is not the next one’s', async (t) => {
  const rig = await online({ settings: { commands: { when_offline: 'refuse', max_hold: 1000, timeout: 200 } } });
  const transaction = await sent(rig);
  await rig.clock.advance(199);
  t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'sent']);
  await rig.clock.advance(1);
  t.is(rig.relay.statuses(transaction).at(-1), 'error');
  t.regex(
    lastWords(rig, transaction) ?? '',
    /^sent, but the device did not answer in time \(commands.timeout: 200 ms\)/,
  );
  rig.far.send('ACK late\n');
  await rig.settle();
  const next = await sent(rig);
  t.deepEqual(rig.relay.statuses(next), ['accepted', 'sent']);
  rig.far.send('ACK\n');
  await rig.settle();
  t.is(rig.relay.statuses(next).at(-1), 'ok');
  t.deepEqual(rig.relay.texts, ['{"text":"ACK late"}']);
  await rig.end();
});

const TIMEOUT = { commands: { when_offline: 'refuse', max_hold: 1000, timeout: 200 } } as const;

for (const isolation of ['inline', 'worker'] as const) {
  test.serial(`a late answer is not that of the command that waits behind (${isolation})`, async (t) => {
    const rig = await online({
      ...(isolation === 'worker' && (await inWorker())),
      settings: { ...TIMEOUT, isolation },
    });
    const [one, two, three] = [await sent(rig, 'one'), await sent(rig, 'two'), await sent(rig, 'three')];
    await eventually(() => rig.far.received.length === 1, 'the first command to be written');
    await rig.settle();
    await rig.clock.advance(200);
    t.deepEqual(rig.relay.statuses(one), ['accepted', 'sent', 'error']);
    t.deepEqual(rig.far.received.map(String), ['one\n'], 'the device is given as long again');
    await rig.clock.advance(100);
    rig.far.send('ACK one\n');
    await eventually(() => rig.far.received.length === 2, 'the second command to be written');
    await rig.settle();
    t.deepEqual(rig.relay.statuses(two), ['accepted', 'sent']);
    rig.far.send('NAK jammed\n');
    await eventually(() => rig.far.received.length === 3, 'the third command to be written');
    await eventually(() => rig.relay.statuses(two).length === 3, 'the second to be answered');
    t.regex(lastWords(rig, two) ?? '', /jammed/);
    rig.far.send('ACK three\n');
    await eventually(() => rig.relay.statuses(three).length === 3, 'the third to be answered');
    t.is(rig.relay.statuses(three).at(-1), 'ok');
    t.deepEqual(rig.relay.texts, ['{"text":"ACK one"}'], 'a late answer is a reading');
    await rig.end();
  });
}

test('a device that never answers is given as long again before the next command', async (t) => {
  const rig = await online({ settings: TIMEOUT });
  await sent(rig, 'one');
  await sent(rig, 'two');
  await rig.clock.advance(399);
  t.deepEqual(rig.far.received.map(String), ['one\n']);
  await rig.clock.advance(1);
  t.deepEqual(rig.far.received.map(String), ['one\n', 'two\n']);
  rig.far.send('ACK two\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, []);
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('a late answer is not waited for when the link is lost, nor when the device closes', async (t) => {
  const rig = await online({ settings: { commands: { ...TIMEOUT.commands, when_offline: 'hold' } } });
  await sent(rig, 'one');
  const two = await sent(rig, 'two');
  await rig.clock.advance(200);
  rig.far.unplug();
  await rig.settle();
  t.deepEqual(rig.relay.statuses(two), ['accepted'], 'it waited in the lane, and is held');
  await rig.clock.advance(260);
  t.deepEqual(rig.far.received.map(String), ['one\n', 'two\n'], 'the next link knows nothing of it');
  await rig.clock.advance(200);
  const three = await sent(rig, 'raw', { verb: 'write' });
  t.deepEqual(rig.relay.statuses(three), ['accepted']);
  const startedAt = rig.clock.now();
  await rig.end();
  t.is(rig.relay.statuses(three).at(-1), 'ok');
  t.true(rig.clock.now() - startedAt <= 200);
});

test('after a late answer was waited for, a command that is lost with its link leaves nothing to wait for either', async (t) => {
  const rig = await online({ settings: TIMEOUT });
  await sent(rig, 'one');
  await rig.clock.advance(400);
  const two = await sent(rig, 'two');
  rig.far.unplug();
  await rig.settle();
  t.is(lastWords(rig, two), 'sent, but the link was lost before the device answered');
  await rig.clock.advance(1000);
  rig.far.send('ACK by itself\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['{"text":"ACK by itself"}'], 'a reading');
  await rig.end();
});

test('a critical command holds off updates until the device has answered; others do not', async (t) => {
  const told: string[] = [];
  const whileCritical = async <T>(work: () => Promise<T>): Promise<T> => {
    told.push('held');
    return work().finally(() => told.push('released'));
  };
  const commands = { when_offline: 'refuse', max_hold: 1000, timeout: 200 } as const;
  const plain = await online({ settings: { commands }, whileCritical });
  await sent(plain);
  t.deepEqual(told, []);
  await plain.end();
  const rig = await online({ settings: { commands: { ...commands, critical: true } }, whileCritical });
  await sent(rig);
  t.deepEqual(told, ['held']);
  rig.far.send('ACK\n');
  await rig.settle();
  t.deepEqual(told, ['held', 'released']);
  await sent(rig);
  await rig.clock.advance(200);
  t.deepEqual(told, ['held', 'released', 'held', 'released'], 'also without an answer');
  await rig.end();
});

test('a link that is lost before the answer is told; what waited behind is reported as not sent', async (t) => {
  const rig = await online();
  const flying = await sent(rig);
  const waiting = await sent(rig);
  rig.far.unplug();
  await rig.settle();
  t.is(lastWords(rig, flying), 'sent, but the link was lost before the device answered');
  t.regex(lastWords(rig, waiting) ?? '', /^not sent/);
  await rig.clock.advance(1000);
  rig.far.send('ACK of the old one\n');
  const next = await sent(rig);
  t.deepEqual(rig.relay.statuses(next), ['accepted', 'sent']);
  await rig.end();
});

test('a shutdown ends the wait for an answer, and sends nothing that nobody would hear the answer to', async (t) => {
  const rig = await online();
  const flying = await sent(rig);
  const waiting = await sent(rig, 'second');
  const raw = await sent(rig, 'raw', { verb: 'write' });
  t.true((await rig.end()).ended);
  t.is(lastWords(rig, flying), 'sent, but the device was closed before it answered');
  t.regex(lastWords(rig, waiting) ?? '', /^not sent: the device is being closed/);
  t.is(rig.relay.statuses(raw).at(-1), 'ok');
  t.deepEqual(rig.far.received.map(String), ['go\n', 'raw']);
  t.is(rig.clock.pending, 0);
});

test('not_after is judged when the turn of a command comes', async (t) => {
  const rig = await online();
  const one = await sent(rig, 'one');
  const late = await sent(rig, 'late', { notAfter: rig.clock.wall() + 1000 });
  const two = await sent(rig, 'two', { notAfter: rig.clock.wall() + 60_000 });
  await rig.clock.advance(1001);
  rig.far.send('ACK\n');
  await rig.settle();
  t.deepEqual(rig.relay.statuses(one), ['accepted', 'sent', 'ok']);
  t.deepEqual(rig.relay.statuses(late), ['accepted', 'expired']);
  t.regex(lastWords(rig, late) ?? '', /its time was over 1 ms ago/);
  t.deepEqual(rig.relay.statuses(two), ['accepted', 'sent']);
  t.deepEqual(rig.far.received.map(String), ['one\n', 'two\n']);
  await rig.end();
});

for (const [what, line] of [
  ['confirm', 'bad answer'],
  ['decode', 'bad reading'],
]) {
  test(`a driver that crashes in ${what} while a command waits: the command is told`, async (t) => {
    const silent = { ...answeringDriver, create: () => crashIn(what) };
    const rig = await online({ driver: silent });
    const transaction = await sent(rig);
    rig.far.send(`${line}\n`);
    await rig.settle();
    t.is(lastWords(rig, transaction), 'sent, but the driver crashed before the device answered');
    t.is(rig.device.counters.crashes, 1);
    await rig.clock.advance(1000);
    t.is(rig.state, 'online');
    await rig.end();
  });
}

function crashIn(what: string | undefined) {
  const crash = (): never => {
    throw new Error('a bug');
  };
  const confirm = what === 'confirm' ? crash : () => undefined;
  return { encode: () => Buffer.from('x'), confirm, decode: what === 'decode' ? crash : () => undefined };
}

test('a command of several parts that is lost on the way is not waited for', async (t) => {
  const parts = {
    ...answeringDriver,
    create: () => ({ encode: () => [Buffer.from('a'), Buffer.from('b')], confirm: () => undefined }),
  };
  const rig = await online({ driver: parts });
  rig.far.stall();
  const transaction = await sent(rig);
  rig.far.unplug();
  await rig.settle();
  t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'error']);
  t.regex(lastWords(rig, transaction) ?? '', /^not sent/);
  await rig.end();
  t.is(rig.clock.pending, 0);
});
