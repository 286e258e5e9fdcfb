import test from 'ava';
import { defineDriver, z } from '../../src/device/driver.js';
import { command, groupRig } from '../support/group-rig.js';

const FINAL = new Set(['ok', 'error', 'expired']);

test('a command is accepted, framed, written and answered', async (t) => {
  const rig = groupRig();
  await rig.settle();
  const replyTo = { topic: 'me', correlation: Buffer.from('7') };
  const set = command({ payload: Buffer.from('go'), replyTo });
  const write = command({ verb: 'write', payload: Buffer.from([0, 1, 2]) });
  t.is(rig.device.deliver(set), 'queued');
  rig.device.deliver(write);
  await rig.settle();
  t.deepEqual(rig.far.received, [Buffer.from('go\n'), Buffer.from([0, 1, 2])]);
  t.deepEqual(rig.relay.statuses(set.transaction), ['accepted', 'sent', 'ok']);
  t.deepEqual(rig.relay.responses(set.transaction).at(-1)?.replyTo, replyTo);
  t.deepEqual(rig.relay.statuses(write.transaction), ['accepted', 'sent', 'ok']);
  t.is(rig.device.counters.bytesOut, 6);
  await rig.end();
});

test('a command for a device that is offline is refused at once', async (t) => {
  const rig = groupRig({ opener: (own) => ({ ...own, open: () => new Promise(() => {}) }) });
  await rig.settle();
  const set = command();
  rig.device.deliver(set);
  t.deepEqual(rig.relay.statuses(set.transaction), ['error']);
  t.regex(rig.relay.responses(set.transaction)[0]?.error ?? '', /offline: connecting/);
});

test('a link lost while a command waits reports the command as not sent', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const [writing, waiting] = [command(), command()];
  rig.device.deliver(writing);
  rig.device.deliver(waiting);
  await rig.settle();
  rig.far.unplug();
  await rig.settle();
  for (const { transaction } of [writing, waiting]) {
    t.deepEqual(rig.relay.statuses(transaction), ['accepted', 'error']);
    t.regex(rig.relay.responses(transaction).at(-1)?.error ?? '', /not sent: the link was lost/);
  }
  rig.far.release();
  await rig.clock.advance(1000);
  t.is(rig.state, 'online');
  t.deepEqual(rig.far.received, [], 'nothing of it reaches the device later');
  await rig.end();
});

test('a command whose time is over is not sent', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const [first, late] = [command(), command({ notAfter: rig.clock.wall() + 100 })];
  rig.device.deliver(first);
  rig.device.deliver(late);
  await rig.clock.advance(200);
  rig.far.release();
  await rig.settle();
  t.deepEqual(rig.relay.statuses(late.transaction), ['accepted', 'expired']);
  t.is(rig.far.received.length, 1);
  await rig.end();
});

test('a command whose time to live is over is not sent, however the clock was set meanwhile', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const { clock } = rig;
  const first = command();
  const [late, living] = [command({ expiresAt: clock.now() + 100 }), command({ expiresAt: clock.now() + 300 })];
  for (const each of [first, late, living]) rig.device.deliver(each);
  clock.set(clock.wall() - 86_400_000);
  await clock.advance(200);
  rig.far.release();
  await rig.settle();
  t.deepEqual(rig.relay.statuses(late.transaction), ['accepted', 'expired']);
  t.regex(rig.relay.responses(late.transaction).at(-1)?.error ?? '', /its time was over 100 ms ago/);
  t.is(rig.relay.statuses(living.transaction)[1], 'sent');
  await rig.end();
});

test('the 65th command that waits is refused', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  rig.device.deliver(command());
  await rig.settle();
  const results = Array.from({ length: 65 }, () => rig.device.deliver(command()));
  t.deepEqual([...new Set(results.slice(0, 64))], ['queued']);
  t.is(results[64], 'full');
  rig.far.release();
  await rig.end();
});

test('commands of more than 32 MiB in all are refused too, but for a single one; what waits is not lost', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  rig.device.deliver(command());
  await rig.settle();
  const large = (mib: number) => command({ verb: 'write', payload: Buffer.alloc(mib * 1024 * 1024) });
  t.is(rig.device.deliver(large(40)), 'queued', 'a single one is bounded by who takes it from the broker');
  const refused = command();
  t.is(rig.device.deliver(refused), 'full');
  t.regex(
    rig.relay.responses(refused.transaction)[0]?.error ?? '',
    /^64 commands, or 32 MiB of them, wait for this device/,
  );
  rig.far.release();
  await rig.settle();
  rig.far.stall();
  rig.device.deliver(command());
  await rig.settle();
  const results = Array.from({ length: 40 }, () => rig.device.deliver(large(1)));
  t.is(results.filter((result) => result === 'queued').length, 31);
  rig.far.release();
  await rig.end();
  t.is(rig.far.received.length, 34);
});

test('a full way up does not hold up commands', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.relay.fill();
  rig.far.send('a\nb\n');
  await rig.settle();
  const set = command();
  rig.device.deliver(set);
  await rig.settle();
  t.deepEqual(rig.relay.statuses(set.transaction), ['accepted', 'sent', 'ok']);
  rig.relay.empty();
  await rig.end();
  t.deepEqual(rig.relay.texts, ['a', 'b']);
});

