import test from 'ava';
import { generate } from 'mqtt-packet';
import { fc } from '../support/properties.js';
import { isPublish, PacketReader, type PublishBounds, readPublish } from './packet-reader.js';

interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly messageId: number;
}

const MESSAGE: fc.Arbitrary<Message> = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 200 }).filter((topic) => !/[+#\0]/.test(topic)),
  payload: fc.string({ maxLength: 400 }),
  qos: fc.constantFrom(0, 1),
  messageId: fc.integer({ min: 1, max: 65535 }),
});

function wireOf(messages: readonly Message[], version: number): Buffer {
  const properties = version === 5 ? { properties: { userProperties: { ts: '1', historical: 'true' } } } : {};
  const options = { protocolVersion: version };
  const packets = messages.map((message) =>
    generate({ cmd: 'publish', dup: false, retain: false, ...message, ...properties }, options),
  );
  return Buffer.concat([...packets, generate({ cmd: 'pingresp' })]);
}

function read(wire: Buffer, sizes: readonly number[], version: number) {
  const bounds: PublishBounds = { qos: 0, packetId: 0, payloadAt: 0 };
  const found: { payload: string; qos: number; packetId: number }[] = [];
  let others = 0;
  const reader = new PacketReader((head, bytes, from, to) => {
    if (!isPublish(head)) {
      others += 1;
      return;
    }
    readPublish(head, bytes, from, version, bounds);
    found.push({ payload: bytes.toString('utf8', bounds.payloadAt, to), qos: bounds.qos, packetId: bounds.packetId });
  });
  for (let at = 0, n = 0; at < wire.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    reader.take(wire.subarray(at, at + size));
    at += size;
  }
  return { found, others };
}

for (const version of [4, 5]) {
  test(`what mqtt-packet writes is read back, cut anywhere: MQTT version ${version}`, (t) => {
    const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(MESSAGE, { maxLength: 10 }), cuts, (messages, sizes) => {
        const { found, others } = read(wireOf(messages, version), sizes, version);
        const expected = messages.map(({ payload, qos, messageId }) => {
          return { payload, qos, packetId: qos === 0 ? 0 : messageId };
        });
        t.deepEqual(found, expected);
        t.is(others, 1);
      }),
    );
  });
}
