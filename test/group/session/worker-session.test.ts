import { setTimeout as systemSleep } from 'node:timers/promises';
import test from 'ava';
import { sessionDriverRig, until } from '../../support/session-driver-rig.js';
import { longestLag } from '../../support/worker-rig.js';

/** More than a heartbeat. */
const HANG_MS = 1500;
/** A main thread that waited for the Worker would stand still for as long as it hangs. */
const MAX_LAG_MS = 1000;

test.serial(
  'bytes go in as readings, writes come out in order, and the session knows nothing of the process',
  async (t) => {
    const { sink, ready, push, ask } = sessionDriverRig(t);
    push('before it is open');
    await ready;
    await until(() => sink.texts.length === 1);
    for (const text of ['one ', 'two ', 'three']) await ask(`echo ${text}`);
    await until(() => sink.text === 'one two three');
    push('after');
    await until(() => sink.texts.length === 2);
    t.deepEqual(sink.objects, [{ got: 'before it is open' }, { got: 'after' }]);
    t.true(sink.walls.every((wall) => Math.abs(wall - Date.now()) < 60_000));
    t.deepEqual(await ask('sees'), { ok: true, data: { env: 0, argv: 0 } });
  },
);

test.serial('commands are answered: done, with data, refused, a channel that is none', async (t) => {
  const { ask } = sessionDriverRig(t);
  t.deepEqual(await ask('know x'), { ok: true });
  t.deepEqual(await ask('data'), { ok: true, data: { position: 7 } });
  t.deepEqual(await ask('', { verb: 'get' }), { ok: true, data: { fresh: true } });
  t.deepEqual(await ask('refuse'), { ok: false, reason: 'the board says no' });
  t.deepEqual(await ask('x', { channel: 'ehco' }), { ok: false, reason: 'no channel "ehco"; it takes: set/echo' });
});

test.serial('a session without commands says so', async (t) => {
  const { ask } = sessionDriverRig(t, { open: 'dumb' });
  t.deepEqual(await ask('on'), { ok: false, reason: "this device's driver takes no commands; it takes: write" });
});

test.serial('commands given before the session is open wait for it, but not those that were given up', async (t) => {
  const { session, sink, ask } = sessionDriverRig(t, { open: 'late' });
  const givenUp = ask('echo never');
  session.cancelAnswer();
  t.deepEqual(await givenUp, { ok: false, reason: 'given up' });
  t.deepEqual(await ask('echo now'), { ok: true });
  await until(() => sink.text !== '');
  t.is(sink.text, 'now');
});

test.serial('the answer to a command that was given up is not taken for that of the next', async (t) => {
  const { session, ready, ask } = sessionDriverRig(t);
  await ready;
  const slow = ask('slow');
  session.cancelAnswer();
  t.like(await slow, { ok: false });
  t.deepEqual(await ask('data'), { ok: true, data: { position: 7 } });
});

test.serial('a slow line holds up the session through its wire, batch by batch', async (t) => {
  const { sink, ready, ask } = sessionDriverRig(t);
  await ready;
  sink.hold();
  const answer = ask('flow x');
  await until(() => sink.written.length === 1);
  t.is(sink.written.length, 1, 'one batch is under way');
  sink.release();
  const { data } = (await answer) as { data: { waits: number } };
  t.true(data.waits > 0);
  await until(() => sink.text.length === 64 * 1024);
  t.true(sink.written.length < 40, `${sink.written.length} writes: what waits is joined`);
});

test.serial(
  'a session that does not read its wire makes the owner wait, and holds no more than the bound',
  async (t) => {
    const { session, ready } = sessionDriverRig(t, { open: 'deaf' });
    await ready;
    for (let i = 0; i < 10; i++) session.push(Buffer.alloc(64 * 1024));
    const wait = session.whenRoom(AbortSignal.timeout(200));
    t.is(await wait, 'aborted');
    t.true(session.backlog > 128 * 1024);
  },
);

test.serial('a session that leaves a full wire unread for too long is a bug of its driver', async (t) => {
  const { session, ready, crashed } = sessionDriverRig(t, { open: 'deaf' }, { readMs: 300 });
  await ready;
  for (let i = 0; i < 3; i++) session.push(Buffer.alloc(64 * 1024));
  t.is(await session.whenRoom(), 'gone');
  t.regex((await crashed).message, /the driver does not read its wire: 196608 bytes wait, none was taken for 0.3 s/);
  t.is(session.state, 'crashed');
});

