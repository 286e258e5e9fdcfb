import test from 'ava';
import { LogRelay } from '../../src/control/log-relay.js';
import type { LogUp } from '../../src/device/message.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLog } from '../support/recording-log.js';

class Rig {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly told: LogUp[] = [];
  onPublish: () => void = () => {};
  readonly relay = new LogRelay({
    log: this.log,
    clock: this.clock,
    publish: (line) => {
      this.told.push(line);
      this.onPublish();
    },
  });
}

test('every line is written as before; those from warn on are told too, with whom they are about', (t) => {
  const { relay, log, told, clock } = new Rig();
  const scale = relay.child({ group: 'scale' });
  scale.info('opened');
  scale.warn({ thread: 'manager', retry_in_ms: 5 }, 'link lost');
  relay.error('plain');
  t.deepEqual(
    log.lines.map(({ level, message }) => `${level} ${message}`),
    ['info opened', 'warn link lost', 'error plain'],
  );
  t.deepEqual(log.lines[1]?.bindings, { group: 'scale' });
  t.deepEqual(told, [
    { kind: 'log', level: 'warn', message: 'link lost', at: clock.wall(), group: 'scale', thread: 'manager' },
    { kind: 'log', level: 'error', message: 'plain', at: clock.wall() },
  ]);
});

test('the level that is told follows the request, also for loggers made before', (t) => {
  const { relay, told } = new Rig();
  const scale = relay.child({ group: 'scale' });
  relay.setLevel('info');
  scale.info('told now');
  scale.debug('not this');
  relay.setLevel('error');
  scale.warn('nor this');
  t.deepEqual(
    told.map(({ message }) => message),
    ['told now'],
  );
});

test('what the uplink says of itself, and what is said while publishing, is written and not told', (t) => {
  const rig = new Rig();
  rig.relay.child({ group: 'bridge/mqtt' }).error('the broker refuses');
  rig.onPublish = () => rig.relay.error('publishing failed');
  rig.relay.error('once');
  t.deepEqual(
    rig.told.map(({ message }) => message),
    ['once'],
  );
  t.is(rig.log.lines.length, 3);
});

test('a storm of lines is told at a bounded rate, and the rest is counted', async (t) => {
  const { relay, told, log, clock } = new Rig();
  for (let i = 0; i < 1000; i += 1) relay.warn(`line ${i}`);
  t.is(told.length, 50);
  t.is(log.lines.length, 1000);
  await clock.advance(1000);
  for (let i = 0; i < 1000; i += 1) relay.warn(`later ${i}`);
  t.is(told.length, 60);
  t.is(told[50]?.suppressed, 950);
  t.is(told[51]?.suppressed, undefined);
});

test('a message is cut, and shows no credentials', (t) => {
  const { relay, told } = new Rig();
  relay.error(`no way to mqtt://me:secret@h:1?token=t ${'x'.repeat(5000)}`);
  t.regex(told[0]?.message ?? '', /^no way to mqtt:\/\/\*\*\*@h:1\?token=\*\*\* x+$/);
  t.is(told[0]?.message.length, 1000);
});
