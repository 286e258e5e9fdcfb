import test from 'ava';
import { Commands } from '../../src/control/commands.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { type RouteResult, ThreadRegistry } from '../../src/core/thread-registry.js';
import type { DownMessage, UpMessage } from '../../src/device/message.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLog } from '../support/recording-log.js';

class Rig {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly registry = new ThreadRegistry<DownMessage>(this.clock);
  readonly routed: DownMessage[] = [];
  readonly answers: UpMessage[] = [];
  readonly commands = new Commands({
    clock: this.clock,
    log: this.log,
    registry: this.registry,
    topics: makeTopics('base'),
    relay: () => ({ offer: (message) => this.#offer(message), room: async () => {} }),
    makeTransaction: () => 'made-here',
  });

  /** `result`: what the device makes of a command; it answers for itself, whatever that is. */
  constructor(result: Exclude<RouteResult, 'no-such-group'> = 'queued') {
    const deliver = (message: DownMessage) => {
      this.routed.push(message);
      return result;
    };
    this.registry.add(new ThreadGroup({ id: 'scale', clock: this.clock }), deliver, 1);
  }

  #offer(message: UpMessage): 'taken' {
    this.answers.push(message);
    return 'taken';
  }

  take(topic: string, payload: string, more: Partial<IncomingMessage> = {}): void {
    this.commands.take({ topic, payload: Buffer.from(payload), retain: false, qos: 1, dup: false, ...more });
  }
}

test('a command is routed to its device, which answers it', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set/zero', 'ON');
  t.like(rig.routed[0], { verb: 'set', channel: 'zero', payload: Buffer.from('ON'), transaction: 'made-here' });
  t.deepEqual(rig.answers, []);
});

test('message expiry counts from the arrival', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'ON', { expirySeconds: 5 });
  t.is(rig.routed[0]?.notAfter, rig.clock.wall() + 5000);
});

test('retained commands are ignored, counted and logged', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'OPEN', { retain: true });
  rig.take('base/nobody/set', 'OPEN', { retain: true });
  t.deepEqual([rig.routed, rig.answers], [[], []]);
  t.is(rig.commands.ignoredRetained, 2);
  t.is(rig.log.at('warn').length, 2);
  t.regex(rig.log.lines[0]?.message ?? '', /base\/scale\/set ignored: retained/);
});

test('a command for a device that is not there is answered', (t) => {
  const rig = new Rig();
  rig.take('base/hall/peer-9/set', '{"value":"x","transaction":"t-1"}');
  t.deepEqual(rig.answers, [
    {
      kind: 'response',
      device: 'hall/peer-9',
      status: 'error',
      transaction: 't-1',
      error: 'no device "hall/peer-9" is connected',
    },
  ]);
  t.like(rig.log.lines[0], { level: 'warn', fields: { device: 'hall/peer-9', transaction: 't-1' } });
});

test('a malformed envelope is answered and goes nowhere', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', '{"value":1,"transaction":{"a":1}}');
  t.deepEqual(rig.routed, []);
  t.like(rig.answers[0], { status: 'error', device: 'scale', transaction: 'made-here' });
});

test('a refusal goes to the response topic of the sender, with its correlation data', (t) => {
  const rig = new Rig();
  const correlation = Buffer.from('c-1');
  rig.take('base/nobody/set', 'x', { responseTopic: 'my/answers', correlation });
  t.like(rig.answers[0], { status: 'error', replyTo: { topic: 'my/answers', correlation } });
});

test('a response topic that nobody may publish to is answered on the response topic of the device', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'x', { responseTopic: 'my/#' });
  t.deepEqual(rig.routed, []);
  t.like(rig.answers[0], { status: 'error', device: 'scale' });
  t.false('replyTo' in (rig.answers[0] ?? {}));
});

for (const result of ['full', 'closed'] as const) {
  test(`a device that is ${result} has answered itself: there is no second answer`, (t) => {
    const rig = new Rig(result);
    rig.take('base/scale/set', 'x');
    t.deepEqual(rig.answers, []);
  });
}

test('what is on no command topic is nobody’s business', (t) => {
  const rig = new Rig();
  for (const topic of ['base/scale', 'base/scale/response', 'other/scale/set', 'base/set', 'base/bridge/set'])
    rig.take(topic, 'x');
  t.deepEqual([rig.routed, rig.answers, rig.log.lines], [[], [], []]);
});
