// The real gateway through TLS: files named in the config, certificates made for the test, a real mosquitto.

import type { ExecutionContext } from 'ava';
import { authorityFor, type Certificate, skipWithoutOpenssl } from '../support/certificates.js';
import { brokerTest, gatewayFor } from '../support/e2e-test.js';
import { eventually } from '../support/eventually.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { freePort, startMosquitto } from '../support/mosquitto.js';
import { type Subscriber, subscribe } from '../support/subscriber.js';
import { startTcpDevice, type TcpDevice } from '../support/tcp-device.js';

const BASE = 'ferrule/e2e';

interface Rig {
  readonly judge: Subscriber;
  readonly device: TcpDevice;
  /** Starts a gateway with this `mqtt` section; the broker's TLS port is filled in. */
  gateway(mqtt: object, port?: number): GatewayProcess;
  readonly webPort: number;
}

/** A mosquitto with a plain port for the judge, and TLS ports that want a client certificate. */
async function tlsRig(t: ExecutionContext, { cert, key }: Certificate, ca: string): Promise<Rig> {
  const [tlsPort, webPort] = [await freePort(), await freePort()];
  const secure = `cafile ${ca}\ncertfile ${cert}\nkeyfile ${key}\nrequire_certificate true`;
  const config = `allow_anonymous true\nlistener ${tlsPort} 127.0.0.1\n${secure}\nlistener ${webPort}\nprotocol websockets\n${secure}`;
  const broker = await startMosquitto({ config });
  t.teardown(() => broker.stop());
  const judge = await subscribe({ port: broker.port });
  t.teardown(() => judge.close());
  const device = await startTcpDevice();
  t.teardown(() => device.close());
  const gateway = (mqtt: object): GatewayProcess =>
    gatewayFor(t, {
      config: {
        gateway: { id: 'e2e' },
        mqtt: { url: `mqtts://localhost:${tlsPort}`, reconnect: { first: 100, max: 400 }, ...mqtt },
        devices: { cell: { driver: 'lines', link: `tcp://127.0.0.1:${device.port}` } },
      },
    });
  return { judge, device, gateway, webPort };
}

async function relays({ judge, device }: Rig): Promise<void> {
  await judge.says(`${BASE}/cell/availability`, { state: 'online' });
  (await device.connection()).write('through TLS\n');
  await eventually(() => judge.texts(`${BASE}/cell`).includes('through TLS'), 'the line');
}

brokerTest('mutual TLS with files named in the config: mqtts and wss relay lines', async (t) => {
  if (skipWithoutOpenssl !== undefined) {
    t.pass(skipWithoutOpenssl);
    return;
  }
  const authority = authorityFor(t);
  const rig = await tlsRig(t, authority.sign('broker'), authority.ca);
  const own = { ca: authority.ca, ...authority.sign('gateway') };
  const gateway = rig.gateway(own);
  await relays(rig);
  t.false(
    gateway.log.some(({ level }) => level === 'warn' || level === 'error'),
    'nothing to complain of',
  );
  gateway.signal('SIGTERM');
  t.like(await gateway.end(), { code: 0 });
  await rig.judge.says(`${BASE}/bridge/state`, { state: 'offline' });
  rig.gateway({ ...own, url: `wss://localhost:${rig.webPort}/mqtt` });
  await rig.judge.says(`${BASE}/bridge/state`, { state: 'online' });
  await relays(rig);
});

brokerTest(
  'a broker of another authority, or one that wants a certificate, is told in the log; devices go on',
  async (t) => {
    if (skipWithoutOpenssl !== undefined) {
      t.pass(skipWithoutOpenssl);
      return;
    }
    const authority = authorityFor(t);
    const rig = await tlsRig(t, authority.sign('broker'), authority.ca);
    for (const [mqtt, words] of [
      [{ ca: authorityFor(t, 'Somebody else').ca, ...authority.sign('gateway') }, /unknown authority.*mqtt\.ca/],
      [{ ca: authority.ca }, /wants a client certificate; name one in mqtt\.cert and mqtt\.key/],
    ] as const) {
      const gateway = rig.gateway(mqtt);
      const line = await gateway.waitForLog('devices go on');
      t.regex(line.msg, words);
      t.is(line.level, 'warn');
      await gateway.waitForLog(({ group, msg }) => group === 'cell' && msg.startsWith('online'));
      await gateway.stop();
    }
  },
);
