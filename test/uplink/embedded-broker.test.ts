import test from 'ava';
import mqtt from 'mqtt';
import { startEmbeddedBroker } from '../../src/uplink/embedded-broker.js';
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
