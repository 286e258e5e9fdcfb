import test from 'ava';
import { Commands } from '../../src/control/commands.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { type RouteResult, ThreadRegistry } from '../../src/core/thread-registry.js';
import type { CommandStatus, DownMessage, ResponseUp, UpMessage } from '../../src/device/message.js';
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

test('message expiry counts from the arrival, and no clock on the wall', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'ON', { expirySeconds: 5 });
  t.is(rig.routed[0]?.expiresAt, rig.clock.now() + 5000);
  t.is(rig.routed[0]?.notAfter, undefined);
});

test('retained commands are ignored, counted and logged', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'OPEN', { retain: true });
  rig.take('base/nobody/set', 'OPEN', { retain: true });
  t.deepEqual(rig.routed, []);
  t.is(rig.commands.ignoredRetained, 2);
  t.is(rig.log.at('warn').length, 2);
  t.regex(rig.log.lines[0]?.message ?? '', /base\/scale\/set ignored: retained/);
});

test('a retained command is reported on the response topic of its device, not to whoever sent it long ago', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', '{"value":"OPEN","transaction":"t-1"}', { retain: true, responseTopic: 'my/answers' });
  rig.take('base/scale/set', '{"transaction":"t-2"}', { retain: true });
  t.deepEqual(rig.routed, []);
  t.deepEqual(
    rig.answers.map((answer) => answer.kind === 'response' && [answer.device, answer.status, answer.transaction]),
    [
      ['scale', 'error', 't-1'],
      ['scale', 'error', 't-2'],
    ],
  );
  t.false('replyTo' in (rig.answers[0] ?? {}));
  t.regex(String((rig.answers[0] as { error?: string }).error), /^not done: retained commands are ignored/);
});

test('a transaction that comes again acts once, and is answered with how the first one stands', (t) => {
  const rig = new Rig();
  const again = () => rig.take('base/scale/set', '{"value":"ON","transaction":"t-1"}', { responseTopic: 'mine' });
  again();
  const first = rig.routed[0];
  const tell = (status: CommandStatus, more: Partial<ResponseUp> = {}) =>
    first?.onAnswer?.({ kind: 'response', device: 'scale', transaction: 't-1', status, ...more });
  again();
  tell('accepted', { data: { held: true } });
  again();
  tell('sent');
  again();
  tell('ok', { data: 21.5 });
  again();
  tell('error', { error: 'too hot' });
  again();
  t.is(rig.routed.length, 1);
  t.is(rig.commands.repeated, 5);
  t.deepEqual(
    rig.answers.map((answer) => answer.kind === 'response' && [answer.status, answer.data, answer.error]),
    [
      ['accepted', { duplicate: true }, undefined],
      ['accepted', { held: true, duplicate: true }, undefined],
      ['sent', { duplicate: true }, undefined],
      ['ok', { value: 21.5, duplicate: true }, undefined],
      ['error', { duplicate: true }, 'too hot'],
    ],
  );
  t.like(rig.answers[0], { device: 'scale', transaction: 't-1', replyTo: { topic: 'mine' } });
  t.is(rig.log.at('info').length, 5);
});

test('a transaction is one device’s: the same for another device is another command', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', '{"value":"ON","transaction":"t-1"}');
  rig.take('base/pump/set', '{"value":"ON","transaction":"t-1"}');
  t.is(rig.routed.length, 1);
  t.like(rig.answers[0], { device: 'pump', status: 'error', error: 'no device "pump" is connected' });
});

test('a transaction that is used again for another command is refused: `ok` of the first would be a lie', (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', '{"value":"ON","transaction":"1"}');
  rig.take('base/scale/set', '{"value":"OFF","transaction":"1"}');
  rig.take('base/scale/set/lamp', '{"value":"ON","transaction":"1"}');
  t.is(rig.routed.length, 1);
  t.deepEqual(
    rig.answers.map((answer) => answer.kind === 'response' && answer.status),
    ['error', 'error'],
  );
  t.regex(String((rig.answers[0] as { error?: string }).error), /transaction "1" was another command's/);
});

test('a command that was refused at the door may be sent again with its transaction', (t) => {
  const rig = new Rig();
  const send = () => rig.take('base/scale/set', '{"value":"ON","transaction":"t-1"}');
  send();
  const refusal = { kind: 'response', device: 'scale', transaction: 't-1', status: 'error', error: 'offline' } as const;
  rig.routed[0]?.onAnswer?.(refusal);
  send();
  t.is(rig.routed.length, 2);
  const nobody = () => rig.take('base/nobody/set', '{"value":"ON","transaction":"t-1"}');
  nobody();
  nobody();
  t.false(rig.answers.some((answer) => answer.kind === 'response' && answer.data !== undefined));
});

test('what the broker sends again (DUP) acts once, also without a transaction', (t) => {
  const rig = new Rig();
  const correlation = Buffer.from('c');
  rig.take('base/scale/set', 'TOGGLE', { correlation });
  rig.take('base/scale/set', 'TOGGLE', { correlation, dup: true });
  rig.take('base/scale/write', 'TOGGLE', { correlation, dup: true });
  rig.take('base/scale/set', 'TOGGLE', { correlation: Buffer.from('d'), dup: true });
  t.is(rig.routed.length, 3, 'another topic or correlation is another command');
  t.like(rig.answers[0], { status: 'accepted', data: { duplicate: true } });
  t.is(rig.commands.repeated, 1);
});

test('the same command sent twice on purpose acts twice; a DUP a minute later too', async (t) => {
  const rig = new Rig();
  rig.take('base/scale/set', 'TOGGLE');
  rig.take('base/scale/set', 'TOGGLE');
  await rig.clock.advance(60_001);
  rig.take('base/scale/set', 'TOGGLE', { dup: true });
  rig.take('base/scale/set', 'FAST', { qos: 0 });
  t.is(rig.routed.length, 4);
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
