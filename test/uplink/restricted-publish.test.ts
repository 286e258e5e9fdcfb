import test from 'ava';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import { restrictPublishes } from '../../src/uplink/restricted-publish.js';
import { parsePublishes } from '../support/mqtt-parse.js';
import { fc } from '../support/properties.js';

const publish: fc.Arbitrary<IPublishPacket> = fc
  .record({
    topic: fc.string({ minLength: 1, maxLength: 300 }).filter((topic) => !/[+#\0]/.test(topic)),
    // Around the lengths at which the header grows or shrinks by a byte.
    payload: fc.oneof(fc.nat(200), fc.integer({ min: 16_300, max: 16_500 })).map((length) => Buffer.alloc(length, 7)),
    qos: fc.constantFrom(0 as const, 1 as const),
    retain: fc.boolean(),
    messageId: fc.integer({ min: 256, max: 65_535 }),
    seq: fc.option(fc.nat().map(String), { nil: undefined }),
  })
  .map(({ qos, messageId, seq, ...rest }) => ({
    cmd: 'publish',
    dup: false,
    qos,
    ...(qos > 0 && { messageId }),
    ...(seq !== undefined && { properties: { userProperties: { seq } } }),
    ...rest,
  }));

test('packets keep everything but what the broker does not take, and their ids are told', (t) => {
  fc.assert(
    fc.property(fc.array(publish, { maxLength: 10 }), fc.boolean(), fc.boolean(), (sent, noQos1, noRetain) => {
      const packed = Buffer.concat(sent.map((packet) => mqttPacket.generate(packet, { protocolVersion: 5 })));
      const before = Buffer.from(packed);
      const { packets, ids } = restrictPublishes(packed, { noQos1, noRetain });
      t.deepEqual(packed, before, 'the memory of the outbox is left alone');
      const found = parsePublishes(packets, 5);
      t.deepEqual(
        found.map(({ topic, payload, properties, qos, retain, messageId }) => ({
          topic,
          payload,
          seq: properties?.userProperties?.seq,
          qos,
          retain,
          messageId,
        })),
        sent.map(({ topic, payload, properties, qos, retain, messageId }) => ({
          topic,
          payload: payload as Buffer, // by construction
          seq: properties?.userProperties?.seq,
          qos: noQos1 ? 0 : qos,
          retain: retain && !noRetain,
          messageId: noQos1 ? undefined : messageId,
        })),
      );
      t.deepEqual([...ids], noQos1 ? sent.flatMap(({ messageId }) => messageId ?? []) : []);
    }),
    { numRuns: 50 },
  );
});
