import test from 'ava';
import { SessionError } from '../../src/uplink/session-error.js';
import { UplinkRig } from '../support/uplink-rig.js';

const STATE = 'base/bridge/state';
const ONLINE = '{"state":"online"}';
const OFFLINE = '{"state":"offline"}';

test('loss and return are logged once each, with the time between', async (t) => {
  const rig = await UplinkRig.start(t);
  await rig.clock.advance(20_000);
  await rig.lose('away');
  t.false(rig.uplink.isOnline);
  t.is(rig.uplink.group.view().counters.isOnline, false);
  await rig.clock.advance(60_000);
  await rig.comeBack();
  t.is(rig.log.matching('the connection broke').length, 1);
  t.is(rig.log.at('warn').length, 2, 'the loss, and why it does not come back');
  t.is(rig.log.matching('connected to the broker').length, 2);
  t.regex(rig.log.matching('connected to the broker')[1]?.message ?? '', /again after \d+ ms/);
  t.is(rig.uplink.group.state.state, 'online');
});

test('bad credentials are tried again slowly and stay visible', async (t) => {
  const rig = await UplinkRig.start(
    t,
    new SessionError('credentials', 'broker broker:1883: bad user name or password'),
  );
  await rig.clock.advance(3_600_000);
  t.true(rig.attempts.length >= 12 && rig.attempts.length < 60, `${rig.attempts.length} attempts in an hour`);
  t.is(rig.log.matching('bad user name').length, rig.attempts.length);
  t.true(rig.log.matching('bad user name').every(({ level }) => level === 'warn'));
  t.is(rig.uplink.group.state.state, 'backing-off');
  t.regex(rig.uplink.group.state.reason, /bad user name/);
});

test('a broker that accepts and drops at once is not hammered, and a twin with our client id is suspected', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.broker = { dropsAtOnce: true };
  rig.session.lose();
  await rig.clock.advance(600_000);
  t.true(rig.sessions.length < 80, `${rig.sessions.length} sessions in ten minutes`);
  const [suspicion, ...more] = rig.log.matching('another client may be using our client id "me"');
  t.is(suspicion?.level, 'warn');
  t.is(more.length, 0);
});

test('each session subscribes to the commands of all devices, also of those added while it was being opened', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  rig.uplink.addDevice('cell');
  await rig.comeBack();
  t.true(rig.session.filters.has('base/scale/set'));
  t.true(rig.session.filters.has('base/cell/set'));
  rig.uplink.addDevice('late');
  t.true(rig.session.filters.has('base/late/set'));
  rig.uplink.removeDevice('cell');
  t.false(rig.session.filters.has('base/cell/set'));
  await rig.lose();
  await rig.comeBack();
  t.deepEqual(
    ['scale', 'cell', 'late'].map((name) => rig.session.filters.has(`base/${name}/write`)),
    [true, false, true],
  );
});

test('a device added while the broker has not yet answered the first subscriptions is subscribed too', async (t) => {
  const rig = await UplinkRig.start(t, { ignoresSubscribe: true });
  t.false(rig.uplink.isOnline);
  rig.uplink.addDevice('late');
  t.true(rig.session.filters.has('base/late/set'));
});

test('a device removed while a large subscription is on its way is not subscribed after it', async (t) => {
  const rig = await UplinkRig.start(t, { holdsSubscribe: true });
  rig.uplink.removeDevice('scale');
  rig.session.takeSubscriptions();
  await rig.clock.settle();
  t.true(rig.uplink.isOnline);
  t.deepEqual([...rig.session.filters], ['base/bridge/request/#']);
});

test('a subscription that takes many slow round trips is no sign of a stuck thread', async (t) => {
  const rig = await UplinkRig.start(t, { holdsSubscribe: true });
  await rig.clock.advance(600_000);
  t.deepEqual(rig.uplink.group.overdue(120_000), []);
  t.is(rig.uplink.group.thread('manager')?.doing, 'subscribing');
});

test('a refused subscription is named in the log and the session goes on', async (t) => {
  const rig = await UplinkRig.start(t, { refusedFilters: ['base/scale/write'] });
  t.like(rig.log.find('refuses the subscription'), { level: 'error', fields: { filter: 'base/scale/write' } });
  t.true(rig.uplink.isOnline);
});

