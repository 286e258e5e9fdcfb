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

test('what was on its way to the disk when its device went keeps no route for that device, and shares the route of one that stays', (t) => {
  const live = (device: string) =>
    outgoing.live({ what: 'readings', device, qos: 1, retain: false, at: 0, batch: textBatch(['1']) });
  const { route } = readings('late');
  t.is(live('late').route, route);
  outgoing.forget('late');
  const late = live('late');
  t.deepEqual(late.route, route);
  t.not(live('late').route, late.route);
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
  const letter = { kind: 'dead-letter', device: 'scale', reason: 'crc', bytes: Buffer.from([1, 255]), at: 5 } as const;
  t.deepEqual(body(outgoing.entry({ ...letter, droppedBytes: 0, suppressed: 0 })), { reason: 'crc', hex: '01ff' });
  t.deepEqual(body(outgoing.entry({ ...letter, droppedBytes: 7, suppressed: 2 })), {
    reason: 'crc',
    hex: '01ff',
    dropped_bytes: 7,
    suppressed: 2,
  });
});

test('what the spool has kept comes back on its own topic, with the time at which it was read and its number', (t) => {
  const record = { device: 'scale', qos: 1, retain: false, at: 1234, batch: textBatch(['1', '22']) } as const;
  const entry = outgoing.kept({ what: 'readings', ...record }, 1, 77);
  const { bytes, bounds } = entry.batch;
  t.is(bytes.toString('utf8', bounds[0], bounds[1]), '22');
  t.like(entry.route, { topic: 'base/scale', qos: 1, retain: false });
  t.deepEqual(entry.route.properties?.user, [
    ['ts', '1234'],
    ['seq', '77'],
    ['historical', 'true'],
  ]);
  t.is(outgoing.kept({ what: 'dead-letter', ...record }, 0, 77).route.topic, 'base/scale/dead_letter');
});

test('what the spool needs to keep a message goes with it: readings and dead letters, nothing else', (t) => {
  const at = 5;
  const reading = { kind: 'readings', device: 'scale', batch: textBatch(['1']), qos: 1, retain: false, at } as const;
  const letter = { kind: 'dead-letter', device: 'scale', reason: 'crc', bytes: Buffer.alloc(1), at } as const;
  const event = { kind: 'event', event: 'state', data: {} } as const;
  t.deepEqual(outgoing.entry(reading).keep, { what: 'readings', at });
  t.deepEqual(outgoing.entry({ ...letter, droppedBytes: 0, suppressed: 0 }).keep, { what: 'dead-letter', at });
  t.is(outgoing.entry(event).keep, undefined);
});

test('states and events are news: urgent, and forgotten with the session', (t) => {
  const state = outgoing.state({ topic: 'base/scale/availability', payload: '' }, () => {});
  t.like(state, { urgent: 'news', route: { qos: 1, retain: true } });
  const event = outgoing.entry({ kind: 'event', event: 'state', data: { device: 'scale' } });
  t.like(event, { urgent: 'news', route: { topic: 'base/bridge/event', qos: 0, retain: false } });
  t.deepEqual(body(event), { event: 'state', device: 'scale' });
});

test('what is recorded goes to the raw topic of the tap, chunks as lines of a recording', (t) => {
  const entries = [
    { t: 5, note: 'online', reason: 'opened' },
    { t: 120, direction: 'in', bytes: Buffer.from([0, 0x41]) },
    { t: 130, note: 'dropped', dropped: 9 },
  ] as const;
  const raw = { kind: 'raw-tap', device: 'scale', tap: 77, seq: 3, entries, isLast: true } as const;
  const { route, batch, urgent } = outgoing.entry(raw);
  t.like(route, { topic: 'base/scale/tap/raw', qos: 0, retain: false });
  t.is(urgent, 'news');
  t.deepEqual(JSON.parse(batch.bytes.toString()), {
    tap: 77,
    seq: 3,
    entries: [entries[0], { t: 120, d: 'in', hex: '0041' }, entries[2]],
    end: true,
  });
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
