import test from 'ava';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import { defineDriver, z } from '../../src/device/driver.js';
import { LinkError } from '../../src/device/link.js';
import type { Command, DownMessage } from '../../src/device/message.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeRelay } from '../support/fake-relay.js';
import { command, echoDriver, type GroupRig, groupRig } from '../support/group-rig.js';

/** Throws on the frame `bad`; counts its frames, to show that a fresh instance begins anew. */
const touchyDriver = defineDriver({
  kind: 'framed',
  summary: '',
  options: z.unknown(),
  create: () => {
    let count = 0;
    return {
      decode(frame) {
        if (frame.toString() === 'bad') throw new Error('bad frame');
        count += 1;
        return { text: frame.toString(), count };
      },
    };
  },
});

function states(rig: GroupRig): string[] {
  return rig.device.group.state.history.map(({ to }) => to);
}

test('comes online, loses the link, backs off and is online again', async (t) => {
  const rig = groupRig();
  await rig.settle();
  t.is(rig.state, 'online');
  rig.far.send('one\n');
  rig.far.unplug();
  await rig.settle();
  t.is(rig.state, 'backing-off');
  t.true(rig.device.nextRetryAt > rig.clock.wall());
  await rig.clock.advance(250);
  t.is(rig.state, 'online');
  t.is(rig.device.nextRetryAt, 0);
  t.deepEqual(rig.relay.availability('scale'), ['online', 'offline', 'online']);
  t.is(rig.device.counters.reconnects, 1);
  t.is(rig.log.matching('online again').length, 1);
  t.deepEqual(rig.closes, [1, 0]);
  await rig.end();
  t.deepEqual(rig.closes, [1, 1]);
  t.is(rig.relay.availability('scale').at(-1), 'offline');
});

test('the last thread out closes the link, once', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  rig.device.deliver(command());
  await rig.settle();
  rig.device.group.close('test');
  await rig.settle();
  t.deepEqual(rig.closes, [0], 'send still writes');
  rig.far.release();
  t.true((await rig.end()).ended);
  t.deepEqual(rig.closes, [1]);
});

test('a link that opens and is lost at once backs off further and further', async (t) => {
  const rig = groupRig();
  const opens: number[] = [];
  for (let minute = 0; minute < 20; minute += 1) {
    for (let tick = 0; tick < 240; tick += 1) {
      await rig.clock.advance(250);
      rig.far.unplug();
    }
    opens.push(rig.far.opens);
  }
  t.true((opens.at(-1) ?? 0) < 120, `${opens.at(-1)} attempts in 20 minutes`);
  t.true(rig.log.matching('link lost').length < 150);
  await rig.end();
});

test('a device that comes back is opened at once, but a hint that never ends does not spin', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.refuse('missing');
  rig.far.unplug();
  await rig.clock.advance(20_000);
  rig.far.accept();
  await rig.clock.advance(50);
  t.is(rig.state, 'online');
  await rig.end();

  let attempts = 0;
  const eager = groupRig({
    opener: (own) => ({
      name: own.name,
      open: () => {
        attempts += 1;
        return Promise.reject(new LinkError('missing', 'not there'));
      },
      changed: () => Promise.resolve(),
    }),
  });
  await eager.clock.advance(1000);
  t.true(attempts <= 60, `${attempts}`);
  await eager.end();
});

test('a driver that throws is given a fresh instance and its neighbours notice nothing', async (t) => {
  const clock = new FakeClock();
  const relay = new FakeRelay();
  const registry = new ThreadRegistry<DownMessage>(clock);
  const touchy = groupRig({ id: 'touchy', driver: touchyDriver, clock, relay, registry });
  const calm = groupRig({ id: 'calm', clock, relay, registry });
  await touchy.settle();
  touchy.far.send('a\nb\nbad\nskipped\n');
  calm.far.send('calm\n');
  await touchy.settle();
  t.is(touchy.state, 'backing-off');
  t.regex(touchy.device.group.state.reason, /bad frame/);
  t.is(calm.state, 'online');
  await clock.advance(300);
  t.is(touchy.state, 'online');
  touchy.far.send('c\n');
  calm.far.send('calm again\n');
  await touchy.settle();
  const textsOf = (device: string): string[] =>
    relay.readings.flatMap((each) => (each.device === device ? [each.batch.bytes.toString()] : []));
  t.deepEqual(textsOf('touchy'), ['{"text":"a","count":1}{"text":"b","count":2}', '{"text":"c","count":1}']);
  t.deepEqual(textsOf('calm').join(''), 'calm\ncalm again\n');
  t.deepEqual(relay.availability('calm'), ['online']);
  t.is(touchy.device.counters.crashes, 1);
  await touchy.end();
  await calm.end();
});

