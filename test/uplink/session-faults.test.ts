// Brokers that misbehave: rubbish, half packets, floods, every reason to be thrown out. Whatever comes, a session ends at
// most once, with a sentence that says why, and leaves nothing behind.

import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { openSession } from '../../src/uplink/open-session.js';
import type { SessionOptions } from '../../src/uplink/session.js';
import { SessionError } from '../../src/uplink/session-error.js';
import { eventually } from '../support/eventually.js';
import { fc } from '../support/properties.js';
import { rawServerFor } from '../support/raw-server.js';
import { openRig, type SessionRig, sessionOptions } from '../support/session-rig.js';

/** Long enough for a loaded machine to connect, short enough to wait for. */
const SHORT_MS = 1500;
const CONNACK = Buffer.of(0x20, 3, 0, 0, 0);
const NO_HOOKS = { onMessage() {}, onAck() {}, onAcksRead() {}, onDrain() {}, onLost() {} };

/** MQTT 5 section 3.14.2.1, those of a server; taken over and the redirects, which mean more, are tested by themselves. */
const DISCONNECT_CODES = [
  0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b,
  0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];

interface Server {
  readonly port: number;
  /** The connection of the newest session. */
  readonly socket: net.Socket;
}

/** Says `first` to whoever has sent a CONNECT. */
async function serverSaying(t: ExecutionContext, first: Uint8Array): Promise<Server> {
  let newest: net.Socket | undefined;
  const port = await rawServerFor(t, (socket) => {
    newest = socket;
    socket.once('data', () => socket.write(first));
  });
  return {
    port,
    get socket() {
      if (newest === undefined) throw new Error('nobody has connected');
      return newest;
    },
  };
}

async function sessionWith(t: ExecutionContext, first: Uint8Array = CONNACK): Promise<Server & { rig: SessionRig }> {
  const server = await serverSaying(t, first);
  const rig = await openRig(sessionOptions(server.port));
  t.teardown(() => rig.session.destroy());
  return { rig, port: server.port, socket: server.socket };
}

async function refusal(options: SessionOptions): Promise<SessionError> {
  try {
    (await openSession(options, NO_HOOKS, new AbortController().signal)).destroy();
  } catch (error) {
    return error as SessionError; // openSession promises that
  }
  throw new Error('a session was opened');
}

function packed(packet: Packet): Buffer {
  return mqttPacket.generate(packet, { protocolVersion: 5 });
}

for (const [what, bytes, trouble, words] of [
  ['half a CONNACK', CONNACK.subarray(0, 3), 'timeout', /nothing there answered as an MQTT broker within 1\.5 s/],
  ['random text', Buffer.from('hello, who is there?\r\n'), 'not-mqtt', /not an MQTT broker/],
  ['a packet of 256 MB', Buffer.from('30ffffff7f', 'hex'), 'not-mqtt', /268435460 bytes, more than Ferrule takes/],
  ['a length without an end', Buffer.from('30ffffffffffff', 'hex'), 'not-mqtt', /not an MQTT broker/],
  ['a SUBACK instead of a CONNACK', Buffer.from('900400010001', 'hex'), 'timeout', /nothing there answered/],
] as const) {
  test(`${what} as an answer to CONNECT is a failure in words, in time`, async (t) => {
    const { port } = await serverSaying(t, bytes);
    const error = await refusal(sessionOptions(port, trouble === 'timeout' ? { connectTimeoutMs: SHORT_MS } : {}));
    t.is(error.trouble, trouble);
    t.regex(error.message, words);
  });
}

for (const [what, bytes, trouble, words] of [
  ['text', Buffer.from('HTTP/1.1 500 Oops\r\n\r\n'), 'protocol-error', /broke the protocol/],
  [
    'a packet of 256 MB',
    Buffer.from('30ffffff7f', 'hex'),
    'protocol-error',
    /268435460 bytes, more than Ferrule takes/,
  ],
  ['a second CONNACK', CONNACK, 'protocol-error', /duplicate CONNACK/],
  ['a PUBLISH with QoS 3', Buffer.from('3605000161000100', 'hex'), 'protocol-error', /broke the protocol/],
  ['a topic alias that nobody gave', Buffer.from('3006000003230001', 'hex'), 'protocol-error', /alias/i],
] as const) {
  test(`${what} in a session ends it, once, in words`, async (t) => {
    const { rig, socket } = await sessionWith(t);
    socket.write(bytes);
    const loss = await rig.lost;
    t.is(loss.trouble, trouble);
    t.regex(loss.detail, words);
    t.is(rig.losses(), 1);
    t.true(rig.session.isLost);
  });
}

test('acknowledgements of what nobody sent are passed over, whatever their kind and id', async (t) => {
  const { rig, socket } = await sessionWith(t);
  for (const messageId of [1, 255, 256, 65_535]) {
    socket.write(packed({ cmd: 'puback', messageId, reasonCode: 0 }));
    socket.write(packed({ cmd: 'pubrec', messageId, reasonCode: 0 }));
    socket.write(packed({ cmd: 'pubcomp', messageId, reasonCode: 0 }));
    socket.write(packed({ cmd: 'suback', messageId, granted: [1] }));
    socket.write(packed({ cmd: 'unsuback', messageId, granted: [0] }));
    socket.write(packed({ cmd: 'pubrel', messageId, reasonCode: 0 }));
  }
  socket.write(packed({ cmd: 'publish', topic: 'a', payload: 'still here', qos: 0, retain: false, dup: false }));
  await eventually(() => rig.messages.length === 1, 'the message behind them');
  t.false(rig.session.isLost);
});

