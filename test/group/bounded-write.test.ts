import { getEventListeners } from 'node:events';
import test from 'ava';
import { memoryLink } from '../../src/device/links/memory.js';
import { limitMs, writeBounded } from '../../src/group/bounded-write.js';
import { FakeClock } from '../support/fake-clock.js';
import { command, echoDriver, groupRig } from '../support/group-rig.js';

test('a command to a device that takes no bytes is answered, and the link is opened anew', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const [first, second] = [command(), command()];
  rig.device.deliver(first);
  rig.device.deliver(second);
  await rig.settle();
  await rig.clock.advance(9_900);
  t.deepEqual(rig.relay.statuses(first.transaction), ['accepted']);
  await rig.clock.advance(2_000);
  t.is(rig.relay.statuses(first.transaction).at(-1), 'error');
  t.is(rig.relay.statuses(second.transaction).at(-1), 'error');
  t.truthy(rig.log.find(/takes no bytes although its link is open/));
  rig.far.release();
  await rig.clock.advance(1_000);
  t.is(rig.state, 'online');
  t.is(rig.closes.length, 2, 'a second link');
  const third = command();
  rig.device.deliver(third);
  await rig.settle();
  t.is(rig.relay.statuses(third.transaction).at(-1), 'ok');
  await rig.end();
});

test('a write that hangs at a shutdown costs half a second, and every command is answered', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const commands = Array.from({ length: 10 }, () => command());
  for (const each of commands) rig.device.deliver(each);
  await rig.settle();
  const startedAt = rig.clock.now();
  t.true((await rig.end()).ended);
  t.true(rig.clock.now() - startedAt < 2_500, `${rig.clock.now() - startedAt} ms`);
  for (const { transaction } of commands) t.is(rig.relay.statuses(transaction).at(-1), 'error');
});

for (const [what, more] of [
  ['command', { verb: 'write' }],
  ['command that the driver encodes', { verb: 'set' }],
] as const) {
  test(`a ${what} that a line takes for minutes is no sign of a stuck thread, and has an end`, async (t) => {
    const rig = groupRig({ canPause: false });
    await rig.settle();
    rig.far.stall();
    const job = command({ payload: Buffer.alloc(64 * 1024, 65), ...more });
    rig.device.deliver(job);
    for (let s = 0; s < 599; s += 1) {
      await rig.clock.advance(1000);
      t.deepEqual(rig.device.group.overdue(120_000), []);
    }
    t.deepEqual(rig.relay.statuses(job.transaction), ['accepted']);
    t.is(rig.device.group.thread('send')?.doing, `writing command ${job.transaction}`);
    await rig.clock.advance(1000);
    t.deepEqual(rig.relay.statuses(job.transaction), ['accepted', 'error']);
    await rig.end();
  });
}

test('a hello that a line takes for minutes is no sign of a stuck thread', async (t) => {
  const driver = { ...echoDriver, hello: () => [Buffer.alloc(8192, 65)] };
  const rig = groupRig({
    canPause: false,
    driver,
    opener: (own) => ({
      ...own,
      async open(signal) {
        const link = await own.open(signal);
        rig.far.stall();
        return link;
      },
    }),
  });
  await rig.settle();
  for (let s = 0; s < 300; s += 1) {
    await rig.clock.advance(1000);
    t.deepEqual(rig.device.group.overdue(120_000), []);
  }
  t.is(rig.device.group.thread('send')?.doing, 'writing hello');
  await rig.end();
});

test('a slow serial line has the time that its bytes take, and a socket the time that its own take', (t) => {
  t.is(limitMs({ isSerial: true }, 1000), 50_000);
  t.is(limitMs({ isSerial: false }, 100_000), 20_000);
  t.is(limitMs({ isSerial: true }, 8 * 1024 * 1024), 600_000, 'ten minutes at most');
});

// The signal lives as long as the thread: a device that is written to once a second would gather a listener each time.
test('a write leaves neither timer nor listener, however it ends', async (t) => {
  for (const how of ['written', 'stuck'] as const) {
    const clock = new FakeClock();
    const { opener, far } = memoryLink({ clock });
    const stop = new AbortController();
    const link = await opener.open(stop.signal);
    if (how === 'stuck') far.stall();
    const writing = writeBounded(link, Buffer.from('x'), clock, stop.signal);
    await clock.advance(20_000);
    t.is(await writing, how);
    t.is(clock.pending, 0);
    t.is(getEventListeners(stop.signal, 'abort').length, 0);
    await link.close();
  }
});
