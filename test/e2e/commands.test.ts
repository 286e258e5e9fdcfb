// Commands on their way down, as a user sends them: the real mosquitto_pub, the real gateway, a pty or a socket at the end.
// Every command has an answer on `<device>/response`, whatever becomes of it.

import { execFile } from 'node:child_process';
import net from 'node:net';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import type { Pty } from '../../src/hil/pty.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort, type Mosquitto } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';
import type { Subscriber } from '../support/subscriber.js';

const BASE = 'ferrule/e2e';
const run = promisify(execFile);

interface Rig {
  readonly broker: Mosquitto;
  readonly gateway: GatewayProcess;
  readonly subscriber: Subscriber;
  readonly pty: Pty;
  /** What the gateway has written to the pty. */
  written(): Buffer;
}

/** A gateway with a pty that is online, a socket that nobody listens on, and a listener. */
async function commandRig(t: ExecutionContext, beforeStart = async (_broker: Mosquitto) => {}): Promise<Rig> {
  const broker = await brokerFor(t);
  const pty = await openNamedPty();
  t.teardown(() => pty.close());
  const chunks: Buffer[] = [];
  pty.onData((chunk) => chunks.push(chunk));
  await beforeStart(broker);
  const framing = { type: 'line', delimiter: '\r\n' };
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      devices: {
        scale: { driver: 'lines', link: `serial:${pty.path}`, framing },
        away: { driver: 'lines', link: `tcp://127.0.0.1:${await freePort()}` },
        sensors: { driver: 'lines', link: { type: 'tcp-listen', port: 0, peer: 'peer-{n}' }, framing },
      },
    },
  });
  const subscriber = await subscriberFor(t, { port: broker.port });
  await subscriber.says(`${BASE}/bridge/state`, { state: 'online' });
  await subscriber.says(`${BASE}/scale/availability`, { state: 'online' });
  return { broker, gateway, subscriber, pty, written: () => Buffer.concat(chunks) };
}

/** What a user types: mosquitto_pub with these arguments. */
async function publish({ broker }: { broker: Mosquitto }, topic: string, ...args: string[]): Promise<void> {
  await run('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', topic, ...args]);
}

function answers(subscriber: Subscriber, topic: string): Record<string, unknown>[] {
  return subscriber.texts(topic).map((text) => JSON.parse(text));
}

brokerTest('set with mosquitto_pub reaches the pty as one line, write as the bytes that were sent', async (t) => {
  const rig = await commandRig(t);
  await publish(rig, `${BASE}/scale/set`, '-m', 'TARE');
  await eventually(() => rig.written().length >= 6, 'the line on the pty');
  t.deepEqual(rig.written(), Buffer.from('TARE\r\n'));
  await rig.subscriber.count(`${BASE}/scale/response`, 3);
  const raw = Buffer.from([0x1b, 0xff, 0x41, 0x0a, 0xfe]);
  await rig.subscriber.client.publishAsync(`${BASE}/scale/write`, raw, { qos: 1 });
  await eventually(() => rig.written().length >= 11, 'the bytes on the pty');
  t.deepEqual(rig.written(), Buffer.concat([Buffer.from('TARE\r\n'), raw]));
  await rig.subscriber.count(`${BASE}/scale/response`, 6);
});

brokerTest('a command is accepted, sent and ok, with the transaction of its envelope', async (t) => {
  const rig = await commandRig(t);
  await publish(rig, `${BASE}/scale/set`, '-m', '{"value":"ZERO","transaction":"t-17"}');
  await rig.subscriber.count(`${BASE}/scale/response`, 3);
  const found = answers(rig.subscriber, `${BASE}/scale/response`);
  t.deepEqual(
    found.map(({ status, transaction }) => [status, transaction]),
    [
      ['accepted', 't-17'],
      ['sent', 't-17'],
      ['ok', 't-17'],
    ],
  );
  t.deepEqual(rig.written(), Buffer.from('ZERO\r\n'));
});