test('however many subscriptions are refused, they take one line for each reason, with how many and which first', async (t) => {
  const rig = await UplinkRig.start(t, 'away');
  for (let n = 0; n < 200; n += 1) rig.uplink.addDevice(`cell-${n}`);
  const refusedFilters = Array.from({ length: 200 }, (_, n) => `base/cell-${n}/write`);
  await rig.comeBack({ refusedFilters });
  const [line, ...more] = rig.log.matching('refuses the subscription');
  t.deepEqual(more, []);
  t.like(line, { level: 'error', fields: { filter: 'base/cell-0/write', refused: 200 } });
  t.regex(
    line?.message ?? '',
    /cell-0\/write, base\/cell-1\/write, base\/cell-2\/write and 197 others \(Not authorized/,
  );
});

test('what a broker does not do is said once, not with every session', async (t) => {
  const rig = await UplinkRig.start(t, { notes: ['the broker takes QoS 0 only'] });
  await rig.lose();
  await rig.comeBack({ notes: ['the broker takes QoS 0 only'] });
  t.is(rig.log.matching('QoS 0 only').length, 1);
});

test('the farewell says offline before DISCONNECT', async (t) => {
  const rig = await UplinkRig.start(t);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.settle();
  t.like(await report, { clean: true, tookMs: 0 });
  t.is(rig.session.said.at(-1), `${STATE} ${OFFLINE}`);
  t.is(rig.session.ended, 'disconnect');
  t.is(rig.clock.pending, 0);
});

test('a farewell that the broker does not acknowledge leaves the last words to the last will', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(1000);
  t.like(await report, { clean: true, tookMs: 1000 });
  t.is(rig.session.ended, 'destroyed');
});

test('a session that ends in the middle of the farewell ends the farewell', async (t) => {
  const rig = await UplinkRig.start(t);
  rig.session.behaviour.holdsAcks = true;
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.settle();
  rig.session.lose();
  t.like(await report, { clean: true, tookMs: 0 });
});

test('a shutdown while subscribing does not wait for the answer, and says offline', async (t) => {
  const rig = await UplinkRig.start(t, { ignoresSubscribe: true });
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.settle();
  t.like(await report, { clean: true, tookMs: 0 });
  t.deepEqual(rig.session.on(STATE), [OFFLINE]);
  t.is(rig.session.ended, 'disconnect');
});

for (const [what, meets] of [
  ['connecting', 'hangs'],
  ['backing off', 'away'],
] as const) {
  test(`a shutdown while ${what} ends at once where nothing waits`, async (t) => {
    const rig = await UplinkRig.start(t, meets);
    rig.uplink.relay.offer({ kind: 'availability', device: 'scale', state: 'offline' });
    rig.uplink.relay.offer({ kind: 'event', event: 'state', data: {} });
    const report = rig.registry.shutdown(8000, 'test');
    await rig.clock.settle();
    t.like(await report, { clean: true, tookMs: 0 });
    t.is(rig.uplink.leftovers().size, 0);
    t.is(rig.clock.pending, 0);
  });
}

/** Without a disk to leave it to, an answer waits for the broker. */
const NO_DISK = { spool: { mode: 'off' } } as const;
const ANSWER = { kind: 'response', device: 'scale', status: 'ok', transaction: 't' } as const;

test('without a spool a shutdown waits for an absent broker up to its deadline, and names what is left', async (t) => {
  const rig = await UplinkRig.start(t, 'away', NO_DISK);
  rig.uplink.relay.offer(ANSWER);
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.advance(8000);
  t.like(await report, { clean: false, tookMs: 8000 });
  const { stuck } = await report;
  t.regex(stuck.find(({ thread }) => thread === 'send')?.doing ?? '', /acknowledgements/);
  t.deepEqual(rig.uplink.leftovers(), new Map([['scale', 1]]));
  await rig.clock.settle();
  t.is(rig.clock.pending, 0);
});

test('a shutdown with something that waits does not sit out a long backoff: a broker that comes back gets it', async (t) => {
  const rig = await UplinkRig.start(t, 'away', NO_DISK);
  rig.uplink.relay.offer(ANSWER);
  await rig.clock.advance(600_000);
  const before = rig.attempts.length;
  const report = rig.registry.shutdown(8000, 'test');
  await rig.clock.settle();
  t.is(rig.attempts.length, before + 1, 'at once');
  await rig.clock.advance(2000);
  t.true(rig.attempts.length >= before + 4, 'and often');
  rig.broker = {};
  await rig.clock.advance(600);
  t.true((await report).clean);
  t.is(rig.session.on('base/scale/response').length, 1);
  t.is(rig.session.said.at(-1), `${STATE} ${OFFLINE}`);
});

test('a cleanup breaks the session off at once', async (t) => {
  const rig = await UplinkRig.start(t, { holdsAcks: true });
  rig.uplink.group.cleanup();
  await rig.clock.settle();
  t.is(rig.session.ended, 'destroyed');
  t.deepEqual(rig.session.on(STATE), [ONLINE]);
});
