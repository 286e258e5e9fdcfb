import test from 'ava';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { AckFilter } from '../../src/uplink/ack-filter.js';
import { packetLength, wholePackets } from '../../src/uplink/packet-scan.js';
import { fc } from '../support/properties.js';

const id = fc.integer({ min: 1, max: 65_535 });
const text = fc.string({ maxLength: 200 });

const puback5: fc.Arbitrary<Packet> = fc
  .record({
    messageId: id,
    reasonCode: fc.constantFrom(0, 16, 135, 151),
    reasonString: fc.option(text, { nil: undefined }),
  })
  .map(({ messageId, reasonCode, reasonString }) => ({
    cmd: 'puback',
    messageId,
    reasonCode,
    ...(reasonString === undefined ? {} : { properties: { reasonString } }),
  }));
const publish: fc.Arbitrary<Packet> = fc
  .record({
    payload: fc.oneof(
      text,
      fc.nat(40_000).map((length) => 'x'.repeat(length)),
    ),
    messageId: id,
  })
  .map(({ payload, messageId }) => ({
    cmd: 'publish',
    topic: 'a/b',
    payload,
    qos: 1,
    messageId,
    dup: false,
    retain: false,
  }));
const others: fc.Arbitrary<Packet> = fc.constantFrom<Packet>(
  { cmd: 'pingresp' },
  { cmd: 'suback', messageId: 7, granted: [1, 0] },
  { cmd: 'pubrec', messageId: 300 },
);
// Biased to what arrives under load.
const packets = fc.array(fc.oneof({ weight: 4, arbitrary: puback5 }, publish, others), { maxLength: 20 });

function filtered(chunks: readonly Buffer[]): { passed: Buffer; acks: string[] } {
  const passed: Buffer[] = [];
  const acks: string[] = [];
  const filter = new AckFilter({
    pass: (bytes) => passed.push(Buffer.from(bytes)),
    onAck: (packetId, reasonCode) => acks.push(`${packetId}:${reasonCode}`),
    onOversized: () => {},
  });
  const push = (chunk: Buffer): number => {
    const lent = Buffer.from(chunk);
    const count = filter.push(lent);
    lent.fill(0xff); // the socket reads the next bytes into the same memory
    return count;
  };
  const reported = chunks.map(push).reduce((sum, count) => sum + count, 0);
  if (reported !== acks.length) throw new Error('push miscounts');
  return { passed: Buffer.concat(passed), acks };
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5000 })), { minLength: 1 });

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT ${protocolVersion}: our acknowledgements are taken out, all else passes, however the bytes are cut`, (t) => {
    const isOurs = (packet: Packet): boolean => packet.cmd === 'puback' && (packet.messageId ?? 0) >= 256;
    fc.assert(
      fc.property(packets, sizes, (sent, pieces) => {
        const bytes = sent.map((packet) => mqttPacket.generate(packet, { protocolVersion }));
        const { passed, acks } = filtered(cut(Buffer.concat(bytes), pieces));
        const rest = bytes.filter((_, index) => !isOurs(sent[index] as Packet));
        t.true(passed.equals(Buffer.concat(rest)));
        const expected = sent.flatMap((packet) =>
          packet.cmd === 'puback' && isOurs(packet)
            ? [`${packet.messageId}:${protocolVersion === 5 ? packet.reasonCode : 0}`]
            : [],
        );
        t.deepEqual(acks, expected);
      }),
      { numRuns: 300 },
    );
  });
}

test('bytes that are no MQTT pass unchanged, and are never taken for an acknowledgement', (t) => {
  for (const answer of [
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    'SSH-2.0-OpenSSH_9.2\r\n',
    '\x15\x03\x01\x00\x02\x02\x46',
  ]) {
    const { passed, acks } = filtered(cut(Buffer.from(answer, 'latin1'), [3]));
    t.deepEqual(acks, []);
    t.is(passed.length, answer.length);
  }
});

test('random bytes never throw, and little is held back', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), sizes, (bytes, pieces) => {
      t.notThrows(() => filtered(cut(Buffer.from(bytes), pieces)));
    }),
  );
});

test('a packet that is too large is told of when it begins', (t) => {
  const sizes: number[] = [];
  const filter = new AckFilter({ pass: () => {}, onAck: () => t.fail(), onOversized: (bytes) => sizes.push(bytes) });
  filter.push(Buffer.from('d000' + '30ffffff7f0001', 'hex'));
  filter.push(Buffer.from('40020100', 'hex'));
  t.deepEqual(sizes, [268_435_460]);
});

test('a packet length is read from up to four bytes', (t) => {
  t.is(packetLength(Buffer.of(0xc0, 0), 0), 2);
  t.is(packetLength(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f), 0), 268_435_455 + 5);
  t.is(packetLength(Buffer.of(0x30, 0x80), 0), 'more');
  t.is(packetLength(Buffer.of(0x30, 0x80, 0x80, 0x80, 0x80), 0), 'malformed');
});

test('whole packets end where the last unfinished one begins', (t) => {
  t.is(wholePackets(Buffer.of(0xc0, 0, 0xc0, 0, 0x30, 5, 1)), 4);
  t.is(wholePackets(Buffer.of(0x30)), 0);
});
