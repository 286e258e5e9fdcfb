import test from 'ava';
import type { OutboxEntry } from '../../src/uplink/outbox-entry.js';
import { Outgoing } from '../../src/uplink/outgoing.js';
import { makeTopics } from '../../src/uplink/topics.js';
import { textBatch } from '../support/text-batch.js';

const outgoing = new Outgoing(makeTopics('base'));

function body(entry: OutboxEntry): unknown {
  return JSON.parse(entry.batch.bytes.toString());
}

function readings(device: string, retain = false) {
  return outgoing.entry({ kind: 'readings', device, batch: textBatch(['1']), qos: 1, retain, at: 0 });
}

test('readings go to the topic of their device as they are; its route is kept, so that its header is packed once', (t) => {
  const entry = readings('hall/scale');
  t.deepEqual(entry.route, { topic: 'base/hall/scale', qos: 1, retain: false });
  t.is(entry.urgent, undefined);
  t.is(readings('hall/scale').route, entry.route);
  t.true(readings('hall/scale', true).route.retain, 'a route that has changed is made anew');
});

test('the route of a device that is gone is forgotten', (t) => {
  const { route } = readings('peer');
  outgoing.forget('peer');
  t.not(readings('peer').route, route);
});

test('a response goes to the response topic of its device, or where the sender wants it, with the correlation data', (t) => {
  const response = { kind: 'response', device: 'scale', status: 'error', transaction: 't', error: 'why' } as const;
  const plain = outgoing.entry(response);
  t.like(plain.route, { topic: 'base/scale/response', qos: 1, retain: false });
  t.deepEqual(body(plain), { status: 'error', transaction: 't', error: 'why' });
  const replyTo = { topic: 'my/answers', correlation: Buffer.from('c') };
  const asked = outgoing.entry({ ...response, replyTo });
  t.like(asked.route, { topic: 'my/answers', properties: { correlation: Buffer.from('c') } });
  t.is(asked.urgent, 'answer');
});

test('a dead letter shows its bytes in hex, and what is not shown only where there is some', (t) => {
  const letter = { kind: 'dead-letter', device: 'scale', reason: 'crc', bytes: Buffer.from([1, 255]) } as const;
  t.deepEqual(body(outgoing.entry({ ...letter, droppedBytes: 0, suppressed: 0 })), { reason: 'crc', hex: '01ff' });
  t.deepEqual(body(outgoing.entry({ ...letter, droppedBytes: 7, suppressed: 2 })), {
    reason: 'crc',
    hex: '01ff',
    dropped_bytes: 7,
    suppressed: 2,
  });
});

test('states and events are news: urgent, and forgotten with the session', (t) => {
  const state = outgoing.state({ topic: 'base/scale/availability', payload: '' }, () => {});
  t.like(state, { urgent: 'news', route: { qos: 1, retain: true } });
  const event = outgoing.entry({ kind: 'event', event: 'state', data: { device: 'scale' } });
  t.like(event, { urgent: 'news', route: { topic: 'base/bridge/event', qos: 0, retain: false } });
  t.deepEqual(body(event), { event: 'state', device: 'scale' });
});

test('a tapped line goes to the tap topic, not kept, its bytes as hex and as text that hides nothing', (t) => {
  const bytes = Buffer.from('12\\5 \xb0C\x1b\t\r\n', 'latin1');
  const tap = { kind: 'tap', device: 'scale', direction: 'in', bytes, at: 7, dropped: 3 } as const;
  const entry = outgoing.entry(tap);
  t.like(entry.route, { topic: 'base/scale/tap', qos: 0, retain: false });
  t.is(entry.urgent, 'news');
  const text = '12\\\\5 \\xb0C\\x1b\\t\\r\\n';
  t.deepEqual(body(entry), { at: 7, direction: 'in', hex: bytes.toString('hex'), text, dropped: 3 });
});