brokerTest('an MQTT 5 response topic and its correlation data are honoured', async (t) => {
  const rig = await commandRig(t);
  const mqtt5 = [
    '-V',
    'mqttv5',
    '-D',
    'publish',
    'response-topic',
    'my/answers',
    '-D',
    'publish',
    'correlation-data',
    'c-9',
  ];
  await publish(rig, `${BASE}/scale/set`, ...mqtt5, '-m', 'PRINT');
  await rig.subscriber.count('my/answers', 3);
  t.deepEqual(
    answers(rig.subscriber, 'my/answers').map(({ status }) => status),
    ['accepted', 'sent', 'ok'],
  );
  t.true(rig.subscriber.on('my/answers').every(({ correlation }) => correlation?.toString() === 'c-9'));
  t.is(rig.subscriber.on(`${BASE}/scale/response`).length, 0);
});

brokerTest('a command for a device that is offline is answered with its state and what it waits for', async (t) => {
  const rig = await commandRig(t);
  await publish(rig, `${BASE}/away/set`, '-m', '{"value":"x","transaction":"t-1"}');
  await rig.subscriber.count(`${BASE}/away/response`, 1);
  const [answer] = answers(rig.subscriber, `${BASE}/away/response`);
  t.like(answer, { status: 'error', transaction: 't-1' });
  t.regex(String(answer?.error), /offline: (?:backing-off|connecting)/);
});

brokerTest('a retained set is ignored and logged; the same command without the flag is done', async (t) => {
  const topic = `${BASE}/scale/set`;
  const rig = await commandRig(t, (broker) => publish({ broker }, topic, '-r', '-m', 'OLD'));
  const line = await rig.gateway.waitForLog(`command on ${topic} ignored`);
  t.is(line.level, 'warn');
  await publish(rig, topic, '-m', 'NEW');
  await eventually(() => answers(rig.subscriber, `${BASE}/scale/response`).some(({ status }) => status === 'ok'), 'ok');
  t.deepEqual(rig.written(), Buffer.from('NEW\r\n'), 'nothing of the retained one');
});

brokerTest('an expired command is answered as expired and nothing of it reaches the device', async (t) => {
  const rig = await commandRig(t);
  await publish(
    rig,
    `${BASE}/scale/set`,
    '-m',
    '{"value":"LATE","transaction":"t-2","not_after":"2020-01-01T00:00:00Z"}',
  );
  await eventually(
    () => answers(rig.subscriber, `${BASE}/scale/response`).some(({ status }) => status === 'expired'),
    'expired',
  );
  await publish(rig, `${BASE}/scale/set`, '-m', '{"value":"NOW","transaction":"t-3"}');
  await eventually(() => answers(rig.subscriber, `${BASE}/scale/response`).some(({ status }) => status === 'ok'), 'ok');
  t.deepEqual(rig.written(), Buffer.from('NOW\r\n'));
  const late = answers(rig.subscriber, `${BASE}/scale/response`).filter(({ transaction }) => transaction === 't-2');
  t.is(late.at(-1)?.status, 'expired');
});

brokerTest(
  'a connection of a listener takes commands by its name; one that is not there is answered with an error',
  async (t) => {
    const rig = await commandRig(t);
    const { listen } = await rig.gateway.waitForLog('listening on');
    const socket = net.connect(Number(String(listen).split(':').at(-1)), '127.0.0.1');
    t.teardown(() => socket.destroy());
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk));
    await rig.subscriber.says(`${BASE}/sensors/peer-1/availability`, { state: 'online' });
    await publish(rig, `${BASE}/sensors/peer-1/set`, '-m', 'HELLO');
    await eventually(() => heard === 'HELLO\r\n', 'the line on the socket');

    await publish(rig, `${BASE}/sensors/peer-9/set`, '-m', '{"value":"x","transaction":"t-4"}');
    await rig.subscriber.count(`${BASE}/sensors/peer-9/response`, 1);
    const [answer] = answers(rig.subscriber, `${BASE}/sensors/peer-9/response`);
    t.like(answer, { status: 'error', transaction: 't-4' });
    t.regex(String(answer?.error), /peer-9/);
    await publish(rig, `${BASE}/sensors/set`, '-m', 'x');
    await rig.subscriber.count(`${BASE}/sensors/response`, 1);
    t.regex(String(answers(rig.subscriber, `${BASE}/sensors/response`)[0]?.error), /name the connection/);
  },
);