test.serial('a session that reads slowly, or waits for a slow line first, is none', async (t) => {
  const { session, sink, ready, ask } = sessionDriverRig(t, { open: 'slow-reader' }, { readMs: 300 });
  await ready;
  for (let i = 0; i < 12; i++) {
    session.push(Buffer.alloc(64 * 1024));
    t.is(await session.whenRoom(), 'done');
  }
  sink.hold();
  await ask('pauses');
  await until(() => sink.written.length > 0);
  for (let i = 0; i < 3; i++) session.push(Buffer.alloc(64 * 1024));
  const room = session.whenRoom();
  await systemSleep(900);
  t.is(session.state, 'open');
  sink.release();
  t.is(await room, 'done');
});

test.serial('thousands of readings in one turn are one batch; what is none is told', async (t) => {
  const { session, sink, ask } = sessionDriverRig(t);
  await ask('many 5000');
  await until(() => sink.texts.length === 5000);
  t.deepEqual(sink.objects[4999], { i: 4999 });
  t.true(sink.walls.length < 5, `${sink.walls.length} batches`);
  await ask('odd');
  await until(() => sink.texts.length === 5001);
  t.deepEqual(sink.objects[5000], { rejected: 'no' });
  t.deepEqual(sink.reasons, [
    'bad-reading: 42, expected an object of channels and values',
    'bad-reading: null, expected an object of channels and values',
    'bad-reading: string, expected an object of channels and values',
  ]);
  t.is(session.stats.junk.get('bad-reading'), 3);
});

test.serial('details and log lines come through, log lines in moderation', async (t) => {
  const { details, log, ask } = sessionDriverRig(t);
  await ask('know StandardFirmata');
  await ask('say 100');
  t.deepEqual(details, ['{"firmware":"StandardFirmata"}']);
  t.is(log.matching(/^line/).length, 60);
  t.like(log.matching(/^line/)[0], { level: 'warn', fields: { thread: 'session' } });
});

test.serial('a device that does not answer is weather: open rejects, or nothing comes within the limit', async (t) => {
  const silent = sessionDriverRig(t, { open: 'silent' });
  const waiting = silent.ask('echo x');
  t.is(await silent.unanswered, 'no answer: is it flashed?');
  t.deepEqual(await waiting, { ok: false, reason: 'not sent: no answer: is it flashed?' });
  t.is(await silent.session.whenIdle(), 'gone');
  const never = sessionDriverRig(t, { open: 'never' }, { openMs: 100 });
  t.is(await never.unanswered, 'the device did not answer within 0.1 s');
});

test.serial('a driver that ends its wire has given up: weather, in its words', async (t) => {
  const { ready, ask, unanswered } = sessionDriverRig(t);
  await ready;
  const waiting = ask('end no pulse for 5 s');
  t.is(await unanswered, 'no pulse for 5 s');
  const reason = 'sent, but its session ended before the device answered: no pulse for 5 s';
  t.deepEqual(await waiting, { ok: false, reason });
});

const BUGS: readonly (readonly [
  title: string,
  options: { open?: string },
  command: string | undefined,
  message: RegExp,
])[] = [
  ['a mistake in open', { open: 'buggy' }, undefined, /reading 'here'|undefined/],
  ['process.exit in open', { open: 'exits' }, undefined, /process\.exit\(3\)/],
  ['a command that throws', {}, 'throw', /^no such servo$/],
  ['a timer that throws', {}, 'later', /too late/],
  ['a rejection that nobody handles', {}, 'reject', /nobody waits/],
  ['process.exit', {}, 'exit', /process\.exit\(1\)/],
  ['process.reallyExit', {}, 'reallyExit', /process\.exit\(1\)/],
  ['a signal to the process', {}, 'kill', /cannot send signals/],
  ['a loop without end', {}, 'hang', /no progress for 1\.5 s/],
  ['a heap without end', {}, 'heap', /more than 64 MB/],
  ['buffers without end', {}, 'buffers', /MiB of buffers|no progress/],
  ['writes without end', {}, 'flood', /writes more than the line takes/],
  ['readings without end', {}, 'chatter', /more readings than the gateway can take/],
];

