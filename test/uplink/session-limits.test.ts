// What a broker allows and keeps, honoured by a session: MQTT 5's limits, and sessions that outlive a connection.

import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { eventually } from '../support/eventually.js';
import { mosquittoTest } from '../support/mosquitto-test.js';
import { rawServerFor } from '../support/raw-server.js';
import { openRig, sessionOptions } from '../support/session-rig.js';

const ANONYMOUS = 'allow_anonymous true';
const NO_OUTBOX = { pump: () => {}, ack: () => {}, onLoss: () => {}, connected: () => {} };

function packedReading(messageId: number): Buffer {
  const packet: Packet = {
    cmd: 'publish',
    topic: 'dev',
    payload: 'reading',
    qos: 1,
    retain: true,
    dup: false,
    messageId,
  };
  return mqttPacket.generate(packet, { protocolVersion: 5 });
}

for (const version of [4, 5] as const) {
  mosquittoTest(
    `MQTT ${version}: with a session expiry, what came at QoS 1 meanwhile is there after the return; without, it is not`,
    { config: ANONYMOUS },
    async (t, broker) => {
      const sender = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`);
      t.teardown(() => sender.endAsync());
      for (const [sessionExpirySeconds, expected] of [
        [3600, ['ON']],
        [0, []],
      ] as const) {
        const options = sessionOptions(broker.port, { version, sessionExpirySeconds });
        const first = await openRig(options);
        t.false(first.session.limits.sessionPresent);
        await first.session.subscribe(['dev/set']);
        first.session.destroy();
        await first.lost;
        await sender.publishAsync('dev/set', 'ON', { qos: 1 });
        const second = await openRig(options);
        t.is(second.session.limits.sessionPresent, sessionExpirySeconds > 0);
        await second.session.subscribe(['dev/set']);
        await sender.publishAsync('dev/set', 'live', { qos: 1 });
        await eventually(() => second.messages.at(-1)?.payload.toString() === 'live', 'the live command');
        t.deepEqual(
          second.messages.map(({ payload }) => payload.toString()),
          [...expected, 'live'],
        );
        await second.session.end();
      }
    },
  );
}

mosquittoTest(
  'a broker with QoS 0 only and without retained messages takes what we send, and says so once',
  { config: `${ANONYMOUS}\nmax_qos 0\nretain_available false` },
  async (t, broker) => {
    const acked: string[] = [];
    const outbox = { ...NO_OUTBOX, ack: (id: number, code: number) => acked.push(`${id}:${code}`) };
    const will = { topic: 'state', payload: Buffer.from('offline'), retain: true };
    const watcher = await openRig(sessionOptions(broker.port));
    await watcher.session.subscribe(['state', 'dev']);
    const rig = await openRig(sessionOptions(broker.port, { will }), outbox);
    t.regex(rig.session.notes.join('; '), /QoS 0 only.*no retained messages/);
    rig.session.writePackets(packedReading(300), () => {});
    t.deepEqual(acked, [], 'not from within the call: whoever writes still has to note that it has');
    await eventually(() => acked.length === 1, 'the acknowledgement that we give ourselves');
    t.deepEqual(acked, ['300:0']);
    await eventually(() => watcher.messages.length === 1, 'the reading');
    t.false(rig.session.isLost);
    rig.session.destroy();
    await eventually(() => watcher.messages.length === 2, 'the last will');
    t.deepEqual(
      watcher.messages.map(({ topic, payload, qos }) => `${topic} ${payload} ${qos}`),
      ['dev reading 0', 'state offline 0'],
    );
    await watcher.session.end();
  },
);

/** Answers CONNECT with this CONNACK; collects all packets. */
function brokerSaying(t: ExecutionContext, connack: Partial<Packet>, packets: Packet[]): Promise<number> {
  return rawServerFor(t, (socket: net.Socket) => {
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      packets.push(packet);
      if (packet.cmd !== 'connect') return;
      const answer = { cmd: 'connack', reasonCode: 0, sessionPresent: false, ...connack } as Packet;
      socket.write(mqttPacket.generate(answer, { protocolVersion: 5 }));
    });
    socket.on('data', (bytes) => parser.parse(bytes));
  });
}

test('filters with wildcards are not sent to a broker without them, and are reported as refused', async (t) => {
  const packets: Packet[] = [];
  const port = await brokerSaying(t, { properties: { wildcardSubscriptionAvailable: false } }, packets);
  const rig = await openRig(sessionOptions(port));
  t.deepEqual(await rig.session.subscribe(['dev/set/+', 'bridge/#']), [
    { filter: 'dev/set/+', reason: 'Wildcard Subscriptions not supported (code 162)' },
    { filter: 'bridge/#', reason: 'Wildcard Subscriptions not supported (code 162)' },
  ]);
  const waiting = rig.session.subscribe(['dev/set', 'dev/set/+']);
  await eventually(() => packets.length === 2, 'the subscription');
  t.like(packets[1], { cmd: 'subscribe', subscriptions: [{ topic: 'dev/set' }] });
  rig.session.destroy();
  t.is(await waiting, 'lost');
  t.regex(rig.session.notes[0] ?? '', /no wildcard subscriptions/);
});

test('a keepalive and a client id of the broker are taken on and said', async (t) => {
  const packets: Packet[] = [];
  const properties = { serverKeepAlive: 1, assignedClientIdentifier: 'you' };
  const port = await brokerSaying(t, { properties }, packets);
  const rig = await openRig(sessionOptions(port, { clientId: 'me', keepaliveSeconds: 600 }));
  t.deepEqual(rig.session.notes, [
    'the broker wants a keepalive of 1 s instead of mqtt.keepalive: 600 s',
    'the broker calls us "you" instead of mqtt.client_id "me"',
  ]);
  await eventually(() => packets.some(({ cmd }) => cmd === 'pingreq'), 'a ping by the keepalive of the broker');
  t.is((await rig.lost).trouble, 'keepalive');
});
