import test from 'ava';
import { parseCommand, refuseReason } from '../../src/control/command-payload.js';
import type { Command } from '../../src/device/message.js';
import type { IncomingMessage } from '../../src/uplink/incoming-message.js';
import type { CommandTopic } from '../../src/uplink/topics.js';
import { fc } from '../support/properties.js';

const SET: CommandTopic = { device: 'scale', verb: 'set' };
const context = { receivedAt: 1_000_000, makeTransaction: () => 'made' };

function message(payload: string | Buffer, more: Partial<IncomingMessage> = {}): IncomingMessage {
  return { topic: 'x', payload: Buffer.from(payload), retain: false, qos: 1, dup: false, ...more };
}

function commandOf(payload: string | Buffer, more: Partial<IncomingMessage> = {}, topic = SET): Command {
  const parsed = parseCommand(topic, message(payload, more), context);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.command;
}

function errorOf(payload: string, more: Partial<IncomingMessage> = {}): string {
  const parsed = parseCommand(SET, message(payload, more), context);
  return parsed.ok ? 'no error' : parsed.error;
}

test('a payload that is no envelope is the command, byte for byte', (t) => {
  for (const payload of ['ON', '', '{"state":"ON"}', '[1]', '{broken', '"transaction"', '{"value":1}', ' 5\r\n']) {
    const command = commandOf(payload);
    t.is(command.payload.toString(), payload);
    t.is(command.transaction, 'made');
  }
});

test('any bytes that are no envelope pass unchanged; nothing throws', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      t.deepEqual(commandOf(Buffer.from(bytes)).payload, Buffer.from(bytes));
    }),
  );
});

test('any JSON object gives a command or an error sentence; nothing throws', (t) => {
  const key = fc.constantFrom('transaction', 'not_after', 'value', 'payload', 'other');
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue()), (fields) => {
      const parsed = parseCommand(SET, message(JSON.stringify(fields)), context);
      t.true(parsed.ok || parsed.error.length > 10);
    }),
  );
});

test('an envelope gives its value, its transaction and its time limit', (t) => {
  const command = commandOf('{"transaction":"42","value":"ON","not_after":123456}');
  t.deepEqual(command, {
    kind: 'command',
    verb: 'set',
    payload: Buffer.from('ON'),
    transaction: '42',
    notAfter: 123_456,
  });
});

test('the value of an envelope may be any JSON, and be called payload', (t) => {
  t.is(commandOf('{"transaction":1,"value":5}').payload.toString(), '5');
  t.is(commandOf('{"transaction":1,"payload":{"a":[1]}}').payload.toString(), '{"a":[1]}');
  t.is(commandOf('{"transaction":1,"value":null}').payload.toString(), 'null');
  t.is(commandOf('{"transaction":1,"value":5}').transaction, '1');
});

test('not_after may be an ISO time', (t) => {
  t.is(commandOf('{"not_after":"1970-01-01T00:00:05Z","value":1}').notAfter, 5000);
});

test('a get needs no value; a channel goes along', (t) => {
  const command = commandOf('{"transaction":"7"}', {}, { device: 'scale', verb: 'get', channel: 'weight' });
  t.is(command.channel, 'weight');
  t.is(command.payload.length, 0);
});

test('write takes an envelope for what it is: bytes', (t) => {
  const text = '{"transaction":"7","value":1}';
  const command = commandOf(text, { expirySeconds: 2 }, { device: 'scale', verb: 'write' });
  t.is(command.payload.toString(), text);
  t.is(command.expiresAt, 1_002_000);
});

test('not_after and message expiry both count, each by its own clock', (t) => {
  const command = commandOf('{"not_after":1500000,"value":1}', { expirySeconds: 10 });
  t.like(command, { notAfter: 1_500_000, expiresAt: 1_010_000 });
});

test('response topic and correlation data go along, also with an error', (t) => {
  const more = { responseTopic: 'me/answers', correlation: Buffer.from([1, 2]) };
  const replyTo = { topic: 'me/answers', correlation: Buffer.from([1, 2]) };
  t.deepEqual(commandOf('ON', more).replyTo, replyTo);
  const parsed = parseCommand(SET, message('{"transaction":"9"}', more), context);
  t.like(parsed, { ok: false, transaction: '9', replyTo });
});

test('a response topic that we could not publish to is an error, and not answered there', (t) => {
  for (const responseTopic of ['', 'a/#', '+', '$SYS/x']) {
    const parsed = parseCommand(SET, message('ON', { responseTopic }), context);
    t.false(parsed.ok);
    t.false('replyTo' in parsed);
  }
});

test('bad envelopes are told what is wrong with them', (t) => {
  t.regex(errorOf('{"transaction":"1"}'), /"value" is missing/);
  t.regex(errorOf('{"transaction":"1","value":1,"payload":2}'), /use one/);
  t.regex(errorOf('{"transaction":"1","state":"ON"}'), /unknown key "state"/);
  t.regex(errorOf('{"transaction":"","value":1}'), /"transaction" must be/);
  t.regex(errorOf('{"transaction":{},"value":1}'), /"transaction" must be/);
  t.regex(errorOf('{"not_after":"soon","value":1}'), /"not_after" must be/);
});

test('a retained command is refused, with the way out', (t) => {
  t.regex(refuseReason({ retain: true }) ?? '', /without the retain flag/);
  t.is(refuseReason({ retain: false }), undefined);
});