for (const [title, options, command, message] of BUGS) {
  test.serial(`a bug ends the session and is told once: ${title}`, async (t) => {
    const { session, sink, ready, crashed, ask } = sessionDriverRig(
      t,
      options,
      command === 'hang' ? { hangMs: HANG_MS } : {},
    );
    if (command !== undefined) await ready;
    if (command === 'flood') sink.hold();
    let answer: Promise<unknown> = Promise.resolve();
    const lag = await longestLag(async () => {
      if (command !== undefined) answer = ask(command);
      const crash = await crashed;
      t.regex(crash.message, message);
      t.is(crash.code, 'driver-crash');
    });
    await answer;
    t.is(session.state, 'crashed');
    t.is(await session.whenIdle(), 'gone');
    t.like(session.encodeCommand({ verb: 'set', payload: Buffer.from('x') }), { ok: false });
    t.true(lag < MAX_LAG_MS || command === 'chatter', `the main thread stood still for ${lag} ms`);
  });
}

test.serial('an open that hangs is found by the heartbeat', async (t) => {
  const { crashed } = sessionDriverRig(t, { open: 'hangs' }, { hangMs: HANG_MS });
  t.regex((await crashed).message, /no progress/);
});

test.serial('the end of the link ends the wire, lets the session close, and then the Worker', async (t) => {
  const { session, sink, ready, ask } = sessionDriverRig(t);
  await ready;
  const open = ask('slow');
  session.flush('end');
  t.deepEqual(await open, { ok: false, reason: 'sent, but its session ended before the device answered' });
  t.is(await session.whenIdle(), 'gone');
  t.is(session.state, 'closed');
  t.deepEqual(sink.objects, [{ closed: true }, { wire: 'ended' }]);
  t.is(sink.text, 'bye', 'where the link is still up, last words arrive');
  t.like(await ask('data'), { ok: false });
});

test.serial(
  'what a session writes as it closes has left when its Worker ends, however many writes that were',
  async (t) => {
    const { session, sink, ready } = sessionDriverRig(t, { close: 'wordy' }, { closeMs: 20_000 });
    await ready;
    sink.hold();
    session.flush('end');
    await until(() => sink.written.length === 1);
    await until(() => sink.objects.length > 0);
    t.is(session.state, 'ending', 'the first of them is still on its way');
    sink.release();
    t.is(await session.whenIdle(), 'gone');
    t.is(sink.text, 'STOP 1 STOP 2 STOP 3');
  },
);

test.serial('what it writes for a link that is gone is not waited for', async (t) => {
  const { session, sink, ready } = sessionDriverRig(t, { close: 'wordy' }, { closeMs: 60_000 });
  await ready;
  sink.isLost = true;
  session.flush('end');
  t.is(await session.whenIdle(), 'gone');
  t.deepEqual(sink.objects[0], { closed: true });
});

test.serial(
  'a command that the session has is never told to be not sent, even if nobody asks the session to end',
  async (t) => {
    const { session, ready, ask } = sessionDriverRig(t);
    await ready;
    const moving = ask('slow');
    await session.close();
    t.deepEqual(await moving, { ok: false, reason: 'sent, but its session ended before the device answered' });
    const early = sessionDriverRig(t, { open: 'never' });
    const waiting = early.ask('slow');
    early.session.flush('end');
    t.deepEqual(await waiting, { ok: false, reason: 'not sent: the link to the device has ended' });
  },
);

for (const how of ['never', 'throws']) {
  test.serial(
    `a close that ${how === 'never' ? 'does not end' : 'throws'} is waited for a short time only`,
    async (t) => {
      const { session, ready, log } = sessionDriverRig(t, { close: how }, { closeMs: 100 });
      await ready;
      session.flush('end');
      t.is(await session.whenIdle(), 'gone');
      t.is(session.state, 'closed');
      t.is(log.matching(/threw in close/).length, how === 'throws' ? 1 : 0);
    },
  );
}

for (const state of ['loading', 'opening'] as const) {
  test.serial(`the end of the link while the session is ${state} ends the Worker at once`, async (t) => {
    const { session } = sessionDriverRig(t, { open: 'never' });
    await until(() => session.state === state);
    session.flush('end');
    t.is(await session.whenIdle(), 'gone');
    t.is(session.state, 'closed');
    session.push(Buffer.from('late'));
    t.is(session.backlog, 0);
  });
}

test.serial('options that cannot travel to the Worker are told as a crash', async (t) => {
  const { crashed } = sessionDriverRig(t, { f: () => {} });
  t.regex((await crashed).message, /cannot start the device's Worker/);
});
