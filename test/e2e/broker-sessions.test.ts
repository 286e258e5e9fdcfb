// What a session with a broker means to those outside: commands that wait for a gateway that is away, two gateways with one
// id, wrong passwords.

import test, { type ExecutionContext } from 'ava';
import { BROKER_KINDS, type BrokerKind } from '../support/broker-kinds.js';
import { brokerFor, brokerTest, gatewayFor, subscriberFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess, LogLine } from '../support/gateway-process.js';
import { startMosquitto } from '../support/mosquitto.js';
import { openNamedPty } from '../support/named-pty.js';

const BASE = 'ferrule/e2e';
const RECONNECT = { first: 50, max: 200 };

for (const version of [5, 4] as const) {
  brokerTest(
    `MQTT ${version}: with session_expiry a command sent while the gateway is away reaches the device after its return`,
    async (t) => {
      const broker = await brokerFor(t);
      const pty = await openNamedPty();
      t.teardown(() => pty.close());
      const written: Buffer[] = [];
      pty.onData((chunk) => written.push(chunk));
      const start = (): GatewayProcess =>
        gatewayFor(t, {
          config: {
            gateway: { id: 'e2e' },
            mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, version, session_expiry: '1h' },
            devices: {
              scale: { driver: 'lines', link: `serial:${pty.path}`, commands: { when_offline: 'hold' } },
            },
          },
        });
      const judge = await subscriberFor(t, { port: broker.port });
      const first = start();
      await judge.says(`${BASE}/scale/availability`, { state: 'online' });
      first.signal('SIGKILL');
      await judge.says(`${BASE}/bridge/state`, { state: 'offline' });
      await judge.client.publishAsync(`${BASE}/scale/set`, 'TARE', { qos: 1 });
      await judge.client.publishAsync(`${BASE}/scale/set`, 'at QoS 0, not kept', { qos: 0 });
      start();
      await judge.says(`${BASE}/bridge/state`, { state: 'online' });
      await eventually(() => written.length > 0, 'the command on the line');
      await judge.client.publishAsync(`${BASE}/scale/set`, 'LIVE', { qos: 1 });
      await eventually(() => Buffer.concat(written).toString().endsWith('LIVE\n'), 'a live command');
      t.is(Buffer.concat(written).toString(), 'TARE\nLIVE\n');
    },
  );
}

brokerTest('without session_expiry what was sent meanwhile does not reach the device', async (t) => {
  const broker = await brokerFor(t);
  const pty = await openNamedPty();
  t.teardown(() => pty.close());
  const written: Buffer[] = [];
  pty.onData((chunk) => written.push(chunk));
  const config = {
    gateway: { id: 'e2e' },
    mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
    devices: { scale: { driver: 'lines', link: `serial:${pty.path}` } },
  };
  const judge = await subscriberFor(t, { port: broker.port });
  const first = gatewayFor(t, { config });
  await judge.says(`${BASE}/scale/availability`, { state: 'online' });
  first.signal('SIGKILL');
  await judge.says(`${BASE}/bridge/state`, { state: 'offline' });
  await judge.client.publishAsync(`${BASE}/scale/set`, 'TARE', { qos: 1 });
  const second = gatewayFor(t, { config });
  await second.waitForLog(({ group, msg }) => group === 'scale' && msg.startsWith('online'));
  await judge.says(`${BASE}/bridge/state`, { state: 'online' });
  await judge.client.publishAsync(`${BASE}/scale/set`, 'LIVE', { qos: 1 });
  await eventually(() => Buffer.concat(written).toString().endsWith('LIVE\n'), 'a live command');
  t.is(Buffer.concat(written).toString(), 'LIVE\n');
});

/** Two gateways with one client id: both say so, and they do not throw each other out for ever. */
async function twinsGiveWay(t: ExecutionContext, kind: BrokerKind): Promise<void> {
  const broker = await kind.start(t);
  const mqtt = {
    url: `mqtt://127.0.0.1:${broker.port}`,
    version: kind.version,
    client_id: 'twin',
    reconnect: RECONNECT,
  };
  const twins = ['one', 'two'].map((id) => gatewayFor(t, { config: { gateway: { id }, mqtt, devices: {} } }));
  const said = /another client connected with our client id "twin"|a second client with our id "twin"/;
  await Promise.all(twins.map((twin) => twin.waitForLog(({ msg }) => said.test(msg))));
  // Both back off by seconds then, with jitter: neither is back at once.
  const isPatient = ({ retry_in_ms }: LogLine): boolean => Number(retry_in_ms) > 1000;
  await Promise.any(twins.map((twin) => twin.waitForLog(isPatient)));
  const sessions = twins.map(({ log }) => log.filter(({ msg }) => msg.startsWith('connected to the broker')).length);
  t.true(
    sessions.every((count) => count < 40),
    `sessions: ${sessions}`,
  );
  t.log(`${kind.name}: ${sessions.join(' and ')} sessions until one of them waits for long`);
}

for (const kind of BROKER_KINDS.filter(({ isSlow }) => !isSlow)) {
  const title = `${kind.name}: two gateways with one client id say so and do not fight`;
  if (kind.skip === undefined) test.serial(title, (t) => twinsGiveWay(t, kind));
  else test.skip(`${title} (${kind.skip})`, () => {});
}

brokerTest('a wrong password stays visible: in the log each time, and tried again slowly', async (t) => {
  const broker = await startMosquitto({ config: 'allow_anonymous false' });
  t.teardown(() => broker.stop());
  const gateway = gatewayFor(t, {
    config: {
      gateway: { id: 'e2e' },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, username: 'board', password: 'wrong', reconnect: RECONNECT },
      devices: {},
    },
  });
  const line = await gateway.waitForLog('devices go on');
  t.regex(line.msg, /not authorized; check mqtt\.username and mqtt\.password/);
  t.is(line.level, 'warn');
  t.true(Number(line.retry_in_ms) >= 1500, `not by the pace of \`reconnect\`: ${line.retry_in_ms} ms`);
  t.false(JSON.stringify(gateway.log).includes('wrong'), 'the password is not in the log');
});