test('commands in the lane at a shutdown are still written and answered', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const commands = [command(), command(), command()];
  for (const each of commands) rig.device.deliver(each);
  await rig.settle();
  rig.device.group.close('test');
  rig.far.release();
  t.true((await rig.end()).ended);
  t.is(rig.far.received.length, 3);
  for (const { transaction } of commands) t.is(rig.relay.statuses(transaction).at(-1), 'ok');
  const late = command();
  rig.device.deliver(late);
  t.deepEqual(rig.relay.statuses(late.transaction), ['error']);
});

test('a stuck line does not hold up a shutdown: commands are answered, and fail-safe bytes that cannot leave are named', async (t) => {
  const rig = groupRig({ settings: { on_shutdown: Buffer.from('SAFE') } });
  await rig.settle();
  rig.far.stall();
  const commands = [command(), command(), command()];
  for (const each of commands) rig.device.deliver(each);
  await rig.settle();
  t.true((await rig.end(2000)).ended);
  t.deepEqual(rig.relay.availability('scale'), ['online', 'offline']);
  t.truthy(rig.log.find(/on_shutdown bytes could not be written/));
  for (const { transaction } of commands) {
    t.is(rig.relay.statuses(transaction).filter((status) => FINAL.has(status)).length, 1);
  }
  t.deepEqual(rig.closes, [1]);
});

test('a driver that throws on commands is told once, and every command is answered', async (t) => {
  const clumsy = defineDriver({
    kind: 'framed',
    summary: '',
    options: z.unknown(),
    create: () => ({
      encode: () => {
        throw new Error('cannot');
      },
    }),
  });
  const rig = groupRig({ driver: clumsy });
  await rig.settle();
  const commands = Array.from({ length: 20 }, () => command());
  for (const each of commands) rig.device.deliver(each);
  await rig.settle();
  for (const { transaction } of commands) {
    t.is(rig.relay.statuses(transaction).filter((status) => FINAL.has(status)).length, 1);
  }
  t.is(rig.device.counters.crashes, 1);
  t.is(rig.state, 'backing-off');
  await rig.clock.advance(1000);
  t.is(rig.state, 'online');
  await rig.end();
});

test('a send thread that crashes is restarted with what it held, and its commands are answered', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.relay.failOnce(new Error('bug in the relay'));
  rig.far.stall();
  const set = command();
  rig.device.deliver(set);
  await rig.settle();
  rig.far.send('one\n');
  await rig.clock.advance(10_000);
  t.is(rig.state, 'online');
  t.deepEqual(rig.relay.texts, ['one']);
  t.deepEqual(rig.relay.statuses(set.transaction), ['accepted', 'error']);
  rig.far.release();
  rig.far.send('two\n');
  const again = command();
  rig.device.deliver(again);
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['one', 'two']);
  t.deepEqual(rig.relay.statuses(again.transaction), ['accepted', 'sent', 'ok']);
  t.true((await rig.end()).ended);
  t.deepEqual(rig.closes, [1, 1]);
});

test('readings go up while a command waits for its device, and a command goes down while readings wait for room', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const stuck = command();
  rig.device.deliver(stuck);
  rig.far.send(Buffer.from('1\n'));
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['1']);
  rig.far.release();
  await rig.settle();
  t.deepEqual(rig.relay.statuses(stuck.transaction), ['accepted', 'sent', 'ok']);

  rig.relay.fill();
  rig.far.send(Buffer.from('2\n'));
  await rig.settle();
  const free = command();
  rig.device.deliver(free);
  await rig.settle();
  t.deepEqual(rig.relay.statuses(free.transaction), ['accepted', 'sent', 'ok']);
  rig.relay.empty();
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['1', '2']);
  await rig.end();
});

test('a command for a device that is just being closed is told that, whoever closes it', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  rig.device.deliver(command());
  await rig.settle();
  rig.device.group.close('its config has changed');
  await rig.settle();
  const late = command();
  t.is(rig.device.deliver(late), 'closed');
  t.is(rig.relay.responses(late.transaction).at(-1)?.error, 'not sent: the device is being closed');
  await rig.clock.advance(600);
  t.falsy(rig.log.find(/opening it again/), 'nor is it opened again');
  t.truthy(rig.log.find(/takes no bytes although its link is open: given up, the device is being closed/));
  await rig.end();
});

test('readings that have not left when the group is given up are counted as dropped, wherever they wait', async (t) => {
  const rig = groupRig({ settings: { queue_size: 512 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; n < 20; n += 1) {
    rig.far.send(`line ${n} that takes some room in the queue\n`.repeat(2));
    await rig.settle();
  }
  const { counters } = rig.device;
  rig.device.group.close('test');
  const waiting = rig.device.group.wait(1000);
  await rig.clock.advance(1000);
  t.false((await waiting).ended);
  rig.device.group.cleanup();
  t.true(counters.readings > 4, 'one held, some queued, some without room');
  t.is(counters.droppedReadings, counters.readings);
  t.like(rig.log.find(/^closed: /)?.fields, { counters });
  rig.relay.empty();
  await rig.clock.advance(1000);
  t.deepEqual(rig.relay.texts, [], 'what is counted as dropped does not come all the same');
  t.is(counters.droppedReadings, counters.readings);
});
