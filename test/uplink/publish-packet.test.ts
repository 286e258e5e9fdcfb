import test from 'ava';
import fc from 'fast-check';
import { BufferPool, PacketBuffer } from '../../src/uplink/packet-buffer.js';
import {
  makePublishHeader,
  type PublishProperties,
  packetSize,
  packReadings,
} from '../../src/uplink/publish-packet.js';
import { parsePublishes } from '../support/mqtt-parse.js';

const NO_LIMITS = { bufferBytes: Number.POSITIVE_INFINITY, packetBytes: Number.POSITIVE_INFINITY };

const word = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[+#\0]/.test(text));
const topic = word.filter((text) => text.length > 0);
const properties = fc.record(
  {
    messageExpirySeconds: fc.integer({ min: 0, max: 0xffffffff }),
    contentType: word,
    topicAlias: fc.integer({ min: 1, max: 65535 }),
    responseTopic: topic,
    correlation: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    user: fc.uniqueArray(fc.tuple(word, word), { maxLength: 3, selector: ([name]) => name }),
  },
  { requiredKeys: [] },
);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat(70_000).map((length) => new Uint8Array(length)),
);

function batchOf(payloads: readonly Uint8Array[]) {
  const bounds: number[] = [];
  let at = 3; // slices need not begin at the start of their buffer
  for (const bytes of payloads) {
    bounds.push(at, at + bytes.length);
    at += bytes.length + 1;
  }
  const bytes = Buffer.alloc(at);
  for (const [index, part] of payloads.entries()) bytes.set(part, bounds[2 * index]);
  return { bytes, bounds };
}

function expectedProperties(given: PublishProperties): Record<string, unknown> {
  const { user, messageExpirySeconds, correlation, ...same } = given;
  return {
    ...same,
    ...(messageExpirySeconds === undefined ? {} : { messageExpiryInterval: messageExpirySeconds }),
    ...(correlation === undefined ? {} : { correlationData: correlation }),
    ...(user === undefined || user.length === 0 ? {} : { userProperties: Object.fromEntries(user) }),
  };
}

test('packed messages read back as they were, for both versions, any route and any payloads', (t) => {
  const route = fc.record({ topic, qos: fc.constantFrom(0 as const, 1 as const), retain: fc.boolean(), properties });
  const version = fc.constantFrom(4 as const, 5 as const);
  const payloads = fc.array(payload, { maxLength: 5 });
  fc.assert(
    fc.property(version, route, payloads, fc.integer({ min: 256, max: 65_535 }), (protocol, given, parts, firstId) => {
      const out = new PacketBuffer(Buffer.alloc(16));
      const header = makePublishHeader(protocol, given);
      const end = packReadings(out, header, batchOf(parts), 0, parts.length, firstId, NO_LIMITS);
      const packets = parsePublishes(out.packed, protocol);
      t.is(end, parts.length);
      t.is(
        out.length,
        parts.reduce((sum, part) => sum + packetSize(header, part.length), 0),
      );
      t.deepEqual(
        packets.map(({ topic: name, qos, retain, dup }) => ({ name, qos, retain, dup })),
        parts.map(() => ({ name: given.topic, qos: given.qos, retain: given.retain, dup: false })),
      );
      for (const [index, packet] of packets.entries()) {
        t.deepEqual(packet.payload, Buffer.from(parts[index] ?? []));
        if (given.qos === 1) t.is(packet.messageId, ((firstId - 256 + index) % 65_280) + 256);
        if (protocol === 5) t.deepEqual({ ...packet.properties }, nullFree(expectedProperties(given.properties)));
      }
    }),
    { numRuns: 300 },
  );
});

/** mqtt-packet gives user properties without a prototype; AVA compares prototypes. */
function nullFree(expected: Record<string, unknown>): Record<string, unknown> {
  const { userProperties } = expected;
  if (typeof userProperties !== 'object') return expected;
  return { ...expected, userProperties: Object.assign(Object.create(null), userProperties) };
}

test('a run ends with the message that fills the buffer, and goes on from there', (t) => {
  const batch = batchOf([1, 2, 3, 4].map((value) => new Uint8Array(100).fill(value)));
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const out = new PacketBuffer(Buffer.alloc(1000));
  t.is(packReadings(out, header, batch, 0, 4, 0, { ...NO_LIMITS, bufferBytes: 150 }), 2);
  t.is(packReadings(out, header, batch, 2, 4, 0, NO_LIMITS), 4);
  t.deepEqual(
    parsePublishes(out.packed, 5).map(({ payload: bytes }) => bytes[0]),
    [1, 2, 3, 4],
  );
});

test('a run ends before a message that the broker would find too large', (t) => {
  const batch = batchOf([new Uint8Array(10), new Uint8Array(200), new Uint8Array(10)]);
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const out = new PacketBuffer(Buffer.alloc(16));
  t.is(packReadings(out, header, batch, 0, 3, 0, { ...NO_LIMITS, packetBytes: 100 }), 1);
  t.is(packetSize(header, 300_000_000), Number.POSITIVE_INFINITY);
});

test('the pool gives a recycled buffer out again, and keeps no grown one', (t) => {
  const pool = new BufferPool();
  const first = pool.take();
  first.length = 5;
  first.recycle();
  const second = pool.take();
  t.is(second, first);
  t.is(second.length, 0);
  second.reserve(100_000);
  second.recycle();
  t.not(pool.take(), second);
});

test('a topic that MQTT cannot express is no exception: its messages are not packed', (t) => {
  const route = { topic: 'ü'.repeat(32_768), qos: 1, retain: false } as const;
  const header = makePublishHeader(5, route);
  const out = new PacketBuffer(Buffer.alloc(16));
  t.is(packReadings(out, header, batchOf([Buffer.from('A'), Buffer.from('B')]), 0, 2, 256, NO_LIMITS), 0);
  t.is(out.length, 0);
  t.is(packetSize(header, 1), Number.POSITIVE_INFINITY);
});
