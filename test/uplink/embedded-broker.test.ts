import test from 'ava';
import mqtt from 'mqtt';
import { startEmbeddedBroker } from '../../src/uplink/embedded-broker.js';
import { eventually } from '../support/eventually.js';
import { RecordingLog } from '../support/recording-log.js';
import { openRig, sessionOptions } from '../support/session-rig.js';

test('the embedded broker takes sessions, and closing it loses them', async (t) => {
  const broker = await startEmbeddedBroker({ port: 0 });
  t.is(broker.url, `mqtt://127.0.0.1:${broker.port}`);
  const rig = await openRig(sessionOptions(broker.port, { version: 4 }));
  t.deepEqual(await rig.session.subscribe(['a']), []);
  const other = await mqtt.connectAsync(broker.url, { reconnectPeriod: 0 });
  await other.publishAsync('a', 'hello', { qos: 1 });
  while (rig.messages.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(rig.messages[0]?.payload.toString(), 'hello');
  other.end(true);
  await broker.close();
  await broker.close();
  const { trouble } = await rig.lost;
  t.true(['closed-silently', 'connection-lost'].includes(trouble), trouble); // with a reset, where our last bytes were unread
});

test('the embedded broker does not speak MQTT 5, and the error says what to set', async (t) => {
  const broker = await startEmbeddedBroker({ port: 0 });
  t.teardown(() => broker.close());
  await t.throwsAsync(openRig(sessionOptions(broker.port)), { code: 'session-version', message: /mqtt\.version/ });
});

test('an address that other machines could reach is refused', async (t) => {
  await t.throwsAsync(startEmbeddedBroker({ host: '0.0.0.0', port: 0 }), {
    code: 'embedded-broker-host',
    message: /listens on 127\.0\.0\.1 or ::1 only/,
  });
});

test('a port that is taken is named, with the way out', async (t) => {
  const first = await startEmbeddedBroker({ port: 0 });
  t.teardown(() => first.close());
  await t.throwsAsync(startEmbeddedBroker({ port: first.port }), {
    code: 'embedded-broker-port',
    message: new RegExp(`127.0.0.1:${first.port}: the port is taken.*choose another port`),
  });
});

test('for a session that is away the embedded broker keeps a thousand messages, and no more, each time', async (t) => {
  const log = new RecordingLog();
  const broker = await startEmbeddedBroker({ port: 0, log });
  t.teardown(() => broker.close());
  const sender = await mqtt.connectAsync(broker.url, { reconnectPeriod: 0 });
  const options = { clientId: 'node-red', clean: false, reconnectPeriod: 0 };
  const watcher = await mqtt.connectAsync(broker.url, options);
  await watcher.subscribeAsync('a/#', { qos: 1 });
  await watcher.endAsync();
  for (const round of [0, 1]) {
    const sent = Array.from({ length: 1200 }, (_, n) => `${round * 10_000 + n}`);
    await Promise.all(sent.map((text) => sender.publishAsync('a/b', text, { qos: 1 })));
    const heard: string[] = [];
    const back = mqtt.connect(broker.url, options);
    back.on('message', (_topic, payload) => heard.push(payload.toString()));
    await eventually(() => heard.length >= 1000, 'what was kept');
    await sender.publishAsync('a/b', 'live', { qos: 1 });
    await eventually(() => heard.includes('live'), 'what comes now');
    t.deepEqual(heard, [...sent.slice(0, 1000), 'live']);
    await back.endAsync();
  }
  await sender.endAsync();
  t.is(log.matching('node-red').length, 2);
  t.like(log.matching('node-red')[0], { level: 'warn' });
});