test('a broker that closes right after CONNACK loses the session, and says nothing of a subscription', async (t) => {
  const port = await rawServerFor(t, (socket) => socket.once('data', () => socket.end(CONNACK)));
  const rig = await openRig(sessionOptions(port));
  t.is(await rig.session.subscribe(['a']), 'lost');
  t.regex((await rig.lost).detail, /closed the connection and gave no reason; a second client with our id/);
  t.is(rig.losses(), 1);
});

test('each reason code of a DISCONNECT ends the session with its name and number', async (t) => {
  const names: Readonly<Record<number, string>> = (await import('mqtt')).ReasonCodes;
  for (const code of DISCONNECT_CODES) {
    const { rig, socket } = await sessionWith(t);
    socket.write(Buffer.of(0xe0, 1, code));
    t.deepEqual(await rig.lost, {
      trouble: 'server-disconnect',
      detail: `the broker closed the session: ${names[code]} (code ${code})`,
    });
    t.is(rig.losses(), 1);
  }
});

test("the broker's own words come with the reason, cut to a bearable length", async (t) => {
  const { rig, socket } = await sessionWith(t);
  const reasonString = `quota of "acme" ${'x'.repeat(5000)}`;
  socket.write(packed({ cmd: 'disconnect', reasonCode: 151, properties: { reasonString } }));
  const { detail } = await rig.lost;
  t.true(
    detail.startsWith('the broker closed the session: Quota exceeded (code 151: "quota of \\"acme\\" xxx'),
    detail,
  );
  t.true(detail.length < 400);
});

for (const reasonCode of [156, 157]) {
  test(`a redirect with code ${reasonCode} names the server and is not followed`, async (t) => {
    const properties = { serverReference: 'evil.example:1883' };
    const error = await refusal(
      sessionOptions(
        (await serverSaying(t, packed({ cmd: 'connack', sessionPresent: false, reasonCode, properties }))).port,
      ),
    );
    t.is(error.trouble, 'redirected');
    t.regex(error.message, /sends us to "evil\.example:1883" \(code \d+\); Ferrule does not follow.*mqtt\.url/);
    const { rig, socket } = await sessionWith(t);
    socket.write(packed({ cmd: 'disconnect', reasonCode, properties }));
    const loss = await rig.lost;
    t.is(loss.trouble, 'redirected');
    t.regex(loss.detail, /"evil\.example:1883"/);
  });
}

test('a last will that the broker does not take is made plainer, once each, and then given up', async (t) => {
  const wills: string[] = [];
  const answers: Record<string, number> = { 'retained QoS 1': 154, 'QoS 1': 155 };
  const port = await rawServerFor(t, (socket) => {
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      if (packet.cmd !== 'connect') return;
      const will = `${packet.will?.retain ? 'retained ' : ''}QoS ${packet.will?.qos}`;
      wills.push(will);
      socket.write(packed({ cmd: 'connack', sessionPresent: false, reasonCode: answers[will] ?? 0 }));
    });
    socket.on('data', (bytes) => parser.parse(bytes));
  });
  const will = { topic: 'state', payload: Buffer.from('offline'), retain: true };
  const rig = await openRig(sessionOptions(port, { will }));
  rig.session.destroy();
  t.deepEqual(wills, ['retained QoS 1', 'QoS 1', 'QoS 0']);
  answers['QoS 0'] = 155;
  const error = await refusal(sessionOptions(port, { will }));
  t.is(error.trouble, 'will-qos');
  t.is(wills.length, 6);
});

test('a flood of answers to pings is read through, and the session lives', async (t) => {
  const { rig, socket } = await sessionWith(t);
  for (let i = 0; i < 20; i += 1) socket.write(Buffer.alloc(1000, Buffer.of(0xd0, 0)));
  socket.write(packed({ cmd: 'publish', topic: 'a', payload: 'after', qos: 0, retain: false, dup: false }));
  await eventually(() => rig.messages.length === 1, 'the message behind the flood');
  t.false(rig.session.isLost);
});

test('whatever bytes follow CONNACK: at most one loss, in words, and no exception', async (t) => {
  let rubbish: Uint8Array = Buffer.alloc(0);
  const port = await rawServerFor(t, (socket) =>
    socket.once('data', () => socket.write(CONNACK, () => setImmediate(() => socket.end(rubbish)))),
  );
  const packetLike = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 40 }))
    .map(([first, body]) => Buffer.from([first, body.length, ...body]));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.array(packetLike, { maxLength: 5 }).map((packets) => Buffer.concat(packets)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (next) => {
      rubbish = next;
      const rig = await openRig(sessionOptions(port)).catch((error: unknown) => error);
      if (rig instanceof SessionError) return; // CONNACK and rubbish came in one piece
      const { lost, losses } = rig as SessionRig;
      t.true((await lost).detail.length > 10);
      t.is(losses(), 1);
    }),
    { numRuns: 100 },
  );
});
