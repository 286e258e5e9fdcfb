import test from 'ava';
import { BufferPool, PacketBuffer } from '../../src/uplink/packet-buffer.js';
import {
  largestPayload,
  makePublishHeader,
  type PublishHeader,
  type PublishProperties,
  packetSize,
  packReadings,
} from '../../src/uplink/publish-packet.js';
import { parsePublishes } from '../support/mqtt-parse.js';
import { fc } from '../support/properties.js';

const NO_LIMITS = { bufferBytes: Number.POSITIVE_INFINITY, payloadBytes: Number.POSITIVE_INFINITY };

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
  fc.uint8Array({ maxLength: 9 }),
  fc.uint8Array({ minLength: 100, maxLength: 400 }),
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

/** Packs all of it, into buffers of `bufferBytes` one after the other, as an outbox does. */
function packAll(header: PublishHeader, parts: readonly Uint8Array[], firstId: number, bufferBytes: number): Buffer {
  const batch = batchOf(parts);
  const buffers: Buffer[] = [];
  for (let from = 0; from < parts.length; ) {
    const out = new PacketBuffer(Buffer.alloc(bufferBytes));
    const id = ((firstId - 256 + from) % 65_280) + 256;
    const next = packReadings(out, header, batch, from, parts.length, id, { ...NO_LIMITS, bufferBytes });
    if (next === from) throw new Error('an empty buffer takes any message');
    if (next > from + 1 && out.length > bufferBytes) throw new Error('only a single message may go beyond the limit');
    buffers.push(out.packed);
    from = next;
  }
  return Buffer.concat(buffers);
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
  const payloads = fc.array(payload, { maxLength: 8 });
  const id = fc.integer({ min: 256, max: 65_535 });
  fc.assert(
    fc.property(
      version,
      route,
      payloads,
      id,
      fc.integer({ min: 1, max: 4000 }),
      (protocol, given, parts, firstId, size) => {
        const header = makePublishHeader(protocol, given);
        const packed = packAll(header, parts, firstId, size);
        const packets = parsePublishes(packed, protocol);
        t.is(
          packed.length,
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
      },
    ),
    { numRuns: 300 },
  );
});

/** mqtt-packet gives user properties without a prototype; AVA compares prototypes. */
function nullFree(expected: Record<string, unknown>): Record<string, unknown> {
  const { userProperties } = expected;
  if (typeof userProperties !== 'object') return expected;
  return { ...expected, userProperties: Object.assign(Object.create(null), userProperties) };
}

test('a run ends before the message that would not fit into the buffer, and goes on from there', (t) => {
  const batch = batchOf([1, 2, 3, 4].map((value) => new Uint8Array(100).fill(value)));
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const out = new PacketBuffer(Buffer.alloc(1000));
  t.is(packReadings(out, header, batch, 0, 4, 0, { ...NO_LIMITS, bufferBytes: 250 }), 2);
  t.true(out.length <= 250);
  t.is(packReadings(out, header, batch, 2, 4, 0, NO_LIMITS), 4);
  t.deepEqual(
    parsePublishes(out.packed, 5).map(({ payload: bytes }) => bytes[0]),
    [1, 2, 3, 4],
  );
});

test('a buffer that is full takes nothing more, and keeps its memory', (t) => {
  const batch = batchOf([new Uint8Array(100), new Uint8Array(100)]);
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const memory = Buffer.alloc(150);
  const out = new PacketBuffer(memory);
  t.is(packReadings(out, header, batch, 0, 2, 0, NO_LIMITS), 1);
  t.is(out.bytes, memory);
});

test('a message larger than the buffer gets memory of its own', (t) => {
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const out = new PacketBuffer(Buffer.alloc(16));
  t.is(packReadings(out, header, batchOf([Buffer.alloc(5000, 'x')]), 0, 1, 0, { ...NO_LIMITS, bufferBytes: 100 }), 1);
  t.is(parsePublishes(out.packed, 5)[0]?.payload.length, 5000);
});

test('a run ends before a message that the broker would find too large', (t) => {
  const batch = batchOf([new Uint8Array(10), new Uint8Array(200), new Uint8Array(10)]);
  const header = makePublishHeader(5, { topic: 't', qos: 0, retain: false });
  const out = new PacketBuffer(Buffer.alloc(1000));
  const limits = { ...NO_LIMITS, payloadBytes: largestPayload(header, 100) };
  t.is(packReadings(out, header, batch, 0, 3, 0, limits), 1);
});

test('the largest payload is the one whose packet the broker just takes', (t) => {
  const header = makePublishHeader(5, { topic: 'base/device', qos: 1, retain: false });
  const least = packetSize(header, 0);
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: least, max: 300 }), fc.integer({ min: least, max: 3_000_000 })), (most) => {
      const payloadBytes = largestPayload(header, most);
      t.true(packetSize(header, payloadBytes) <= most);
      t.true(packetSize(header, payloadBytes + 1) > most);
    }),
  );
  t.true(largestPayload(header, least - 1) < 0);
  const inMqtt = largestPayload(header, Number.POSITIVE_INFINITY);
  t.true(Number.isFinite(packetSize(header, inMqtt)));
  t.is(packetSize(header, inMqtt + 1), Number.POSITIVE_INFINITY);
  t.is(inMqtt + header.fixedBytes, 268_435_455, 'the most that MQTT can express: four bytes of seven bits');
});

test('the pool gives a recycled buffer out again, and keeps no grown one', (t) => {
  const pool = new BufferPool();
  const first = pool.take();
  first.length = 5;
  first.recycle();
  const second = pool.take();
  t.is(second, first);
  t.is(second.length, 0);
  second.takes(100_000, 1);
  second.recycle();
  t.not(pool.take(), second);
});

test('a topic that MQTT cannot express is no exception: its messages are not packed', (t) => {
  const route = { topic: 'ü'.repeat(32_768), qos: 1, retain: false } as const;
  const header = makePublishHeader(5, route);
  const out = new PacketBuffer(Buffer.alloc(16));
  const limits = { ...NO_LIMITS, payloadBytes: largestPayload(header, Number.POSITIVE_INFINITY) };
  t.is(packReadings(out, header, batchOf([Buffer.from('A'), Buffer.from('')]), 0, 2, 256, limits), 0);
  t.is(out.length, 0);
  t.is(packetSize(header, 1), Number.POSITIVE_INFINITY);
});