test('a driver that throws on the last bytes before a loss does not keep the device away', async (t) => {
  const rig = groupRig({ driver: touchyDriver });
  await rig.settle();
  rig.far.send('bad\n');
  rig.far.unplug();
  await rig.clock.advance(1000);
  t.is(rig.state, 'online');
  rig.far.send('good\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['{"text":"good","count":1}']);
  t.true((await rig.end()).ended);
  t.deepEqual(rig.closes, [1, 1]);
});

test('more than five crashes in a minute park the device and it is probed later', async (t) => {
  const rig = groupRig({ driver: touchyDriver });
  await rig.settle();
  for (let crash = 0; crash < 6; crash += 1) {
    t.is(rig.state, 'online', `before crash ${crash}`);
    rig.far.send('bad\n');
    await rig.settle();
    if (crash < 5) await rig.clock.advance(5000);
  }
  t.is(rig.state, 'parked');
  t.regex(rig.log.at('error').at(-1)?.message ?? '', /parked/);
  const waitMs = rig.device.nextRetryAt - rig.clock.wall();
  t.true(waitMs >= 225_000 && waitMs <= 375_000);
  rig.far.accept();
  await rig.clock.advance(waitMs - 1000);
  t.is(rig.state, 'parked', 'a hint that the device is there does not count');
  await rig.clock.advance(2000);
  t.is(rig.state, 'online');
  t.true((await rig.end()).ended);
});

test('a parked device is tried at once when asked to restart', async (t) => {
  const rig = groupRig({ driver: touchyDriver, intensity: { max: 0, windowMs: 60_000, probeMs: 300_000 } });
  await rig.settle();
  rig.far.send('bad\n');
  await rig.settle();
  t.is(rig.state, 'parked');
  rig.device.restart('asked for');
  await rig.settle();
  t.is(rig.state, 'online');
  t.is(rig.device.group.state.history.at(-2)?.reason, 'asked for');
  await rig.end();
});

test('a crash while parked is counted and leaves the device parked', async (t) => {
  const touchy = defineDriver({
    ...touchyDriver,
    create: (options) => ({
      ...touchyDriver.create(options),
      encode: () => {
        throw new Error('bad command');
      },
    }),
  });
  const intensity = { max: 1, windowMs: 1000, probeMs: 300_000 };
  const rig = groupRig({ driver: touchy, intensity, settings: { queue_size: 100 } });
  await rig.settle();
  rig.far.send('bad\n');
  await rig.clock.advance(300);
  t.is(rig.state, 'online');
  rig.relay.fill();
  for (const line of ['a', 'b', 'c', 'd', 'e', 'bad']) {
    rig.far.send(`${line}\n`);
    await rig.settle();
  }
  rig.device.deliver(command());
  await rig.settle();
  t.is(rig.state, 'parked');
  await rig.clock.advance(5000);
  rig.relay.empty();
  await rig.settle();
  t.is(rig.device.counters.crashes, 3);
  await rig.clock.advance(100_000);
  t.is(rig.state, 'parked', 'not tried sooner for it');
  await rig.clock.advance(300_000);
  t.is(rig.state, 'online');
  t.is(rig.relay.texts.length, 5);
  t.true((await rig.end()).ended);
});

test('loss of a link is never counted as a crash', async (t) => {
  const rig = groupRig({ driver: touchyDriver });
  for (let n = 0; n < 50; n += 1) {
    await rig.clock.advance(300);
    rig.far.send('x\n');
    await rig.clock.advance(1000);
    rig.far.unplug('reset');
  }
  await rig.clock.advance(300);
  t.is(rig.device.counters.crashes, 0);
  t.false(states(rig).includes('parked'));
  t.is(rig.far.opens, 51);
  t.is(rig.relay.texts.length, 50);
  await rig.end();
});

for (const [what, banner] of [
  ['says nothing', ''],
  ['says one line', 'Port already in use\r\n'],
] as const) {
  test(`a device that ${what} and hangs up at once is waited for longer and longer, and told once`, async (t) => {
    const rig = groupRig({
      opener: (own) => ({
        ...own,
        async open(signal) {
          const link = await own.open(signal);
          setImmediate(() => {
            if (banner !== '') rig.far.send(banner);
            rig.far.unplug('hang-up');
          });
          return link;
        },
      }),
    });
    await rig.settle();
    for (let n = 0; n < 600; n += 1) await rig.clock.advance(1000);
    t.true(rig.far.opens < 100, `${rig.far.opens} attempts in 10 min`);
    t.is(rig.log.matching('trying again until it works').filter(({ level }) => level === 'warn').length, 1);
    await rig.end();
  });
}

test('hello and poll payloads are framed and sent, a poll never twice while it waits', async (t) => {
  const asking = defineDriver({
    ...echoDriver,
    hello: () => [Buffer.from('hi')],
    poll: () => [{ payload: Buffer.from('temp?'), everyMs: 1000 }],
  });
  const rig = groupRig({ driver: asking });
  await rig.clock.advance(2500);
  t.deepEqual(rig.far.received.map(String), ['hi\n', 'temp?\n', 'temp?\n']);
  rig.far.stall();
  await rig.clock.advance(9_000);
  t.is(rig.device.deliver(command()), 'queued', 'polls do not fill the lane');
  rig.far.release();
  await rig.settle();
  t.deepEqual(rig.far.received.slice(3).map(String), ['temp?\n', 'temp?\n', 'on\n']);
  rig.far.refuse('missing');
  rig.far.unplug();
  await rig.settle();
  const before = rig.far.received.length;
  await rig.clock.advance(10_000);
  rig.far.accept();
  await rig.clock.advance(100);
  t.deepEqual(rig.far.received.slice(before).map(String), ['hi\n'], 'no poll while away');
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('a driver that throws in hello crashes its own device only, and is parked in the end', async (t) => {
  const rude = defineDriver({
    ...echoDriver,
    hello: () => {
      throw new Error('no hello');
    },
  });
  const rig = groupRig({ driver: rude });
  await rig.clock.advance(60_000);
  t.is(rig.state, 'parked');
  t.true((await rig.end()).ended);
  t.true(rig.closes.every((count) => count === 1));
});

test('an opener that throws what it has not promised is a crash, not an endless loop', async (t) => {
  const rig = groupRig({
    opener: (own) => ({ name: own.name, open: () => Promise.reject(new TypeError('bug in the opener')) }),
  });
  await rig.clock.advance(60_000);
  t.is(rig.state, 'parked');
  t.is(rig.log.at('error').length, 6);
  await rig.end();
});

test('a manager that crashes closes the link it held and is restarted in a second', async (t) => {
  let attempts = 0;
  const rig = groupRig({
    opener: (own) => ({
      name: own.name,
      async open(signal) {
        const link = await own.open(signal);
        attempts += 1;
        if (attempts > 1) return link;
        const attach = link.attach.bind(link);
        link.attach = (handlers) => {
          attach(handlers);
          throw new Error('bug in the link');
        };
        return link;
      },
    }),
  });
  await rig.settle();
  t.deepEqual(rig.closes, [1]);
  const set = command();
  rig.device.deliver(set);
  t.deepEqual(rig.relay.statuses(set.transaction), ['error']);
  t.is(rig.log.matching('manager thread crashed').length, 1);
  await rig.clock.advance(1100);
  t.is(rig.state, 'online');
  rig.far.send('good\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['good']);
  t.true((await rig.end()).ended);
  t.is(rig.clock.pending, 0);
});

test('a device that says nothing for silent_after is silent until it speaks', async (t) => {
  const rig = groupRig({ settings: { silent_after: 5000 } });
  await rig.clock.advance(4000);
  rig.far.send('x\n');
  await rig.clock.advance(4900);
  t.is(rig.state, 'online');
  await rig.clock.advance(200);
  t.is(rig.state, 'silent');
  t.is(rig.log.matching('nothing received for 5000 ms').length, 1);
  rig.far.send('y\n');
  await rig.settle();
  t.is(rig.state, 'online');
  await rig.clock.advance(5100);
  t.is(rig.state, 'silent');
  rig.far.send('z\n');
  rig.far.unplug();
  await rig.clock.advance(1000);
  t.is(rig.state, 'online');
  await rig.end();
  t.is(rig.clock.pending, 0);
});

test('a device that is not listened to is not silent', async (t) => {
  const rig = groupRig({ settings: { silent_after: 5000, queue_size: 1024 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; !rig.far.isPaused; n += 1) {
    rig.far.send(`${n} ${'x'.repeat(4000)}\n`);
    await rig.settle();
  }
  await rig.clock.advance(60_000);
  t.is(rig.state, 'online');
  rig.relay.empty();
  await rig.clock.advance(4000);
  t.is(rig.state, 'online');
  await rig.clock.advance(2000);
  t.is(rig.state, 'silent');
  await rig.end();
});

test('restart on request closes the link and begins anew, once for many requests', async (t) => {
  const rig = groupRig({ driver: touchyDriver });
  await rig.settle();
  rig.far.send('a\nb\npart');
  await rig.settle();
  for (let n = 0; n < 100; n += 1) rig.device.restart('asked for');
  await rig.clock.advance(10);
  t.is(rig.state, 'online');
  t.is(rig.far.opens, 2);
  rig.far.send('c\n');
  await rig.settle();
  t.is(rig.relay.texts.at(-1), '{"text":"c","count":1}', 'a fresh framer and a fresh driver');
  t.deepEqual(rig.relay.deadLetters, ['partial']);
  t.deepEqual(rig.closes, [1, 0]);
  await rig.end();
});

test('restart on request gets through although a write hangs', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.stall();
  const set = command();
  rig.device.deliver(set);
  await rig.settle();
  rig.device.restart('asked for');
  await rig.clock.advance(1500);
  t.is(rig.state, 'online');
  t.is(rig.far.opens, 2);
  t.deepEqual(rig.relay.statuses(set.transaction), ['accepted', 'error']);
  rig.far.release();
  t.true((await rig.end()).ended);
  t.deepEqual(rig.closes, [1, 1]);
});

test('on_shutdown bytes are written after the readings are out and before the link closes', async (t) => {
  const rig = groupRig({ settings: { on_shutdown: Buffer.from('SAFE') } });
  await rig.settle();
  const events: string[] = [];
  rig.relay.fill();
  rig.far.send('last\n');
  await rig.settle();
  rig.device.group.close('test');
  await rig.settle();
  t.is(rig.far.received.length, 0);
  rig.relay.empty();
  rig.far.stall();
  await rig.settle();
  events.push(...rig.relay.texts, `closed ${rig.closes[0]}`);
  rig.far.release();
  t.true((await rig.end()).ended);
  t.deepEqual(events, ['last', 'closed 0']);
  t.deepEqual(rig.far.received.map(String), ['SAFE']);
  t.deepEqual(rig.closes, [1]);
  t.deepEqual(rig.relay.availability('scale'), ['online', 'offline']);
});

test('on_shutdown bytes that cannot be written are an error in the log', async (t) => {
  const settings = { on_shutdown: Buffer.from('SAFE') };
  const away = groupRig({ settings });
  away.far.refuse('missing');
  away.far.unplug();
  await away.settle();
  t.true((await away.end()).ended);
  const stuck = groupRig({ settings });
  await stuck.settle();
  stuck.far.stall();
  t.true((await stuck.end()).ended);
  for (const rig of [away, stuck])
    t.is(rig.log.at('error').filter((line) => line.message.includes('safe state')).length, 1);
});

test('so they are for an accepted connection, but not for one that its device has ended', async (t) => {
  const settings = { on_shutdown: Buffer.from('SAFE') };
  const told = (rig: GroupRig) => rig.log.at('error').filter((line) => line.message.includes('safe state')).length;
  const stuck = groupRig({ reopens: false, settings });
  await stuck.settle();
  stuck.far.stall();
  t.true((await stuck.end()).ended);
  t.is(told(stuck), 1);
  const gone = groupRig({ reopens: false, settings });
  await gone.settle();
  gone.far.unplug();
  await gone.settle();
  t.true((await gone.end()).ended);
  t.is(told(gone), 0);
});

test('a crash while the group closes leaves the link for the fail-safe bytes', async (t) => {
  const rig = groupRig({ driver: touchyDriver, settings: { on_shutdown: Buffer.from('SAFE') } });
  await rig.settle();
  rig.far.send('good\nbad\n');
  rig.device.group.close('test');
  t.true((await rig.end()).ended);
  t.deepEqual(rig.relay.texts, ['{"text":"good","count":1}']);
  t.deepEqual(rig.far.received.map(String), ['SAFE']);
  t.is(rig.far.opens, 1);
  t.deepEqual(rig.closes, [1]);
});

test('a link lost while the group closes is not opened again', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.relay.fill();
  rig.far.send('x\n');
  await rig.settle();
  rig.device.group.close('test');
  await rig.settle();
  rig.far.unplug();
  await rig.clock.advance(2000);
  t.is(rig.far.opens, 1);
  rig.relay.empty();
  t.true((await rig.end()).ended);
  t.deepEqual(rig.relay.texts, ['x']);
});

const endings: Record<string, (rig: GroupRig) => Promise<void>> = {
  connecting: async () => {},
  'backing-off': async (rig) => {
    rig.far.refuse('missing');
    rig.far.unplug();
    await rig.clock.advance(5000);
    rig.device.group.state.state === 'connecting' && (await rig.settle());
  },
  parked: async (rig) => {
    rig.far.send('bad\n');
    await rig.settle();
  },
  online: async (rig) => {
    rig.far.send('mid fr');
    await rig.settle();
  },
  silent: async (rig) => {
    await rig.clock.advance(11_000);
  },
};

for (const [state, reach] of Object.entries(endings)) {
  test(`close during ${state} ends every thread and leaves no timer behind`, async (t) => {
    const rig = groupRig({
      driver: touchyDriver,
      intensity: { max: 0, windowMs: 60_000, probeMs: 300_000 },
      settings: { silent_after: 10_000 },
      ...(state === 'connecting' && {
        opener: (own) => ({
          name: own.name,
          open: (signal) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(new LinkError('closed', 'called off')), { once: true });
            }),
        }),
      }),
    });
    await rig.settle();
    await reach(rig);
    t.is(rig.state, state);
    t.true((await rig.end()).ended);
    t.is(rig.state, 'closed');
    t.is(rig.clock.pending, 0);
    t.true(rig.closes.every((count) => count === 1));
    t.is(rig.registry.size, 0);
  });
}

test('a connection that is not reopened ends with its link, and is gone after its last reading', async (t) => {
  let ends = 0;
  const rig = groupRig({ reopens: false, onEnded: () => (ends += 1) });
  await rig.settle();
  rig.far.send('last words\n');
  rig.far.unplug('reset');
  await rig.settle();
  t.is(ends, 1);
  t.true((await rig.end()).ended);
  t.deepEqual(
    rig.relay.taken.map((each) => (each.kind === 'availability' ? each.state : each.kind)),
    ['online', 'readings', 'gone'],
  );
  t.is(rig.log.at('warn').length, 0, 'connections come and go');
});

test('a crash on a connection is counted and logged, and what was read behind it is still decoded', async (t) => {
  let ends = 0;
  const rig = groupRig({ reopens: false, driver: touchyDriver, onEnded: () => (ends += 1) });
  await rig.settle();
  rig.far.send('bad\n');
  rig.far.send('good\n');
  await rig.settle();
  t.is(ends, 1);
  t.is(rig.device.counters.crashes, 1);
  t.is(rig.log.at('error').length, 1);
  t.true((await rig.end()).ended);
  t.deepEqual(rig.relay.texts, ['{"text":"good","count":1}']);
});

test('a command is refused with its state while the device is away', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.refuse('missing');
  rig.far.unplug();
  await rig.settle();
  const late: Command = command();
  rig.device.deliver(late);
  t.regex(rig.relay.responses(late.transaction)[0]?.error ?? '', /offline: backing-off, link lost/);
  await rig.end();
});
